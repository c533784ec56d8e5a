{{- define "pcap-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* 57, as resources put up to six characters behind it. */}}
{{- define "pcap-gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 57 | trimSuffix "-" -}}
{{- else if contains (include "pcap-gateway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 57 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "pcap-gateway.name" .) | trunc 57 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pcap-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pcap-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The test's pod has all labels but the component's, so that no Service takes it for a replica. */}}
{{- define "pcap-gateway.commonLabels" -}}
{{ include "pcap-gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "pcap-gateway.podSelector" -}}
{{ include "pcap-gateway.selectorLabels" . }}
app.kubernetes.io/component: gateway
{{- end -}}

{{- define "pcap-gateway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The restricted profile of the Pod Security Standards. */}}
{{- define "pcap-gateway.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "pcap-gateway.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "pcap-gateway.usesRedis" -}}
{{- if or .Values.redis.url .Values.redis.existingSecret -}}true{{- end -}}
{{- end -}}

{{- define "pcap-gateway.usesProxy" -}}
{{- with .Values.upstream.proxy }}{{- if or .url .existingSecret -}}true{{- end -}}{{- end -}}
{{- end -}}

{{/* A value as it was typed: YAML's numbers are floats, and a million would become 1e+06. */}}
{{- define "pcap-gateway.asTyped" -}}
{{- if kindIs "string" . -}}{{ . }}{{- else -}}{{ toJson . }}{{- end -}}
{{- end -}}

{{/* What the schema cannot say, or not clearly. */}}
{{- define "pcap-gateway.check" -}}
{{- with .Values -}}
{{- if and (not .tls.existingSecret) (not .tls.insecure) -}}
{{- fail "tls.existingSecret: name a TLS Secret, or set tls.insecure=true on a trusted network" -}}
{{- end -}}
{{- if and .tls.existingSecret .tls.insecure -}}
{{- fail "tls.insecure: has no use with tls.existingSecret" -}}
{{- end -}}
{{- if and .tls.clientCaSecret (not .tls.existingSecret) -}}
{{- fail "tls.clientCaSecret: needs tls.existingSecret" -}}
{{- end -}}
{{- if and (eq .credential.mode "service") (not .credential.existingSecret) -}}
{{- fail "credential.existingSecret: name the Secret with Cloudflare's API token, or set credential.mode=caller" -}}
{{- end -}}
{{- if and (eq .credential.mode "caller") .credential.existingSecret -}}
{{- fail "credential.existingSecret: has no use with credential.mode=caller" -}}
{{- end -}}
{{- if and .redis.url .redis.existingSecret -}}
{{- fail "redis: give either url or existingSecret" -}}
{{- end -}}
{{- if and .networkPolicy.enabled (or .redis.url .redis.existingSecret) (not .networkPolicy.redis.to) -}}
{{- fail "networkPolicy.redis.to: say where Redis is, so that it can be reached" -}}
{{- end -}}
{{- if and .upstream.proxy.url .upstream.proxy.existingSecret -}}
{{- fail "upstream.proxy: give either url or existingSecret" -}}
{{- end -}}
{{- if and .upstream.ca.existingConfigMap .upstream.ca.existingSecret -}}
{{- fail "upstream.ca: give either existingConfigMap or existingSecret" -}}
{{- end -}}
{{- if and .networkPolicy.enabled (include "pcap-gateway.usesProxy" $) (not .networkPolicy.proxy.to) -}}
{{- fail "networkPolicy.proxy.to: say where the proxy is, so that it can be reached" -}}
{{- end -}}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas: is more than maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- end -}}
