{{/* Where things are, and what a service is told of them. */}}

{{/* The host of a need. Takes root and need. */}}
{{- define "tracemypods.host" -}}
{{- $backend := index .root.Values.backends .need -}}
{{- if $backend.inside -}}
{{- include "tracemypods.name" (dict "root" .root "name" .need) -}}
{{- else -}}
{{- $backend.host -}}
{{- end -}}
{{- end -}}

{{/* The port of a need: the operator's, or the one that fleet.toml names, or that of the web for what
     has no host of its own. Takes root and need. */}}
{{- define "tracemypods.port" -}}
{{- $backend := index .root.Values.backends .need -}}
{{- $usual := dig "cluster" .need "port" 443 (include "tracemypods.facts" .root | fromJson) -}}
{{- if $backend.inside -}}
{{- $usual -}}
{{- else if $backend.port -}}
{{- $backend.port | int -}}
{{- else if or (not $backend.host) (eq .need "s3") -}}
443
{{- else if eq .need "smtp" -}}
{{- get (dict "tls" 465 "starttls" 587 "none" 25) $backend.security -}}
{{- else -}}
{{- $usual -}}
{{- end -}}
{{- end -}}

{{/* host:port of a need. Takes root and need. */}}
{{- define "tracemypods.at" -}}
{{ include "tracemypods.host" . }}:{{ include "tracemypods.port" . }}
{{- end -}}

{{/* "yes" where connections to a need are encrypted; those inside never are. Takes root and need. */}}
{{- define "tracemypods.tls" -}}
{{- $backend := index .root.Values.backends .need -}}
{{- if and $backend.tls (not $backend.inside) -}}yes{{- end -}}
{{- end -}}

{{/* What one need adds to the environment, as a map. Users and passwords
     are in Secrets. Takes root and need. */}}
{{- define "tracemypods.environmentOfNeed" -}}
{{- $backend := index .root.Values.backends .need -}}
{{- $at := include "tracemypods.at" . -}}
{{- $tls := eq (include "tracemypods.tls" .) "yes" -}}
{{- if eq .need "redis" }}
TRACEMYPODS_REDIS_URL: {{ printf "%s://%s/0" ($tls | ternary "rediss" "redis") $at }}
{{- else if eq .need "mongo" }}
{{- $options := list }}
{{- if not $backend.srv }}{{- $options = append $options (printf "replicaSet=%s" $backend.replicaSet) }}{{- end }}
{{- if $tls }}{{- $options = append $options "tls=true" }}{{- end }}
TRACEMYPODS_MONGO_URL: {{ printf "%s://%s/?%s" ($backend.srv | ternary "mongodb+srv" "mongodb") ($backend.srv | ternary $backend.host $at) (join "&" $options) }}
TRACEMYPODS_MONGO_DATABASE: {{ $backend.database }}
{{- else if eq .need "kafka" }}
TRACEMYPODS_KAFKA_URL: {{ printf "%s://%s" ($tls | ternary "kafka+ssl" "kafka") $at }}
{{- if $backend.auth }}
TRACEMYPODS_KAFKA_MECHANISM: {{ $backend.mechanism }}
{{- end }}
{{- else if eq .need "s3" }}
{{- if include "tracemypods.host" . }}
TRACEMYPODS_S3_URL: {{ printf "%s://%s" ($tls | ternary "https" "http") $at }}
{{- end }}
TRACEMYPODS_S3_BUCKET: {{ $backend.bucket }}
TRACEMYPODS_S3_REGION: {{ $backend.region }}
TRACEMYPODS_S3_ENCRYPTION: {{ $backend.encryption }}
{{- with $backend.publicUrl }}
TRACEMYPODS_S3_PUBLIC_URL: {{ . }}
{{- end }}
{{- else if eq .need "models" }}
TRACEMYPODS_MODELS_URL: {{ printf "%s://%s/v1" ($tls | ternary "https" "http") $at }}
{{- else if eq .need "smtp" }}
{{- $scheme := get (dict "tls" "smtps" "starttls" "smtp+starttls" "none" "smtp") ($backend.inside | ternary "none" $backend.security) }}
TRACEMYPODS_SMTP_URL: {{ printf "%s://%s" $scheme $at }}
TRACEMYPODS_MAIL_FROM: {{ $backend.from }}
TRACEMYPODS_MAIL_FROM_NAME: {{ $backend.fromName }}
{{- else if eq .need "qdrant" }}
TRACEMYPODS_VECTOR_QDRANT_URL: {{ printf "%s://%s" ($tls | ternary "https" "http") $at }}
{{- else if eq .need "telemetry" }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ printf "%s://%s" ($tls | ternary "https" "http") $at }}
{{- else if eq .need "razorpay" }}
{{- if $backend.inside }}
TRACEMYPODS_RAZORPAY_URL: {{ printf "http://%s:8000" (include "tracemypods.host" .) }}
{{- else if $backend.keyId }}
TRACEMYPODS_RAZORPAY_KEY_ID: {{ $backend.keyId }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What a service needs in this release, telemetry among it where it is on. JSON: needs. Takes root
     and service. */}}
{{- define "tracemypods.needs" -}}
{{- $needs := .service.needs -}}
{{- /* Where all models have servers of their own, nobody needs the usual one. */ -}}
{{- if and .root.Values.models (not .root.Values.backends.models.host) -}}{{- $needs = without $needs "models" -}}{{- end -}}
{{- if .root.Values.backends.telemetry.enabled -}}{{- $needs = append $needs "telemetry" -}}{{- end -}}
{{- toJson (dict "needs" $needs) -}}
{{- end -}}

