{{/* What the servers inside can't do. JSON: problems. */}}
{{- define "tracemypods.problemsOfInside" -}}
{{- $problems := list -}}
{{- with .Values.backends -}}
{{- if and .kafka.inside .kafka.auth -}}
{{- $problems = append $problems "backends.kafka.auth: the Kafka that runs inside knows no users, so set it to false" -}}
{{- end -}}
{{- if and .s3.inside (not .s3.auth) -}}
{{- $problems = append $problems "backends.s3.auth: the S3 that runs inside wants keys, so leave it true" -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "problems" $problems) -}}
{{- end -}}
