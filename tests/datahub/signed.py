"""Requests that the vendor's client would not send, signed as it would sign them."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate

import httpx

from disync.connectors.datahub.wire.sign import authorization

JSON, PROTOBUF, BATCH = "application/json", "application/x-protobuf", "application/x-binary"
KEY = ("id", "secret")


def send(
    endpoint: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    key: tuple[str, str] = KEY,
) -> httpx.Response:
    """Sign with the key (id, secret) and send, as JSON and now unless the headers say otherwise. A header given here is
    signed too if its kind is."""
    plain, _, query = path.partition("?")
    sent = {
        "Content-Type": JSON,
        "Date": formatdate(usegmt=True),
        "x-datahub-client-version": "1.1",
        **(headers or {}),
    }
    sent["Authorization"] = authorization(*key, method, plain, query, sent)
    encoded = {name: value.encode("latin-1") for name, value in sent.items()}
    # Without certificates, which take longer to load than the request.
    return httpx.request(
        method, endpoint + path, content=body, headers=encoded, timeout=30, trust_env=False, verify=False
    )


def act(endpoint: str, path: str, action: str, content_type: str, body: bytes) -> httpx.Response:
    """Post a body whose action stands in a header, as it does where the body is not JSON."""
    headers = {"Content-Type": content_type, "x-datahub-request-action": action}
    return send(endpoint, "POST", path, body, headers=headers)
