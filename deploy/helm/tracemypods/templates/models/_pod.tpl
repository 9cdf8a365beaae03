{{/* The pod of Ollama with one model. Takes root, name (its node's) and server. */}}
{{- define "tracemypods.modelPod" -}}
{{- $server := .server -}}
metadata:
  labels:
    {{- include "tracemypods.podLabels" . | nindent 4 }}
spec:
  {{- include "tracemypods.podBasics" (dict "root" .root "name" .name) | nindent 2 }}
  # Answers that are on their way may end.
  terminationGracePeriodSeconds: 120
  containers:
    - name: ollama
      image: {{ include "tracemypods.thirdPartyImage" (dict "root" .root "name" "ollama") }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [ollama, serve]
      securityContext:
        {{- include "tracemypods.containerSecurity" . | nindent 8 }}
      ports:
        - name: http
          containerPort: 11434
      env:
        - { name: HOME, value: /models }
        - { name: OLLAMA_HOST, value: "0.0.0.0:11434" }
        - { name: OLLAMA_MODELS, value: /models }
        - { name: OLLAMA_CONTEXT_LENGTH, value: {{ $server.context | toString | quote }} }
        - { name: OLLAMA_NUM_PARALLEL, value: {{ $server.parallel | toString | quote }} }
        - { name: OLLAMA_MAX_QUEUE, value: {{ $server.queue | toString | quote }} }
        - { name: OLLAMA_KEEP_ALIVE, value: {{ $server.keepLoaded | quote }} }
      resources:
        requests:
          cpu: {{ $server.cpu | quote }}
          memory: {{ $server.memory }}
          ephemeral-storage: 256Mi
          {{- if $server.gpus }}
          {{ $server.gpuResource }}: {{ $server.gpus | quote }}
          {{- end }}
        limits:
          memory: {{ $server.memory }}
          ephemeral-storage: 256Mi
          {{- if $server.gpus }}
          {{ $server.gpuResource }}: {{ $server.gpus | quote }}
          {{- end }}
      startupProbe:
        tcpSocket: { port: http }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 60
      livenessProbe:
        tcpSocket: { port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # The server answers before it has a model: ready is it once it has this one.
      readinessProbe:
        exec:
          command: [ollama, show, {{ $server.weights | quote }}]
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        - { name: models, mountPath: /models }
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: 128Mi
    - name: models
      persistentVolumeClaim:
        claimName: {{ include "tracemypods.name" . }}
  {{- with $server.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $server.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $server.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The pod that has a server get its model. Takes root, name (the Job's) and server. */}}
{{- define "tracemypods.pullPod" -}}
{{- $at := include "tracemypods.name" (dict "root" .root "name" (printf "%s-pull" .server.node)) -}}
{{- include "tracemypods.podBasics" (dict "root" .root "name" .name) }}
containers:
  - name: pull
    image: {{ include "tracemypods.image" (dict "root" .root "name" "ask") }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: [python, -m, tracemypods.ask.pulling]
    args: [{{ printf "http://%s:11434" $at | quote }}, {{ .server.weights | quote }}]
    securityContext:
      {{- include "tracemypods.containerSecurity" . | nindent 6 }}
    env:
      - { name: PYTHONUNBUFFERED, value: "1" }
    resources:
      {{- include "tracemypods.jobResources" (dict "memory" "96Mi") | nindent 6 }}
    volumeMounts:
      - { name: tmp, mountPath: /tmp }
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 32Mi
{{- end -}}
