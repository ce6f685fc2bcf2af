{{- define "disync.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "disync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "disync.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "disync.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "disync.selector" -}}
app.kubernetes.io/name: {{ include "disync.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "disync.labels" -}}
{{ include "disync.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "disync.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "disync.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "disync.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "disync.rayImage" -}}
{{- printf "%s:%s" .Values.ray.image.repository (default .Chart.AppVersion .Values.ray.image.tag) -}}
{{- end -}}

{{/* A resource group as a part of a name: of what a name cannot hold, and of what is long, a hash stands for it. */}}
{{- define "disync.groupSlug" -}}
{{- $plain := . | lower | replace "_" "-" -}}
{{- if and (regexMatch "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" $plain) (le (len $plain) 30) (eq (. | lower) .) -}}
{{- $plain -}}
{{- else -}}
{{- printf "g%s" (. | sha256sum | trunc 10) -}}
{{- end -}}
{{- end -}}

{{- define "disync.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "disync.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What every process needs: where the store is, and the key that opens the secrets in it. */}}
{{- define "disync.env" -}}
- name: DISYNC_HOME
  value: /var/lib/disync
- name: DISYNC_KEY_FILE
  value: /etc/disync/key
- name: DISYNC_STORE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.store.existingSecret }}
      key: {{ .Values.store.key }}
{{- end -}}

{{- define "disync.mounts" -}}
- {name: home, mountPath: /var/lib/disync}
- {name: tmp, mountPath: /tmp}
- {name: key, mountPath: /etc/disync, readOnly: true}
{{- end -}}

{{- define "disync.volumes" -}}
- name: home
  emptyDir: {sizeLimit: 64Mi}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: key
  secret:
    secretName: {{ .Values.keyFile.existingSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.keyFile.key }}
        path: key
{{- end -}}

{{/* Pods of one kind apart from each other, where there is room. */}}
{{- define "disync.spread" -}}
- maxSkew: 1
  topologyKey: kubernetes.io/hostname
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- . | nindent 6 }}
{{- end -}}

{{- define "disync.probe" -}}
httpGet: {path: {{ .path }}, port: {{ .port }}}
periodSeconds: {{ .every }}
timeoutSeconds: 5
failureThreshold: {{ .failures }}
{{- end -}}
