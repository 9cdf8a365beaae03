{{/* Names, labels and images. */}}

{{/* What fleet.toml says, as JSON. */}}
{{- define "tracemypods.facts" -}}
{{- .Files.Get "files/fleet.json" -}}
{{- end -}}

{{/* The name of an object: `<release>-<part>`. Takes root and name. */}}
{{- define "tracemypods.name" -}}
{{- printf "%s-%s" .root.Release.Name .name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels by which pods are selected, which never change. Takes root and name. */}}
{{- define "tracemypods.selectorLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* Labels of a pod, none of which a new version of the chart changes. Takes root and name, and
     component: service, backend, edge, job or test. */}}
{{- define "tracemypods.podLabels" -}}
{{ include "tracemypods.selectorLabels" . }}
app.kubernetes.io/component: {{ .component | default "service" }}
app.kubernetes.io/part-of: tracemypods
{{- end -}}

{{/* Labels of every object. Takes root and name, and component. */}}
{{- define "tracemypods.labels" -}}
{{ include "tracemypods.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- end -}}

{{/* Values over others: maps are merged, all else is replaced, by false and by nothing too (which
     `merge` does not). JSON. Takes below and above. */}}
{{- define "tracemypods.over" -}}
{{- $found := deepCopy .below -}}
{{- range $key, $value := .above -}}
{{- $known := get $found $key -}}
{{- if and (kindIs "map" $known) (kindIs "map" $value) -}}
{{- $value = include "tracemypods.over" (dict "below" $known "above" $value) | fromJson -}}
{{- end -}}
{{- $_ := set $found $key $value -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The services and sandboxes of this release, by name: what fleet.toml says, with `tuned`, which is
     what operators say, and `sandbox`. JSON. */}}
{{- define "tracemypods.ours" -}}
{{- $facts := include "tracemypods.facts" . | fromJson -}}
{{- $ours := dict -}}
{{- range $name, $service := $facts.services -}}
{{- $tuned := include "tracemypods.over" (dict "below" $.Values.defaults "above" (dig $name dict $.Values.services)) | fromJson -}}
{{- if $tuned.enabled -}}
{{- $_ := set $ours $name (merge (dict "tuned" $tuned "sandbox" false) $service) -}}
{{- end -}}
{{- end -}}
{{- range $name, $sandbox := $facts.sandboxes -}}
{{- range $need := $sandbox.provides -}}
{{- if dig $need "inside" false $.Values.backends -}}
{{- $tuned := include "tracemypods.over" (dict "below" $.Values.defaults "above" (dig $name dict $.Values.services)) | fromJson -}}
{{- $tuned = set $tuned "replicas" 1 -}}
{{- $_ := set $ours $name (merge (dict "tuned" $tuned "sandbox" true) $sandbox) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $ours -}}
{{- end -}}

{{/* The image of one of our services. Takes root and name. */}}
{{- define "tracemypods.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "%s/%s" $image.repository .name -}}
{{- if $image.registry -}}{{- $name = printf "%s/%s" $image.registry $name -}}{{- end -}}
{{- $digest := dig .name "" $image.digests -}}
{{- $tag := $image.tag | default .root.Chart.AppVersion -}}
{{- if $digest -}}{{ $name }}:{{ $tag }}@{{ $digest }}{{- else -}}{{ $name }}:{{ $tag }}{{- end -}}
{{- end -}}

{{/* An image that is not ours, as deploy/images/third-party.toml has it. Takes root and name. */}}
{{- define "tracemypods.thirdPartyImage" -}}
{{- $image := get (.root.Files.Get "files/images.json" | fromJson) .name -}}
{{- $repository := $image.repository -}}
{{- if .root.Values.mirror -}}
{{- $repository = printf "%s/%s" .root.Values.mirror (regexReplaceAll "^[^/]+/" $repository "") -}}
{{- end -}}
{{ $repository }}:{{ $image.tag }}{{ if $image.digest }}@{{ $image.digest }}{{ end }}
{{- end -}}

{{/* The Secret with a service's keys. Takes root, name and service. */}}
{{- define "tracemypods.secretName" -}}
{{- .service.tuned.existingSecret | default (include "tracemypods.name" .) -}}
{{- end -}}

{{/* The host in publicUrl, without a port. */}}
{{- define "tracemypods.publicHost" -}}
{{- regexReplaceAll ":[0-9]+$" (urlParse (.Values.publicUrl | default "http://localhost")).host "" -}}
{{- end -}}

{{/* The Secret of the site's certificate. */}}
{{- define "tracemypods.certificateSecret" -}}
{{- .Values.certificate.secretName | default (include "tracemypods.name" (dict "root" . "name" "tls")) -}}
{{- end -}}

{{/* The operators' files as they are used: `config` in place of what the chart brings. JSON. */}}
{{- define "tracemypods.config" -}}
{{- $files := dict -}}
{{- range $path, $bytes := .Files.Glob "files/config/*.toml" -}}
{{- $_ := set $files (base $path) (toString $bytes) -}}
{{- end -}}
{{- toJson (merge (deepCopy .Values.config) $files) -}}
{{- end -}}
