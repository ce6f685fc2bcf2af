{{/* The head's service, which the operator makes; whoever joins the cluster calls it so. */}}
{{- define "disync.rayHead" -}}
{{- printf "%s-ray-head-svc" (include "disync.fullname" .) -}}
{{- end -}}

{{- define "disync.rayTlsEnv" -}}
- name: RAY_USE_TLS
  value: "1"
- name: RAY_TLS_SERVER_CERT
  value: /etc/ray-tls/own.crt
- name: RAY_TLS_SERVER_KEY
  value: /etc/ray-tls/own.key
- name: RAY_TLS_CA_CERT
  value: /etc/ray-tls/authority.crt
{{- end -}}

{{- define "disync.rayTlsMounts" -}}
- {name: ray-tls, mountPath: /etc/ray-tls, readOnly: true}
{{- end -}}

{{/* What is made in a pod stays in its memory; the authority's private key is for the container that signs. */}}
{{- define "disync.rayTlsVolumes" -}}
- name: ray-tls
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: ray-authority
  secret:
    secretName: {{ required "ray.tls.enabled needs ray.tls.authoritySecret, the secret with the authority that signs" .Values.ray.tls.authoritySecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.ray.tls.certificateKey }}
        path: authority.crt
      - key: {{ .Values.ray.tls.privateKeyKey }}
        path: authority.key
{{- end -}}

{{/*
The container that makes this pod's key and certificate before all others start. "names": what else than its addresses
this pod is called by, which is the head's alone.

Ray's gRPC compares whom it calls with the names in the certificate, and calls nodes by address, the head by its
service's name. Nothing renews a certificate inside a pod, so it is valid for longer than any pod lives; it counts no
longer than the authority that has signed it.
*/}}
{{- define "disync.rayCertificate" -}}
name: certificate
image: {{ include "disync.rayImage" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [/bin/sh, -euc]
args:
  - |
    umask 077
    known="DNS:localhost,DNS:$(uname -n),IP:127.0.0.1,IP:::1"
    for name in $NAMES; do known="$known,DNS:$name"; done
    # The operator tells the name by which it sends nodes to the head, with the domain of this Kubernetes.
    [ -z "$NAMES" ] || [ -z "${FQ_RAY_IP:-}" ] || known="$known,DNS:$FQ_RAY_IP"
    IFS=,
    for address in $ADDRESSES; do known="$known,IP:$address"; done
    cat "$AUTHORITY/authority.crt" >"$OWN/authority.crt"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ray -days 3650 \
        -CA "$AUTHORITY/authority.crt" -CAkey "$AUTHORITY/authority.key" \
        -keyout "$OWN/own.key" -out "$OWN/own.crt" -config /dev/stdin <<END
    [req]
    distinguished_name = subject
    x509_extensions = node
    [subject]
    [node]
    basicConstraints = critical, CA:FALSE
    keyUsage = critical, digitalSignature
    extendedKeyUsage = serverAuth, clientAuth
    subjectKeyIdentifier = hash
    authorityKeyIdentifier = keyid
    subjectAltName = $known
    END
    openssl verify -CAfile "$OWN/authority.crt" "$OWN/own.crt"
env:
  - name: AUTHORITY
    value: /etc/ray-authority
  - name: OWN
    value: /etc/ray-tls
  - name: NAMES
    value: {{ .names | quote }}
  - name: ADDRESSES
    valueFrom:
      fieldRef: {fieldPath: status.podIPs}
securityContext:
  {{- include "disync.containerSecurity" .root | nindent 2 }}
resources:
  requests: {cpu: 10m, memory: 16Mi}
  limits: {cpu: 500m, memory: 32Mi}
volumeMounts:
  - {name: ray-authority, mountPath: /etc/ray-authority, readOnly: true}
  - {name: ray-tls, mountPath: /etc/ray-tls}
{{- end -}}
