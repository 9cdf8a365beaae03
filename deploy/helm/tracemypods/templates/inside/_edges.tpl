{{/* Who talks to whom besides, for the sake of what runs inside. JSON: edges, as in _network.tpl. */}}
{{- define "tracemypods.insideEdges" -}}
{{- toJson (dict "edges" list) -}}
{{- end -}}
