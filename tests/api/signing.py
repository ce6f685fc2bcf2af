"""Signs as the official clients do, with other means than the gateway verifies by."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Mapping
from urllib.parse import quote, urlencode

KEY = "testAccessKeyId"
SECRET = "testAccessKeySecret"
VERSION = "2020-05-18"


def timestamp() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def rpc_query(action: str, params: Mapping[str, str], method: str = "GET", **changes: str) -> str:
    """A signed query string, or form body, of version 1.0. An empty change leaves the parameter out."""
    everything = {
        "Action": action,
        "Version": VERSION,
        "Format": "JSON",
        "Timestamp": timestamp(),
        "SignatureNonce": uuid.uuid4().hex,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "AccessKeyId": KEY,
        **params,
        **changes,
    }
    everything = {name: value for name, value in everything.items() if value or name in params}
    canonical = urlencode(sorted(everything.items()), quote_via=quote, safe="~")
    to_sign = "&".join([method, quote("/", safe=""), quote(canonical, safe="~")])
    digest = hmac.new(f"{SECRET}&".encode(), to_sign.encode(), hashlib.sha1).digest()
    return urlencode({**everything, "Signature": base64.b64encode(digest).decode()})


def acs3_headers(
    action: str, params: Mapping[str, str], body: bytes = b"", method: str = "POST", **changes: str
) -> dict[str, str]:
    """The signed headers; `params` are those of the query."""
    headers = {
        "host": "testserver",
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": timestamp(),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        **({"content-type": "application/x-www-form-urlencoded"} if body else {}),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    names = ";".join(sorted(headers))
    query = urlencode(sorted(params.items()), quote_via=quote, safe="~")
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    canonical = "\n".join([method, "/", query, *lines, "", names, headers["x-acs-content-sha256"]])
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(SECRET.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders={names},Signature={signature}"
    return headers
