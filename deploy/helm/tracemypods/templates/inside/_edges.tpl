{{/* Who talks to whom besides, for the sake of what runs inside, of what sets it up, and of models. JSON:
     edges, as in _network.tpl. */}}
{{- define "tracemypods.insideEdges" -}}
{{- $edges := list -}}
{{- $parts := (include "tracemypods.insideParts" . | fromJson).parts -}}
{{- if has "jaeger" $parts -}}
{{- $edges = append $edges (dict "from" "telemetry" "to" "jaeger" "port" 4317) -}}
{{- end -}}
{{- if has "mongo" $parts -}}
{{- $edges = append $edges (dict "from" "mongo-setup" "to" "mongo" "port" 27017) -}}
{{- end -}}
{{- if include "tracemypods.makesTopics" . -}}
{{- $kafka := .Values.backends.kafka -}}
{{- $port := include "tracemypods.port" (dict "root" . "need" "kafka") | int -}}
{{- if $kafka.inside -}}
{{- $edges = append $edges (dict "from" "topics" "to" "kafka" "port" $port) -}}
{{- else -}}
{{- $at := include "tracemypods.peers" (dict "root" . "backend" $kafka) | fromJson -}}
{{- $edges = append $edges (dict "from" "topics" "peers" $at.peers "port" $port) -}}
{{- end -}}
{{- end -}}
{{- range $name, $server := include "tracemypods.models" . | fromJson -}}
{{- $askers := list -}}
{{- range $service, $one := include "tracemypods.ours" $ | fromJson -}}
{{- if has "models" $one.needs -}}{{- $askers = append $askers $service -}}{{- end -}}
{{- end -}}
{{- if $server.url -}}
{{- $url := urlParse $server.url -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (eq $url.scheme "https" | ternary "443" "80") | int -}}
{{- $at := include "tracemypods.peers" (dict "root" $ "backend" $server) | fromJson -}}
{{- range $asker := $askers -}}
{{- $edges = append $edges (dict "from" $asker "peers" $at.peers "port" $port) -}}
{{- end -}}
{{- else -}}
{{- range $asker := append $askers (printf "pull-%s" $name) -}}
{{- $edges = append $edges (dict "from" $asker "to" $server.node "port" 11434) -}}
{{- end -}}
{{- /* The server itself gets its model, from a registry on the internet or from a mirror of it. */ -}}
{{- $at := include "tracemypods.peers" (dict "root" $ "backend" (dict "peers" $server.registryPeers "public" (empty $server.registryPeers))) | fromJson -}}
{{- $edges = append $edges (dict "from" $server.node "peers" $at.peers "port" 443) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "edges" $edges) -}}
{{- end -}}
