"""uvicorn's HTTP/1.1 protocol, for requests whose query holds a whole job definition.

Two things are wrong for us with the original: the URL parser it calls gives up at 64 KiB, where clients send 600 kB,
and what cannot be parsed is answered in plain text, which the official clients cannot read.
"""

from __future__ import annotations

import os

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from disync.gateway.answer import JSON_TYPE, failed, render
from disync.model.errors import ApiError

MAX_LINE = 4 * 1024 * 1024
"""Longest request target, in bytes."""

MAX_HEADERS = 256 * 1024
"""Most bytes of headers in one request."""

_PARSED = 60_000
"""Up to this length the original parses the target; its parser counts in 16 bits."""


class RequestProtocol(HttpToolsProtocol):
    """Bounded, and its own refusals are in the API's envelope. Callbacks that raise end in `send_400_response`."""

    header_bytes = 0

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.header_bytes = 0

    def on_url(self, url: bytes) -> None:
        if len(self.url) + len(url) > MAX_LINE:
            raise ValueError("request target too long")
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.header_bytes += len(name) + len(value)
        if self.header_bytes > MAX_HEADERS:
            raise ValueError("headers too long")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.url) <= _PARSED:
            super().on_headers_complete()
            return
        self.url, _, query = self.url.partition(b"?")
        super().on_headers_complete()
        # The application has not begun yet: its task runs when this callback has returned.
        self.scope["query_string"] = query

    def send_400_response(self, msg: str) -> None:
        request_id = os.urandom(16).hex()
        body = render(failed(ApiError(400, "InvalidRequest", msg), request_id), xml=False)
        head = b"content-type: %b\r\ncontent-length: %d\r\nx-acs-request-id: %b\r\nconnection: close\r\n\r\n" % (
            JSON_TYPE,
            len(body),
            request_id.encode(),
        )
        self.transport.write(STATUS_LINE[400] + head + body)
        self.transport.close()
