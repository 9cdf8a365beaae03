{{/* The servers that run inside, for development: one of each, and of each what differs. */}}

{{/* Their names. JSON: parts. */}}
{{- define "tracemypods.insideParts" -}}
{{- $parts := list -}}
{{- range $name := list "redis" "mongo" "kafka" "s3" "qdrant" "smtp" -}}
{{- if (index $.Values.backends $name).inside -}}{{- $parts = append $parts $name -}}{{- end -}}
{{- end -}}
{{- with .Values.backends.telemetry -}}
{{- if and .enabled .inside -}}{{- $parts = concat $parts (list "telemetry" "jaeger") -}}{{- end -}}
{{- end -}}
{{- toJson (dict "parts" $parts) -}}
{{- end -}}

{{/* "yes" for a server that knows users, whose Secret has to be there. Takes root and name. */}}
{{- define "tracemypods.insideHasSecret" -}}
{{- if and (has .name (list "redis" "mongo" "s3" "qdrant")) (dig .name "auth" false .root.Values.backends) -}}yes{{- end -}}
{{- end -}}

{{/* Valkey. What it holds may be lost, so it has no volume. */}}
{{- define "tracemypods.inside.redis" -}}
{{- $users := .Values.backends.redis.auth -}}
image: valkey
ports: { redis: 6379 }
command:
  - valkey-server
  - --port
  - "6379"
  - --dir
  - /tmp
  - --save
  - ""
  - --appendonly
  - "no"
  - --maxmemory
  - {{ .Values.inside.redis.maxMemory | quote }}
  # Counters and tombstones must stay; cache writes stop before memory is full.
  - --maxmemory-policy
  - noeviction
  {{- if $users }}
  - --aclfile
  - /secrets/users.acl
  {{- else }}
  - --protected-mode
  - "no"
  {{- end }}
readiness:
  exec:
    command:
      - sh
      - -c
      - valkey-cli {{ if $users }}--no-auth-warning --user health -a none {{ end }}ping | grep -q PONG
{{- end -}}

{{/* MongoDB, a replica set of one. A Job makes it one. */}}
{{- define "tracemypods.inside.mongo" -}}
{{- $users := .Values.backends.mongo.auth -}}
image: mongo
# The image's own user, whose home and folders are there.
user: 999
ports: { mongo: 27017 }
# The server finds itself under its Service's name before it is ready, or the set could never begin.
early: true
command:
  - bash
  - -c
  {{- if $users }}
  # MongoDB refuses a key that a group can read, as files of a Secret always are here.
  - install -m 400 /secrets/keyfile /tmp/keyfile && exec docker-entrypoint.sh mongod "$@" --keyFile /tmp/keyfile
  {{- else }}
  - exec docker-entrypoint.sh mongod "$@"
  {{- end }}
  - mongod
args:
  - --replSet
  - {{ .Values.backends.mongo.replicaSet | quote }}
  - --bind_ip_all
  - --dbpath
  - /data/db
  - --wiredTigerCacheSizeGB
  - "0.25"
env:
  HOME: /tmp
  {{- if $users }}
  MONGO_INITDB_ROOT_USERNAME_FILE: /secrets/root_username
  MONGO_INITDB_ROOT_PASSWORD_FILE: /secrets/root_password
  {{- end }}
folders: { /data/configdb: 16Mi }
data: /data/db
readiness:
  exec:
    command:
      - sh
      - -c
      - "mongosh --norc --quiet --eval 'quit(db.hello().isWritablePrimary ? 0 : 1)'"
  periodSeconds: 20
  timeoutSeconds: 15
{{- end -}}

