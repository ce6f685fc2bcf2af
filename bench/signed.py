"""Signed requests as raw HTTP bytes, in the two shapes the vendor's SDKs send; each with a nonce of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3

VERSION = "2020-05-18"
_EMPTY = hashlib.sha256(b"").hexdigest()
Key = tuple[str, str]


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _canonical(params: Mapping[str, str]) -> str:
    return "&".join(f"{_escape(name)}={_escape(params[name])}" for name in sorted(params))


def rpc_query(key: Key, method: str, action: str, params: Mapping[str, str]) -> str:
    """All parameters and their signature, version 1.0 (HMAC-SHA1), as one query string."""
    everything = {
        **params,
        "Action": action,
        "Version": VERSION,
        "Format": "json",
        "AccessKeyId": key[0],
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": secrets.token_hex(16),
        "Timestamp": _now(),
    }
    canonical = _canonical(everything)
    to_sign = f"{method}&%2F&{_escape(canonical)}"
    digest = hmac.digest(f"{key[1]}&".encode(), to_sign.encode(), "sha1")
    return f"{canonical}&Signature={_escape(base64.b64encode(digest).decode())}"


def rpc_request(address: str, key: Key, action: str, params: Mapping[str, str]) -> bytes:
    query = rpc_query(key, "GET", action, params)
    return f"GET /?{query} HTTP/1.1\r\nHost: {address}\r\naccept: application/json\r\n\r\n".encode()


def acs3_request(address: str, key: Key, action: str, params: Mapping[str, str]) -> bytes:
    """As the current SDK sends it: the parameters in the query of a POST with an empty body, ACS3-HMAC-SHA256."""
    headers = {
        "accept": "application/json",
        "host": address,
        "user-agent": "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2",
        "x-acs-action": action,
        "x-acs-content-sha256": _EMPTY,
        "x-acs-credentials-provider": "static_ak",
        "x-acs-date": _now(),
        "x-acs-signature-nonce": secrets.token_hex(16),
        "x-acs-version": VERSION,
    }
    query, names = _canonical(params), ";".join(headers)
    block = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"POST\n/\n{query}\n{block}\n{names}\n{_EMPTY}"
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    signature = hmac.new(key[1].encode(), to_sign.encode(), "sha256").hexdigest()
    authorization = f"ACS3-HMAC-SHA256 Credential={key[0]},SignedHeaders={names},Signature={signature}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /?{query} HTTP/1.1\r\n{lines}Authorization: {authorization}\r\nContent-Length: 0\r\n\r\n".encode()


def call(address: str, key: Key, action: str, **params: Any) -> dict[str, Any]:
    """One call that must succeed, for setting a bench up."""
    form = {name: str(value) for name, value in params.items()}
    answer = urllib3.request(
        "POST",
        f"http://{address}/",
        body=rpc_query(key, "POST", action, form),
        headers={"content-type": "application/x-www-form-urlencoded"},
        timeout=30,
        retries=False,
    )
    body: dict[str, Any] = json.loads(answer.data)
    data = body.get("Data")
    if answer.status != 200 or (isinstance(data, dict) and data.get("Status") == "fail"):
        raise RuntimeError(f"{action} answered {answer.status}: {body}")
    return body
