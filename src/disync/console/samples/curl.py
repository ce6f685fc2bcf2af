"""A shell script that signs with openssl and sends with curl."""

from __future__ import annotations

from disync.console.samples.call import ID, SECRET, VERSION, Call, Value, shell
from disync.gateway.request import encode


def sample(call: Call) -> str:
    query, body = _joined(call.of("query")), _joined(call.of("form"))
    url = f"{call.endpoint}/?{query}" if query else f"{call.endpoint}/"
    form = "content-type:application/x-www-form-urlencoded\n" if body else ""
    names = "content-type;" if body else ""
    sends = ' \\\n  -H "content-type: application/x-www-form-urlencoded" --data-raw "$body"' if body else ""
    return f"""#!/bin/sh
# Needs curl and openssl. The key is read from {ID} and {SECRET}.
set -eu
query={shell(query)}
body={shell(body)}
date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
nonce=$(openssl rand -hex 16)
sha256() {{ openssl dgst -sha256 -r "$@" | cut -d ' ' -f 1; }}
hash=$(printf %s "$body" | sha256)
names='{names}host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version'
canonical="{call.operation.method}
/
$query
{form}host:{call.address}
x-acs-action:{call.action}
x-acs-content-sha256:$hash
x-acs-date:$date
x-acs-signature-nonce:$nonce
x-acs-version:{VERSION}

$names
$hash"
to_sign="ACS3-HMAC-SHA256
$(printf %s "$canonical" | sha256)"
signature=$(printf %s "$to_sign" | sha256 -hmac "${SECRET}")
curl -sS -X {call.operation.method} {shell(url)} \\
  -H 'host: {call.address}' -H 'accept: application/json' \\
  -H 'x-acs-action: {call.action}' -H 'x-acs-version: {VERSION}' \\
  -H "x-acs-date: $date" -H "x-acs-signature-nonce: $nonce" -H "x-acs-content-sha256: $hash" \\
  -H "authorization: ACS3-HMAC-SHA256 Credential=${ID},SignedHeaders=$names,Signature=$signature"{sends}
"""


def _joined(values: list[Value]) -> str:
    """In the order and the encoding in which the query is signed."""
    pairs = sorted((value.name, value.text) for value in values)
    return "&".join(f"{encode(name)}={encode(text)}" for name, text in pairs)
