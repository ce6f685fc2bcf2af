"""The console's ASGI application: everything under /console. A fault in it ends in a 500 for that request alone.

A request passes, in this order: the name it was sent to and the page it comes from, its route, the size and form of
its body, the session, the proof that a page of ours has sent it; then the route's function, in a thread.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import math
import os
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec

from disync.console.attempts import TooSoon
from disync.console.exchange import Asked, Told, forwarded
from disync.console.files import Files
from disync.console.headers import policy, protected
from disync.console.names import Names, check_origin
from disync.console.routes import COOKIE, ROUTES, Console, Route
from disync.gateway.answer import complete, failed
from disync.gateway.body import Receive, read_body
from disync.gateway.request import JSON, Headers, Request, header, header_map, media_type
from disync.model.errors import ApiError
from disync.store.trouble import fault

_log = logging.getLogger(__name__)

PREFIX = "/console"
_STATIC = "/console/static/"
_READS = ("GET", "HEAD")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Door:
    """`names` are those that the console is served under."""

    def __init__(self, console: Console, names: Names, files: Files | None = None) -> None:
        self._console = console
        self._names = names
        self._files = files or Files()
        # Of its own, so that slow operations of the console's users leave the API's threads alone.
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="console")

    def close(self) -> None:
        """Wait for what runs in threads, then let the threads go."""
        self._threads.shutdown()

    @staticmethod
    def serves(path: str) -> bool:
        return path == PREFIX or path.startswith(f"{PREFIX}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        close = False
        try:
            answer = await self._answer(scope, receive)
        except Exception as error:
            answer, close = _refusal(error), isinstance(error, ApiError) and error.status == 413
        if answer is not None:
            await _send(send, answer, scope["method"] == "HEAD", close)

    async def _answer(self, scope: Scope, receive: Receive) -> Told | None:
        """None where the client went away."""
        method, path = scope["method"], scope["path"]
        headers = header_map(Request(method, path, b"", scope["headers"], b""))
        self._names.check_host(headers)
        run = asyncio.get_running_loop().run_in_executor
        route = ROUTES.get((method, path))
        if route is None:
            return await run(self._threads, self._file, method, path, headers)
        check_origin(headers, method not in _READS)
        body = await read_body(receive, route.most)
        if body is None:
            return None
        return await run(self._threads, self._perform, route, _asked(scope, headers), body)

    def _perform(self, route: Route, asked: Asked, body: bytes) -> Told:
        token = _token(asked.headers)
        asked = replace(asked, session=self._console.sessions.find(token) if token else None)
        if route.session:
            known = asked.signed_in.csrf
            if asked.changes:
                _check_csrf(known, asked.headers)
        return route.answer(self._console, replace(asked, document=_document(asked.headers, body)))

    def _file(self, method: str, path: str, headers: Headers) -> Told:
        taken = sorted(way for way, place in ROUTES if place == path)
        if method not in _READS or taken:
            raise ApiError(405, "UnsupportedHTTPMethod", f"Taken here: {', '.join(taken or _READS)}.")
        if path.startswith(_STATIC):
            return self._static(path.removeprefix(_STATIC), headers)
        if "." in path:
            raise _missing()
        page, nonce = self._files.page()
        typed = (b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")
        return Told(200, page, (*typed, (b"content-security-policy", policy(nonce))))

    def _static(self, name: str, headers: Headers) -> Told:
        """Asked for anew each time, and sent only when it has changed: a new version is seen at once."""
        file = self._files.find(name)
        if file is None:
            raise _missing()
        kept = (
            (b"etag", file.etag.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"accept-encoding"),
        )
        if file.etag in header(headers, b"if-none-match"):
            return Told(304, b"", kept)
        typed = (b"content-type", file.media_type.encode())
        if file.gzipped is not None and "gzip" in header(headers, b"accept-encoding").lower():
            return Told(200, file.gzipped, (typed, *kept, (b"content-encoding", b"gzip")))
        return Told(200, file.plain, (typed, *kept))


def _asked(scope: Scope, headers: Headers) -> Asked:
    client = scope.get("client")
    secure = scope.get("scheme") == "https" or header(headers, b"origin").lower().startswith("https://")
    changes = scope["method"] not in _READS
    return Asked(headers, {}, str(client[0]) if client else "", secure, changes)


def _document(headers: Headers, body: bytes) -> dict[str, Any]:
    """A body is JSON and says so: no form of another site can send that."""
    if not body:
        return {}
    if media_type(headers) != JSON:
        raise ApiError(415, "InvalidParameter", f"Content-Type must be {JSON}.")
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ApiError(400, "InvalidParameter", "The body is not a JSON object.")
    return document


def _check_csrf(known: str, headers: Headers) -> None:
    if not hmac.compare_digest(known.encode(), headers.get(b"x-csrf-token", b"").strip()):
        raise ApiError(403, "Forbidden.CSRF", "X-CSRF-Token is not that of the session: load the page again.")


def _token(headers: Headers) -> str:
    """The session's token; "" where there is none, or more than one: which of them would be the user's?"""
    pairs = (part.strip().partition("=") for part in header(headers, b"cookie").split(";"))
    tokens = {value for name, _, value in pairs if name == COOKIE}
    return tokens.pop() if len(tokens) == 1 else ""


def _missing() -> ApiError:
    return ApiError(404, "NotFound", "The console has no such file.")


def _refusal(error: Exception) -> Told:
    request_id = os.urandom(16).hex()
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, TooSoon):
        seconds = error.seconds
        headers = (b"retry-after", b"%d" % math.ceil(seconds)), (b"x-acs-retry-after", b"%d" % (seconds * 1000))
    if not isinstance(error, ApiError):
        _log.error("the console failed, RequestId %s", request_id, exc_info=error)
        error = fault(error)
    return forwarded(complete(request_id, failed(error, request_id)), *headers)


async def _send(send: Send, answer: Told, only_head: bool, close: bool) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    headers = protected([*answer.headers, length, *([(b"connection", b"close")] if close else [])])
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if only_head else answer.body})
