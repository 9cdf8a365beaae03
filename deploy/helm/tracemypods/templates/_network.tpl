{{/* Who may talk to whom. An edge leads `from` a part of this release `to` another one, or to `peers`
     outside (as NetworkPolicies write them), or from `fromPeers` outside, always to one `port`. */}}

{{/* The internet, and nothing private. JSON: peers. */}}
{{- define "tracemypods.publicPeers" -}}
{{- $network := .Values.network -}}
{{- toJson (dict "peers" (list
  (dict "ipBlock" (dict "cidr" "0.0.0.0/0" "except" $network.private))
  (dict "ipBlock" (dict "cidr" "::/0" "except" $network.privateIPv6)))) -}}
{{- end -}}

{{/* Where something outside is: its peers, the internet, or both. JSON: peers. Takes root and backend. */}}
{{- define "tracemypods.peers" -}}
{{- $peers := .backend.peers | default list -}}
{{- if .backend.public -}}
{{- $peers = concat $peers (include "tracemypods.publicPeers" .root | fromJson).peers -}}
{{- end -}}
{{- toJson (dict "peers" $peers) -}}
{{- end -}}

{{/* All edges. JSON: edges. */}}
{{- define "tracemypods.edges" -}}
{{- $facts := include "tracemypods.facts" . | fromJson -}}
{{- $ours := include "tracemypods.ours" . | fromJson -}}
{{- $caddy := eq .Values.edge "caddy" -}}
{{- $edges := list -}}
{{- range $name, $service := $ours -}}
{{- /* Services call services, */ -}}
{{- range $callee := $service.calls -}}
{{- if hasKey $ours $callee -}}
{{- $edges = append $edges (dict "from" $name "to" $callee "port" 8000) -}}
{{- end -}}
{{- end -}}
{{- /* and what they need: here, outside, or on the internet. */ -}}
{{- range $need := (include "tracemypods.needs" (dict "root" $ "service" $service) | fromJson).needs -}}
{{- $backend := index $.Values.backends $need -}}
{{- $port := include "tracemypods.port" (dict "root" $ "need" $need) | int -}}
{{- if $backend.inside -}}
{{- $port = (hasKey $ours $need) | ternary 8000 $port -}}
{{- $edges = append $edges (dict "from" $name "to" $need "port" $port) -}}
{{- else -}}
{{- $public := or $backend.public (has $need $service.public) -}}
{{- $at := include "tracemypods.peers" (dict "root" $ "backend" (dict "peers" $backend.peers "public" $public)) | fromJson -}}
{{- $edges = append $edges (dict "from" $name "peers" $at.peers "port" $port) -}}
{{- end -}}
{{- end -}}
{{- range $more := $service.tuned.egress -}}
{{- $at := include "tracemypods.peers" (dict "root" $ "backend" $more) | fromJson -}}
{{- $edges = append $edges (dict "from" $name "peers" $at.peers "port" $more.port) -}}
{{- end -}}
{{- /* People come through the edge, and helm's tests as they do. */ -}}
{{- if $service.routes -}}
{{- if $caddy -}}
{{- $edges = append $edges (dict "from" "gateway" "to" $name "port" 8000) -}}
{{- else -}}
{{- $edges = append $edges (dict "fromPeers" $.Values.gateway.peers "to" $name "port" 8000) -}}
{{- $edges = append $edges (dict "from" "test" "to" $name "port" 8000) -}}
{{- end -}}
{{- end -}}
{{- if $.Values.monitoring.enabled -}}
{{- $edges = append $edges (dict "fromPeers" $.Values.monitoring.peers "to" $name "port" 8000) -}}
{{- end -}}
{{- end -}}
{{- if $caddy -}}
{{- $edges = append $edges (dict "fromPeers" .Values.caddy.peers "to" "gateway" "port" 8080) -}}
{{- $edges = append $edges (dict "from" "test" "to" "gateway" "port" 8080) -}}
{{- end -}}
{{- /* What runs inside calls what it needs, too, and KEDA asks Kafka how far readers are. */ -}}
{{- range $name, $part := $facts.cluster -}}
{{- if dig $name "inside" false $.Values.backends -}}
{{- range $need := $part.needs -}}
{{- $edges = append $edges (dict "from" $name "to" $need "port" (get $facts.cluster $need).port) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.keda.enabled .Values.backends.kafka.inside -}}
{{- $edges = append $edges (dict "fromPeers" .Values.keda.peers "to" "kafka" "port" $facts.cluster.kafka.port) -}}
{{- end -}}
{{- toJson (dict "edges" (concat $edges (include "tracemypods.insideEdges" . | fromJson).edges)) -}}
{{- end -}}
