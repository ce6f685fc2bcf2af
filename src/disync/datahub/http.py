"""The ASGI application: bytes in, bytes out. Signatures, bodies, compression, record calls, and errors as the wire
has them; everything else is looked up in the registry."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.frame import compress, decompress
from disync.datahub import calls as calls  # imported for its registrations
from disync.datahub import registry
from disync.datahub.authentication import SecretOf, authenticate
from disync.datahub.errors import Fault, invalid
from disync.datahub.hub import Hub
from disync.datahub.records import MAX_BODY
from disync.datahub.registry import BATCH, JSON, PROTOBUF, Call

_log = structlog.get_logger(__name__)
_COMPRESS_FROM = 1024
_DISCARD_UP_TO = 64 << 20

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    content_type: str
    body: bytes


def application(hub: Hub, secret_of: SecretOf) -> Callable[[Message, Receive, Send], Awaitable[None]]:
    """The server's ASGI application. It needs no lifespan: the hub is opened and closed by the process."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = secrets.token_hex(16)
        try:
            body = await _receive_body(receive, headers)
            path = scope["raw_path"].decode("latin-1").partition("?")[0]
            query = scope["query_string"].decode("latin-1")
            authenticate(secret_of, hub.clock(), scope["method"], path, query, headers)
            response = await _answer(hub, scope["method"], path, headers, _decompressed(body, headers))
        except Fault as fault:
            response = _refusal(fault)
        except Malformed as error:
            response = _refusal(Fault("MalformedRecord", str(error)))
        except ConnectionError:
            return
        except Exception:
            _log.exception("datahub.internal_error", request_id=request_id, path=scope["path"])
            response = _refusal(Fault("InternalServerError", f"internal error; the log has it under {request_id}"))
        await _send(send, response, headers.get("accept-encoding", ""), request_id)

    return app


async def _answer(hub: Hub, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
    protocol = headers.get("content-type", "").partition(";")[0].strip().lower() or JSON
    if protocol not in (JSON, PROTOBUF, BATCH):
        raise invalid("Content-Type", f"{protocol[:64]!r} is not served")
    if protocol != JSON:
        action = headers.get("x-datahub-request-action", "")
    else:
        action = registry.action_of(body) if method in ("POST", "PUT") else ""
    entry, names = registry.resolve(method, path, action)
    form = registry.parse(body, entry.body) if entry.body else None
    result = entry.function(Call(hub, names, form, body, protocol, headers.get("x-datahub-sub-id", "")))
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, bytes):
        return Response(200, protocol, result)
    return Response(200, JSON, msgspec.json.encode({} if result is None else result))


async def _receive_body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """The body as sent. One that is too large is read and dropped, so that the client gets to see why."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        if not message.get("more_body") or size > _DISCARD_UP_TO:
            break
    if size > MAX_BODY:
        raise invalid("body", f"it is larger than {MAX_BODY} bytes")
    return b"".join(parts)


def _decompressed(body: bytes, headers: Mapping[str, str]) -> bytes:
    encoding = headers.get("content-encoding", "").strip().lower()
    if not encoding:
        return body
    raw_size = headers.get("x-datahub-content-raw-size", "0").strip()
    if not (raw_size.isascii() and raw_size.isdigit() and len(raw_size) < 19):
        raise invalid("x-datahub-content-raw-size", "must be a number of bytes")
    try:
        return decompress(body, encoding, int(raw_size), MAX_BODY)
    except Malformed as error:
        raise invalid("body", str(error)) from error


async def _send(send: Send, response: Response, accepted: str, request_id: str) -> None:
    body = response.body
    headers = [(b"content-type", response.content_type.encode()), (b"x-datahub-request-id", request_id.encode())]
    encoding = next((name for name in ("lz4", "zlib") if name in accepted.lower()), "")
    # BATCH blocks are compressed already.
    if encoding and len(body) >= _COMPRESS_FROM and response.content_type != BATCH:
        packed = compress(body, encoding)
        if len(packed) < len(body):
            headers.append((b"content-encoding", encoding.encode()))
            headers.append((b"x-datahub-content-raw-size", str(len(body)).encode()))
            body = packed
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _refusal(fault: Fault) -> Response:
    body = msgspec.json.encode({"ErrorCode": fault.code, "ErrorMessage": str(fault)})
    return Response(fault.status, JSON, body)
