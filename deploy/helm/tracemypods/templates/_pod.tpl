{{/* What pods have in common, ours and others'. */}}

{{/* Who runs in a pod: nobody in particular. Takes user, where an image wants its own. */}}
{{- define "tracemypods.podSecurity" -}}
{{- $user := .user | default 10001 -}}
runAsNonRoot: true
runAsUser: {{ $user }}
runAsGroup: {{ $user }}
fsGroup: {{ $user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What a container may: nothing but its own work. */}}
{{- define "tracemypods.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What of a pod's specification is the same everywhere. Takes root, name and user. */}}
{{- define "tracemypods.podBasics" -}}
serviceAccountName: {{ include "tracemypods.name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "tracemypods.podSecurity" . | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Replicas apart from each other: on nodes, and in zones. Takes root and name. */}}
{{- define "tracemypods.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "tracemypods.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* How long a pod has from the moment it is told to stop: the wait for proxies, open requests, and ten
     seconds for what a service ends itself. Takes root and service. */}}
{{- define "tracemypods.graceSeconds" -}}
{{- add .root.Values.preStopSeconds .service.drainSeconds 10 -}}
{{- end -}}

{{/* The pod of one of our services. Takes root, name and service. */}}
{{- define "tracemypods.pod" -}}
{{- $tuned := .service.tuned -}}
{{- $config := list -}}
{{- range $file := .service.config -}}
{{- $config = append $config (get (include "tracemypods.config" $.root | fromJson) $file) -}}
{{- end -}}
metadata:
  labels:
    {{- include "tracemypods.podLabels" . | nindent 4 }}
  annotations:
    checksum/config: {{ toJson $config | sha256sum }}
    checksum/secret: {{ include "tracemypods.secretChecksum" . }}
    {{- with $tuned.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- include "tracemypods.podBasics" . | nindent 2 }}
  terminationGracePeriodSeconds: {{ include "tracemypods.graceSeconds" . }}
  containers:
    - name: {{ .name }}
      image: {{ include "tracemypods.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      securityContext:
        {{- include "tracemypods.containerSecurity" . | nindent 8 }}
      ports:
        - name: http
          containerPort: 8000
      env:
        {{- range $variable, $value := include "tracemypods.environment" . | fromJson }}
        - name: {{ $variable }}
          value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
        {{- end }}
      resources:
        {{- $memory := $tuned.memory | default (printf "%vMi" .service.memoryMb) }}
        requests:
          cpu: {{ $tuned.cpu | quote }}
          memory: {{ $memory }}
          ephemeral-storage: {{ $tuned.temporary }}
        limits:
          {{- with $tuned.cpuLimit }}
          cpu: {{ . | quote }}
          {{- end }}
          memory: {{ $memory }}
          ephemeral-storage: {{ $tuned.temporary }}
      startupProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /livez, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .root.Values.preStopSeconds }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- if include "tracemypods.hasSecret" . }}
        - { name: secrets, mountPath: /secrets, readOnly: true }
        {{- end }}
        {{- if .service.config }}
        - { name: config, mountPath: /config, readOnly: true }
        {{- end }}
        {{- if .service.sandbox }}
        - { name: data, mountPath: /data }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $tuned.temporary }}
    {{- if include "tracemypods.hasSecret" . }}
    - name: secrets
      {{- $modelKeys := include "tracemypods.modelKeySources" . }}
      {{- if $modelKeys }}
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ include "tracemypods.secretName" . }}
          {{- $modelKeys | nindent 10 }}
      {{- else }}
      secret:
        secretName: {{ include "tracemypods.secretName" . }}
        defaultMode: 0440
      {{- end }}
    {{- end }}
    {{- if .service.config }}
    - name: config
      configMap:
        name: {{ include "tracemypods.name" (dict "root" .root "name" "config") }}
        items:
          {{- range .service.config }}
          - { key: {{ . }}, path: {{ . }} }
          {{- end }}
    {{- end }}
    {{- if .service.sandbox }}
    - name: data
      emptyDir:
        sizeLimit: {{ $tuned.temporary }}
    {{- end }}
  {{- include "tracemypods.spread" . | nindent 2 }}
  {{- with $tuned.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tuned.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tuned.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $tuned.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}

{{/* A hash over a service's keys, where the chart knows them, and the operator's word of a change. Takes
     root, name and service. */}}
{{- define "tracemypods.secretChecksum" -}}
{{- $keys := "" -}}
{{- if eq .root.Values.secrets.source "development" -}}
{{- $keys = include "tracemypods.developmentKeys" . -}}
{{- end -}}
{{- printf "%s %s" .root.Values.secrets.revision $keys | sha256sum -}}
{{- end -}}

{{/* The fixed keys of a service, as a map. Takes root, name and service. */}}
{{- define "tracemypods.developmentKeys" -}}
{{- $keys := get (.root.Files.Get "files/dev-keys.json" | fromJson).services .name -}}
{{- range $file := (include "tracemypods.secretFiles" . | fromJson).files }}
{{ $file }}: {{ get $keys $file | quote }}
{{- end }}
{{- end -}}
