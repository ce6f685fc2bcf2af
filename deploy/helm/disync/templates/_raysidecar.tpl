{{/*
The node of the cluster through which the server joins it, a container beside the server's: Ray is joined through a node on
the same machine. It offers nothing, so nothing runs on it: it has neither the store's URL nor the key. When it ends, as
every node does that has been without its head for too long, Kubernetes starts it anew, and the server's keeper joins anew.
No probe: one would take the server out of service for what it can do without for a while.
*/}}
{{- define "disync.raySidecar" -}}
name: ray
image: {{ include "disync.rayImage" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- $head := printf "%s:6379" (include "disync.rayHead" .) }}
command: [/bin/sh, -ec]
# A head is waited for in here: a container that ends again and again is started ever later.
args:
  - |
    until ray health-check --address={{ $head }}; do sleep 2; done
    exec ray start --address={{ $head }} --num-cpus=0 --object-store-memory=80000000 --disable-usage-stats --block
env:
  {{- include "disync.rayEnv" . | nindent 2 }}
lifecycle:
  preStop:
    # The server stops the workers through it, so it goes last. The brackets: not to be found by itself.
    exec: {command: [/bin/sh, -c, "while grep -qszx 's[e]rve' /proc/[0-9]*/cmdline; do sleep 0.2; done"]}
securityContext:
  {{- include "disync.containerSecurity" . | nindent 2 }}
resources:
  {{- toYaml .Values.ray.sidecar.resources | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: shm, mountPath: /dev/shm}
  {{- if .Values.ray.tls.enabled }}
  {{- include "disync.rayTlsMounts" . | nindent 2 }}
  {{- end }}
{{- end -}}
