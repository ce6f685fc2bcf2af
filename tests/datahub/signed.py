"""Requests that the vendor's client would not send, signed as it would sign them."""

from __future__ import annotations

from email.utils import formatdate

import httpx

from disync.connectors.datahub.wire.sign import authorization

JSON, PROTOBUF, BATCH = "application/json", "application/x-protobuf", "application/x-binary"


def send(  # noqa: PLR0913
    endpoint: str,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    content_type: str = JSON,
    headers: dict[str, str] | None = None,
    access_id: str = "id",
    secret: str = "secret",
    date: str | None = None,
) -> httpx.Response:
    """Sign and send. A header given here is signed too if its kind is."""
    plain, _, query = path.partition("?")
    sent = {
        "Content-Type": content_type,
        "Date": formatdate(usegmt=True) if date is None else date,
        "x-datahub-client-version": "1.1",
        **(headers or {}),
    }
    sent["Authorization"] = authorization(access_id, secret, method, plain, query, sent)
    encoded = {name: value.encode("latin-1") for name, value in sent.items()}
    # Without certificates, which take longer to load than the request.
    return httpx.request(
        method, endpoint + path, content=body, headers=encoded, timeout=30, trust_env=False, verify=False
    )
