{{/* Where models run: `models` of the values, with what config/models.toml says of them. */}}

{{/* What the catalogue says of models. JSON. */}}
{{- define "tracemypods.catalogue" -}}
{{- toJson (get (include "tracemypods.config" . | fromJson) "models.toml" | fromToml) -}}
{{- end -}}

{{/* All of `models`, by name: what operators say, `node` (how it is called on the network), and where it
     runs here `weights` (what to pull), `context` (tokens), `memory` and `storage`. JSON. */}}
{{- define "tracemypods.models" -}}
{{- $catalogue := (include "tracemypods.catalogue" . | fromJson).models -}}
{{- $found := dict -}}
{{- range $name, $one := .Values.models -}}
{{- if $one -}}
{{- $server := merge (dict "node" (printf "model-%s" $name)) (deepCopy $one) (deepCopy $.Values.modelDefaults) -}}
{{- if not $server.url -}}
{{- $size := 0 -}}{{- $memory := 0 -}}{{- $context := 0 -}}
{{- range $entry := $server.entries -}}
{{- $known := dig $entry dict $catalogue -}}
{{- $size = max $size (dig "size_most_bytes" (dig "size_bytes" 0 $known) $known | int64) -}}
{{- $memory = max $memory (dig "memory_most_bytes" (dig "memory_bytes" 0 $known) $known | int64) -}}
{{- $context = max $context (dig "context_tokens" 0 $known | int64) -}}
{{- $_ := set $server "weights" (dig "upstream" $entry $known) -}}
{{- end -}}
{{- $_ := set $server "context" $context -}}
{{- /* Besides the weights, half a gibibyte for the server itself; on the disk, room for a new version
       beside the old one. */ -}}
{{- $_ := set $server "memory" ($server.memory | default (printf "%dMi" (add (div $memory 1048576) 512))) -}}
{{- $_ := set $server "storage" ($server.storage | default (printf "%dGi" (add (div (mul $size 2) 1073741824) 1))) -}}
{{- end -}}
{{- $_ := set $found $name $server -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* What ask is told of them: the value of TRACEMYPODS_MODELS_SERVERS. JSON. */}}
{{- define "tracemypods.modelServers" -}}
{{- $servers := dict -}}
{{- range $name, $one := include "tracemypods.models" . | fromJson -}}
{{- $url := $one.url | default (printf "http://%s:11434/v1" (include "tracemypods.name" (dict "root" $ "name" $one.node))) -}}
{{- $server := dict "url" $url "models" $one.entries -}}
{{- if $one.apiKey -}}{{- $_ := set $server "key_file" (printf "/secrets/%s" (include "tracemypods.modelKeyFile" $name)) -}}{{- end -}}
{{- $_ := set $servers $name $server -}}
{{- end -}}
{{- toJson $servers -}}
{{- end -}}

{{/* The file in which a server's key is, beside ask's own keys. Takes the server's name. */}}
{{- define "tracemypods.modelKeyFile" -}}
tracemypods_models_key_{{ . | replace "-" "_" }}
{{- end -}}

{{/* Servers' keys as sources of ask's volume of secrets. Takes root and service. */}}
{{- define "tracemypods.modelKeySources" -}}
{{- if has "models" .service.needs -}}
{{- range $name, $one := include "tracemypods.models" .root | fromJson -}}
{{- with $one.apiKey }}
- secret:
    name: {{ .secret }}
    items:
      - { key: {{ .key }}, path: {{ include "tracemypods.modelKeyFile" $name }} }
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tracemypods.problemsOfModels" -}}
{{- $problems := list -}}
{{- $catalogue := (include "tracemypods.catalogue" . | fromJson).models -}}
{{- $terms := list -}}
{{- with dig "ask" "tuned" "settings" "TRACEMYPODS_ACCEPTED_TERMS" "" (include "tracemypods.ours" . | fromJson) -}}
{{- $terms = fromJsonArray . -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $name, $one := .Values.models -}}
{{- if $one -}}
{{- $place := printf "models.%s" $name -}}
{{- $weights := list -}}
{{- range $entry := $one.entries -}}
{{- $known := dig $entry dict $catalogue -}}
{{- if not $known -}}
{{- $problems = append $problems (printf "%s.entries: config/models.toml has no %s" $place $entry) -}}
{{- else if and $known.terms (not (has $known.terms $terms)) -}}
{{- $problems = append $problems (printf "%s.entries: %s is offered once its terms are accepted: TRACEMYPODS_ACCEPTED_TERMS with %s in the settings of ask and token" $place $entry $known.terms) -}}
{{- end -}}
{{- if hasKey $seen $entry -}}
{{- $problems = append $problems (printf "%s.entries: %s has %s, too" $place (get $seen $entry) $entry) -}}
{{- end -}}
{{- $_ := set $seen $entry $place -}}
{{- $weights = append $weights (dig "upstream" $entry $known) -}}
{{- end -}}
{{- if and (not $one.url) (gt (len (uniq $weights)) 1) -}}
{{- $problems = append $problems (printf "%s.entries: these are different weights, which are ready at different times: %s" $place (join ", " (uniq $weights))) -}}
{{- end -}}
{{- if and $one.url $.Values.network.enabled (not (or $one.public $one.peers)) -}}
{{- $problems = append $problems (printf "%s.peers: where the network lets ask reach it, or `public: true`" $place) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "problems" $problems) -}}
{{- end -}}
