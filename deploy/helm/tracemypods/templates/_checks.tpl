{{/* What no schema can say: what is missing, all of it at once, and what contradicts the fleet. */}}

{{- define "tracemypods.problemsOfBackends" -}}
{{- $problems := list -}}
{{- $needed := dict -}}
{{- range $name, $service := include "tracemypods.ours" . | fromJson -}}
{{- range $need := (include "tracemypods.needs" (dict "root" $ "service" $service) | fromJson).needs -}}
{{- $_ := set $needed $need (or (dig $need false $needed) (has $need $service.public)) -}}
{{- end -}}
{{- end -}}
{{- $facts := include "tracemypods.facts" . | fromJson -}}
{{- range $need, $public := $needed -}}
{{- $backend := index $.Values.backends $need -}}
{{- if not $backend.inside -}}
{{- $what := dig "cluster" $need "summary" $need $facts -}}
{{- if not (or $backend.host $public (eq $need "s3")) -}}
{{- $problems = append $problems (printf "backends.%s.host: where it is (%s)" $need $what) -}}
{{- end -}}
{{- if and $.Values.network.enabled (not (or $backend.peers $backend.public $public)) -}}
{{- $problems = append $problems (printf "backends.%s.peers: where the network lets services reach it, or `public: true`" $need) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.backends -}}
{{- if and (hasKey $needed "s3") (not .s3.bucket) -}}
{{- $problems = append $problems "backends.s3.bucket: where invoices are kept" -}}
{{- end -}}
{{- if and (hasKey $needed "s3") (not .s3.region) -}}
{{- $problems = append $problems "backends.s3.region: the bucket's region" -}}
{{- end -}}
{{- if and (hasKey $needed "smtp") (not .smtp.from) -}}
{{- $problems = append $problems "backends.smtp.from: the sender's address" -}}
{{- end -}}
{{- if and (hasKey $needed "razorpay") (not .razorpay.inside) (not .razorpay.keyId) -}}
{{- $problems = append $problems "backends.razorpay.keyId: Razorpay's key id" -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "problems" $problems) -}}
{{- end -}}

{{- define "tracemypods.problemsOfServices" -}}
{{- $problems := list -}}
{{- $facts := include "tracemypods.facts" . | fromJson -}}
{{- $ours := include "tracemypods.ours" . | fromJson -}}
{{- $known := concat (keys $facts.services) (keys $facts.sandboxes) | sortAlpha -}}
{{- range $name, $_ := .Values.services -}}
{{- if not (has $name $known) -}}
{{- $problems = append $problems (printf "services.%s: there is no such service, but %s" $name (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $service := $ours -}}
{{- $scaling := $service.tuned.autoscaling -}}
{{- $place := printf "services.%s.autoscaling" $name -}}
{{- if and $scaling.enabled (not $service.sandbox) -}}
{{- if gt (int $scaling.min) (int $scaling.max) -}}
{{- $problems = append $problems (printf "%s: min is more than max" $place) -}}
{{- end -}}
{{- if and (eq (int $scaling.min) 0) (ne $service.scalesBy "lag") -}}
{{- $problems = append $problems (printf "%s.min: only what scales by lag can be started by what waits for it" $place) -}}
{{- end -}}
{{- if and (ne $service.scalesBy "cpu") (not $.Values.keda.enabled) -}}
{{- $problems = append $problems (printf "%s: scaling by %s takes KEDA: set keda.enabled" $place ($service.scalesBy | replace "_" " ")) -}}
{{- end -}}
{{- if eq $service.scalesBy "in_flight" -}}
{{- if not $.Values.keda.prometheusUrl -}}
{{- $problems = append $problems (printf "keda.prometheusUrl: where KEDA asks how many requests %s has in flight" $name) -}}
{{- end -}}
{{- if not $.Values.monitoring.enabled -}}
{{- $problems = append $problems (printf "monitoring.enabled: without it Prometheus does not know what %s has in flight" $name) -}}
{{- end -}}
{{- end -}}
{{- if eq $service.scalesBy "lag" -}}
{{- if and $.Values.backends.kafka.auth (not $.Values.keda.kafkaAuthentication) -}}
{{- $problems = append $problems "keda.kafkaAuthentication: with what KEDA signs in at Kafka" -}}
{{- end -}}
{{- range $topic := $service.consumes -}}
{{- if gt (int $scaling.max) (int (get $facts.topics $topic).partitions) -}}
{{- $problems = append $problems (printf "%s.max: %s has %d partitions, and further replicas would read nothing" $place $topic (int (get $facts.topics $topic).partitions)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $files := list -}}
{{- range $path, $_ := .Files.Glob "files/config/*.toml" -}}
{{- $files = append $files (base $path) -}}
{{- end -}}
{{- range $name, $_ := .Values.config -}}
{{- if not (has $name $files) -}}
{{- $problems = append $problems (printf "config.%s: there is no such file, but %s" $name (join ", " $files)) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "problems" $problems) -}}
{{- end -}}

{{- define "tracemypods.problemsOfEdge" -}}
{{- $problems := list -}}
{{- $tls := or .Values.certificate.enabled .Values.certificate.secretName -}}
{{- if and .Values.certificate.enabled (not .Values.certificate.issuer) -}}
{{- $problems = append $problems "certificate.issuer: who issues the certificate, as cert-manager calls it" -}}
{{- end -}}
{{- if eq .Values.edge "gateway" -}}
{{- if and (not .Values.gateway.create) (not .Values.gateway.parentRefs) -}}
{{- $problems = append $problems "gateway.parentRefs: the Gateway that routes belong to, where none is made" -}}
{{- end -}}
{{- if and .Values.network.enabled (not .Values.gateway.peers) -}}
{{- $problems = append $problems "gateway.peers: the pods of the gateway" -}}
{{- end -}}
{{- else if .Values.caddy.ingress.enabled -}}
{{- if and .Values.network.enabled (not .Values.caddy.peers) -}}
{{- $problems = append $problems "caddy.peers: the pods of the Ingress controller" -}}
{{- end -}}
{{- if not .Values.caddy.trustedProxies -}}
{{- $problems = append $problems "caddy.trustedProxies: the networks of the Ingress controller, or all clients look alike" -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.secrets.source "external") (not .Values.secrets.external.store) -}}
{{- $problems = append $problems "secrets.external.store: the store that keys come from" -}}
{{- end -}}
{{- if eq .Values.mode "production" -}}
{{- if not .Values.publicUrl -}}
{{- $problems = append $problems "publicUrl: the address that people use" -}}
{{- end -}}
{{- if and (eq .Values.edge "gateway") .Values.gateway.create (not $tls) -}}
{{- $problems = append $problems "certificate.enabled: production has a certificate, of cert-manager's or in certificate.secretName" -}}
{{- end -}}
{{- if not .Values.image.registry -}}
{{- $problems = append $problems "image.registry: where the fleet's own images are" -}}
{{- end -}}
{{- if not .Values.trustedProxies -}}
{{- $problems = append $problems "trustedProxies: the networks of the gateway's pods, or all clients look alike" -}}
{{- end -}}
{{- if not (hasKey .Values.config "seller.toml") -}}
{{- $problems = append $problems "config.\"seller.toml\": who sells here, as config/seller.toml has it" -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "problems" $problems) -}}
{{- end -}}
