"""uvicorn's HTTP/1.1 protocol, for requests whose query holds a whole job definition and for answers without delay.

Two things are wrong for us with the original: the URL parser it calls gives up at 64 KiB, where clients send 600 kB,
and what cannot be parsed is answered in plain text, which the official clients cannot read.

A third costs time. The original starts a task for each request, which reads and sends through ASGI's messages, head and
body apart: together as much CPU as a quick operation itself. So a plain request that has come in one piece is *held*
until it is complete, and offered to the application's `answer_now`, if it has one; what that answers is written at
once. What is not plain, not complete, or not answered goes on to the original, which never learns that it was held.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from disync.gateway.answer import Reply, complete, failed
from disync.gateway.request import Request
from disync.model.errors import ApiError

MAX_LINE = 4 * 1024 * 1024
"""Longest request target, in bytes."""

MAX_HEADERS = 256 * 1024
"""Most bytes of headers in one request."""

INLINE_BYTES = 64 * 1024
"""A request larger than this is always worked on in a thread: its decoding alone would hold up the event loop."""

_PARSED = 60_000
"""Up to this length the original parses the target; its parser counts in 16 bits."""

_PLAIN_TARGET = re.compile(rb"/(?:\?([!-\"$-~]*))?").fullmatch
_PLAIN_METHODS = frozenset((b"GET", b"POST", b"PUT"))

AnswerNow = Callable[[Request], Reply | None]


class RequestProtocol(HttpToolsProtocol):
    """Bounded, and its own refusals are in the API's envelope. Callbacks that raise end in `send_400_response`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What the original does for these settings, and the answer at once does not.
        special = self.config.access_log or self.root_path or self.limit_concurrency is not None
        self._answer_now: AnswerNow = _never if special else getattr(self.app, "answer_now", _never)
        self._may_hold = False
        self._held = False
        self._query = b""
        self._body = b""
        self._header_bytes = 0

    def data_received(self, data: bytes) -> None:
        # One request a read: who sends many at a time must not keep the others waiting.
        self._may_hold = self._answer_now is not _never
        super().data_received(data)
        if self._held and not self.transport.is_closing():
            self._let_go()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._held = False

    def on_url(self, url: bytes) -> None:
        if len(self.url) + len(url) > MAX_LINE:
            raise ValueError("request target too long")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADERS:
            raise ValueError("headers too long")
        # As the original does; calling it for every header costs more than what it does.
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._may_hold and self._is_plain():
            self._held, self._body = True, b""
        else:
            self._start()
        self._may_hold = False

    def on_body(self, body: bytes) -> None:
        if self._held:
            self._body += body
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._held:
            super().on_message_complete()
            return
        method = self.parser.get_method().decode("ascii")
        reply = self._answer_now(Request(method, "/", self._query, self.headers, self._body))
        if reply is None:
            self._let_go()
            super().on_message_complete()
        else:
            self._held = False
            self._write(reply)

    def send_400_response(self, msg: str) -> None:
        request_id = os.urandom(16).hex()
        reply = complete(request_id, failed(ApiError(400, "InvalidRequest", msg), request_id))
        self.transport.write(_head(reply) + b"connection: close\r\n\r\n" + reply.body)
        self.transport.close()

    def _is_plain(self) -> bool:
        """Whether the original would serve this request by a single answer, now, and keep the connection."""
        target = _PLAIN_TARGET(self.url) if len(self.url) <= _PARSED else None
        if target is None or self.expect_100_continue or self.parser.get_method() not in _PLAIN_METHODS:
            return False
        self._query = target[1] or b""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _write(self, reply: Reply) -> None:
        dated = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join((_head(reply), *dated, b"\r\n", reply.body)))
        self.on_response_complete()

    def _let_go(self) -> None:
        """The original goes on, from where the headers were complete."""
        self._held = False
        self._start()
        if self._body:
            super().on_body(self._body)

    def _start(self) -> None:
        if len(self.url) <= _PARSED:
            super().on_headers_complete()
            return
        self.url, _, query = self.url.partition(b"?")
        super().on_headers_complete()
        # The application has not begun yet: its task runs when this callback has returned.
        self.scope["query_string"] = query


def _never(_request: Request) -> None:
    return None


def _head(reply: Reply) -> bytes:
    return b"%bcontent-type: %b\r\ncontent-length: %d\r\nx-acs-request-id: %b\r\n" % (
        STATUS_LINE[reply.status],
        reply.media_type,
        len(reply.body),
        reply.request_id.encode(),
    )
