"""How a worker of its own is, for whoever asks over HTTP: /healthz (alive) and /readyz (it reaches the store)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from disync.model.errors import BadConfig


@contextmanager
def telling(host: str, port: int, answers: Mapping[str, Callable[[], bool]]) -> Iterator[int]:
    """Answer while this lasts: 200 where that of the path is true, 503 where it is not, 404 for any other path. Yields
    the port."""

    class Answer(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            asked = answers.get(self.path)
            status = 404 if asked is None else 200 if asked() else 503
            body = {200: b"ok\n", 503: b"not ready\n", 404: b""}[status]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds, and say nothing."""

    try:
        server = ThreadingHTTPServer((host, port), Answer)
    except OSError as error:
        raise BadConfig(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port.") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