{{/* The whole environment of a service, as a map; `settings` of an operator win. Takes root, name and
     service. */}}
{{- define "tracemypods.environment" -}}
{{- $ours := include "tracemypods.ours" .root | fromJson -}}
{{- $environment := dict "PYTHONUNBUFFERED" "1"
  "TRACEMYPODS_MODE" .root.Values.mode
  "TRACEMYPODS_HOST" "0.0.0.0"
  "TRACEMYPODS_PORT" "8000"
  "TRACEMYPODS_DRAIN_SECONDS" (toString .service.drainSeconds) -}}
{{- if include "tracemypods.hasSecret" . -}}
{{- $_ := set $environment "TRACEMYPODS_SECRETS_DIR" "/secrets" -}}
{{- end -}}
{{- if .service.config -}}
{{- $_ := set $environment "TRACEMYPODS_CONFIG_DIR" "/config" -}}
{{- end -}}
{{- if and .service.seesClients .root.Values.trustedProxies -}}
{{- $_ := set $environment "TRACEMYPODS_TRUSTED_PROXIES" (toJson .root.Values.trustedProxies) -}}
{{- end -}}
{{- range $callee := .service.calls -}}
{{- if hasKey $ours $callee -}}
{{- $at := include "tracemypods.name" (dict "root" $.root "name" $callee) -}}
{{- $_ := set $environment (printf "TRACEMYPODS_%s_URL" (upper $callee)) (printf "http://%s:8000" $at) -}}
{{- end -}}
{{- end -}}
{{- range $need := (include "tracemypods.needs" . | fromJson).needs -}}
{{- $more := include "tracemypods.environmentOfNeed" (dict "root" $.root "need" $need) | fromYaml -}}
{{- $environment = merge $environment ($more | default dict) -}}
{{- end -}}
{{- if and (has "models" .service.needs) .root.Values.models -}}
{{- $_ := set $environment "TRACEMYPODS_MODELS_SERVERS" (include "tracemypods.modelServers" .root) -}}
{{- end -}}
{{- if .service.sandbox -}}
{{- $_ := set $environment (printf "%sDATA_DIR" .service.prefix) "/data" -}}
{{- $_ := set $environment (printf "%sHOSTS" .service.prefix) (toJson (list (include "tracemypods.publicHost" .root))) -}}
{{- $_ := set $environment (printf "%sSITE_ORIGINS" .service.prefix) (toJson (list (.root.Values.publicUrl | default "http://localhost:8080"))) -}}
{{- end -}}
{{- include "tracemypods.over" (dict "below" $environment "above" .service.tuned.settings) -}}
{{- end -}}

{{/* The names of the files that a service's Secret has to have. JSON: files. Takes root and service. */}}
{{- define "tracemypods.secretFiles" -}}
{{- $facts := include "tracemypods.facts" .root | fromJson -}}
{{- $files := .service.secrets -}}
{{- range $need := .service.needs -}}
{{- if dig $need "auth" false $.root.Values.backends -}}
{{- $files = concat $files (dig "secrets" $need list $facts) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "files" (uniq $files)) -}}
{{- end -}}

{{/* "yes" where a service has keys at all. Takes root and service. */}}
{{- define "tracemypods.hasSecret" -}}
{{- if or .service.tuned.existingSecret (include "tracemypods.secretFiles" . | fromJson).files -}}yes{{- end -}}
{{- end -}}
