{{/* Work that sets something up: an ordinary Job that is tried until it succeeds. A Job can't be changed,
     so its name ends in a hash of what it does: what is new runs, and what has run stays as it is. Takes
     root, name and pod (a specification as text); content, that the pod reads from elsewhere. */}}
{{- define "tracemypods.job" -}}
{{- $hash := printf "%s\n%s" .pod (.content | default "") | sha256sum | trunc 8 -}}
{{- $context := dict "root" .root "name" .name "component" "job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "tracemypods.name" $context | trunc 54 | trimSuffix "-" }}-{{ $hash }}
  labels:
    {{- include "tracemypods.labels" $context | nindent 4 }}
spec:
  backoffLimit: {{ .root.Values.setup.backoffLimit }}
  template:
    metadata:
      labels:
        {{- include "tracemypods.podLabels" $context | nindent 8 }}
    spec:
      restartPolicy: OnFailure
      {{- .pod | nindent 6 }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "tracemypods.name" $context }}
  labels:
    {{- include "tracemypods.labels" $context | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}

{{/* Resources of a Job's container. Takes memory. */}}
{{- define "tracemypods.jobResources" -}}
requests:
  cpu: 50m
  memory: {{ .memory }}
  ephemeral-storage: 64Mi
limits:
  memory: {{ .memory }}
  ephemeral-storage: 64Mi
{{- end -}}

{{/* "yes" where the topics of events are made by a Job. */}}
{{- define "tracemypods.makesTopics" -}}
{{- if or .Values.backends.kafka.inside .Values.setup.topics.enabled -}}yes{{- end -}}
{{- end -}}