{{/* Apache Kafka, broker and controller in one. One KAFKA_ variable drops all defaults of the image, so
     all of them are set. */}}
{{- define "tracemypods.inside.kafka" -}}
image: kafka
# The image's own user, whose folders are there.
user: 1000
ports: { kafka: 9092 }
early: true
env:
  CLUSTER_ID: dHJhY2VteXBvZHMta2Fmaw
  KAFKA_NODE_ID: 1
  KAFKA_PROCESS_ROLES: broker,controller
  KAFKA_LISTENERS: CLIENT://:9092,CONTROLLER://127.0.0.1:9093
  KAFKA_ADVERTISED_LISTENERS: CLIENT://{{ include "tracemypods.at" (dict "root" . "need" "kafka") }}
  KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
  KAFKA_INTER_BROKER_LISTENER_NAME: CLIENT
  KAFKA_CONTROLLER_LISTENER_NAMES: CONTROLLER
  KAFKA_CONTROLLER_QUORUM_VOTERS: 1@127.0.0.1:9093
  KAFKA_LOG_DIRS: /var/lib/kafka/data/logs
  KAFKA_AUTO_CREATE_TOPICS_ENABLE: false
  KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1
  KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1
  KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: 1
  KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: 1
  KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: 1
  KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0
  KAFKA_HEAP_OPTS: -Xms{{ .Values.inside.kafka.heap }} -Xmx{{ .Values.inside.kafka.heap }}
  LOG_DIR: /tmp/logs
folders: { /opt/kafka/config: 16Mi, /mnt/shared/config: 16Mi }
data: /var/lib/kafka/data
{{- end -}}

{{/* SeaweedFS: all its servers in one process. They talk through ports of their own, which no edge of
     the network leads to. It makes the bucket itself. */}}
{{- define "tracemypods.inside.s3" -}}
image: seaweedfs
ports: { s3: 8333 }
command:
  - weed
  - -logtostderr=true
  - mini
  - -dir=/data
  - -ip=127.0.0.1
  - -ip.bind=0.0.0.0
  - -bucket={{ .Values.backends.s3.bucket }}
  {{- if .Values.backends.s3.auth }}
  - -s3.config=/secrets/identities.json
  {{- end }}
  - -s3.port=8333
  - -disableHttp
  - -webdav=false
  - -admin.ui=false
  - -s3.iam=false
  # A wrong name of a bucket is a mistake, not a wish.
  - -s3.autoCreateBucket=false
  - -s3.port.iceberg=0
  - -s3.port.lance=0
  - -master.telemetry=false
  - -volume.max=8
  - -master.volumeSizeLimitMB=512
  - -volume.preStopSeconds=0
  - -s3.cacheCapacityMB=0
env: { HOME: /tmp }
data: /data
readiness:
  httpGet: { path: /healthz, port: s3 }
{{- end -}}

{{/* Qdrant, its variant for an ordinary user. */}}
{{- define "tracemypods.inside.qdrant" -}}
image: qdrant
# The image's own user, who owns the folder that it starts in.
user: 1000
ports: { qdrant: 6333 }
env:
  QDRANT__TELEMETRY_DISABLED: true
  QDRANT__STORAGE__STORAGE_PATH: /data/storage
  QDRANT__STORAGE__SNAPSHOTS_PATH: /data/snapshots
  QDRANT_INIT_FILE_PATH: /tmp/initialized
{{- if .Values.backends.qdrant.auth }}
# It reads its key from the environment or from its configuration, and from no file of its own.
secretEnv: { QDRANT__SERVICE__API_KEY: api_key }
{{- end }}
data: /data
readiness:
  httpGet: { path: /readyz, port: qdrant }
{{- end -}}

{{/* Mailpit takes all mail and shows it at port 8025. */}}
{{- define "tracemypods.inside.smtp" -}}
image: mailpit
ports: { smtp: 1025, http: 8025 }
env:
  MP_SMTP_BIND_ADDR: 0.0.0.0:1025
  MP_UI_BIND_ADDR: 0.0.0.0:8025
  MP_DATABASE: /tmp/mail.db
  MP_MAX_MESSAGES: 1000
  MP_DISABLE_VERSION_CHECK: true
readiness:
  httpGet: { path: /readyz, port: http }
{{- end -}}

{{/* The OpenTelemetry collector, which passes traces on to Jaeger. Its image has no shell. */}}
{{- define "tracemypods.inside.telemetry" -}}
image: collector
ports: { otlp: 4318, health: 13133 }
command: [/otelcol-contrib, --config=/config/collector.yaml]
config: collector.yaml
readiness:
  httpGet: { path: /, port: health }
{{- end -}}

{{/* Jaeger, which keeps traces in memory and shows them at port 16686. */}}
{{- define "tracemypods.inside.jaeger" -}}
image: jaeger
ports: { otlp: 4317, http: 16686, health: 13133 }
args: [--config=/config/jaeger.yaml]
config: jaeger.yaml
readiness:
  httpGet: { path: /status, port: health }
{{- end -}}
