"""An HTTP proxy before a DataHub: it refuses calls, loses answers or answers itself, as networks and services do."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from disync.connectors.datahub.wire import frame


@dataclass(frozen=True)
class Answer:
    """What the proxy answers in the service's place."""

    status: int
    code: str = ""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    content_type: str
    action: str
    body: bytes
    """As it was before compression."""


LOSE = "lose"
"""Pass the call on, and hang up instead of giving the answer."""

Rule = Callable[[Request], Answer | str | None]


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream)
        self.rule: Rule = lambda request: None
        self.seen: list[Request] = []
        self.endpoint = ""


@contextmanager
def proxy_to(upstream: str) -> Iterator[Proxy]:
    """A proxy on a free port; every call is shown to `rule`, which decides (None: pass on)."""
    proxy = Proxy(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            pass

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind, action = self.headers.get("Content-Type", ""), self.headers.get("x-datahub-request-action", "")
            encoding, raw = (
                self.headers.get("Content-Encoding", ""),
                self.headers.get("x-datahub-content-raw-size", "0"),
            )
            plain = frame.decompress(body, encoding, int(raw), 1 << 24)
            request = Request(self.command, self.path, kind, action, plain)
            proxy.seen.append(request)
            ruled = proxy.rule(request)
            if isinstance(ruled, Answer):
                told = json.dumps({"ErrorCode": ruled.code, "ErrorMessage": "the proxy says so"}).encode()
                self._answer(ruled.status, ruled.headers, ruled.body or told)
                return
            there = http.client.HTTPConnection(proxy.upstream.hostname or "", proxy.upstream.port, timeout=10)
            there.request(self.command, self.path, body, dict(self.headers.items()))
            reply = there.getresponse()
            data = reply.read()
            there.close()
            if ruled == LOSE:
                self.close_connection = True
                return
            kept = {k: v for k, v in reply.getheaders() if k.lower() in ("content-encoding", "content-type")}
            kept |= {k: v for k, v in reply.getheaders() if k.lower().startswith("x-datahub-")}
            self._answer(reply.status, kept, data)

        def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
