{{/* The pod of a server that runs inside. Takes root, name, part and tuned (resources). */}}
{{- define "tracemypods.insidePod" -}}
{{- $part := .part -}}
{{- $port := (keys $part.ports | sortAlpha | first) -}}
{{- range $name, $number := $part.ports }}{{ if or (eq $name $.name) (eq $name "otlp") }}{{ $port = $name }}{{ end }}{{ end -}}
{{- $probe := $part.readiness | default (dict "tcpSocket" (dict "port" $port)) -}}
metadata:
  labels:
    {{- include "tracemypods.podLabels" . | nindent 4 }}
  annotations:
    {{- if $part.config }}
    checksum/config: {{ include (printf "tracemypods.inside.configuration.%s" .name) .root | sha256sum }}
    {{- end }}
    checksum/secret: {{ include "tracemypods.insideSecretChecksum" . }}
spec:
  {{- include "tracemypods.podBasics" (dict "root" .root "name" .name "user" $part.user) | nindent 2 }}
  terminationGracePeriodSeconds: 60
  containers:
    - name: {{ .name }}
      image: {{ include "tracemypods.thirdPartyImage" (dict "root" .root "name" $part.image) }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      {{- with $part.command }}
      command:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $part.args }}
      args:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        {{- include "tracemypods.containerSecurity" . | nindent 8 }}
      ports:
        {{- range $name, $number := $part.ports }}
        - name: {{ $name }}
          containerPort: {{ $number }}
        {{- end }}
      {{- if or $part.env $part.secretEnv }}
      env:
        {{- range $variable, $value := $part.env }}
        - name: {{ $variable }}
          value: {{ $value | toString | quote }}
        {{- end }}
        {{- range $variable, $key := $part.secretEnv }}
        - name: {{ $variable }}
          valueFrom:
            secretKeyRef: { name: {{ include "tracemypods.name" $ }}, key: {{ $key }} }
        {{- end }}
      {{- end }}
      resources:
        requests:
          cpu: {{ .tuned.cpu | quote }}
          memory: {{ .tuned.memory }}
          ephemeral-storage: 256Mi
        limits:
          memory: {{ .tuned.memory }}
          ephemeral-storage: 256Mi
      startupProbe:
        tcpSocket: { port: {{ $port }} }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 150
      livenessProbe:
        tcpSocket: { port: {{ $port }} }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        {{- toYaml (merge $probe (dict "periodSeconds" 5 "timeoutSeconds" 5 "failureThreshold" 3)) | nindent 8 }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        {{- if $part.secretFiles }}
        - { name: secrets, mountPath: /secrets, readOnly: true }
        {{- end }}
        {{- if $part.config }}
        - { name: config, mountPath: /config, readOnly: true }
        {{- end }}
        {{- range $at, $path := keys ($part.folders | default dict) | sortAlpha }}
        - { name: folder-{{ $at }}, mountPath: {{ $path }} }
        {{- end }}
        {{- with $part.data }}
        - { name: data, mountPath: {{ . }} }
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 128Mi
    {{- if $part.secretFiles }}
    - name: secrets
      secret:
        secretName: {{ include "tracemypods.name" . }}
        defaultMode: 0440
    {{- end }}
    {{- if $part.config }}
    - name: config
      configMap:
        name: {{ include "tracemypods.name" . }}
    {{- end }}
    {{- range $at, $path := keys ($part.folders | default dict) | sortAlpha }}
    - name: folder-{{ $at }}
      emptyDir:
        sizeLimit: {{ get $part.folders $path }}
    {{- end }}
{{- end -}}

{{/* What of a server's pods has to change when its keys do. Takes root and name. */}}
{{- define "tracemypods.insideSecretChecksum" -}}
{{- $keys := dict -}}
{{- if eq .root.Values.secrets.source "development" -}}
{{- $keys = dig "servers" .name dict (.root.Files.Get "files/dev-keys.json" | fromJson) -}}
{{- end -}}
{{- printf "%s %s" .root.Values.secrets.revision (toJson $keys) | sha256sum -}}
{{- end -}}
