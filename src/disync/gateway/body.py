"""A request's body, bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from disync.model.errors import ApiError

MAX_BODY = 8 * 1024 * 1024
MAX_DRAIN = 4 * MAX_BODY
"""How much of a body that is too large is still read, so that the client gets to see the answer."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


async def read_body(receive: Receive, most: int = MAX_BODY) -> bytes | None:
    """The whole body; None if the client went away. A body over `most` bytes is an ApiError."""
    event = await receive()
    if event["type"] == "http.request" and not event.get("more_body"):
        body: bytes = event.get("body", b"")
        if len(body) <= most:
            return body
    chunks: list[bytes] = []
    size = 0
    while event["type"] == "http.request":
        size += len(event.get("body", b""))
        if size <= most:
            chunks.append(event.get("body", b""))
        else:
            chunks.clear()
        if size > MAX_DRAIN or not event.get("more_body"):
            break
        event = await receive()
    else:
        return None
    if size > most:
        raise ApiError(413, "InvalidParameter", f"The body is longer than {most} bytes.")
    return b"".join(chunks)
