"""A TCP proxy that lets a test act between a server's work and the client's knowledge of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PUT = b"x-datahub-request-action: pub"


class Proxy:
    """Forwards to `upstream`. When the server has answered the n-th request that holds PUT, `strike` is called in
    place of forwarding that answer: the server has taken the records, the client does not know it."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._left = 0
        self._strike: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.struck = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def arm(self, puts: int, strike: Callable[[], None]) -> None:
        with self._lock:
            self.struck.clear()
            self._left, self._strike = puts, strike

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._upstream)
            put = threading.Event()
            threading.Thread(target=self._carry_requests, args=(client, server, put), daemon=True).start()
            threading.Thread(target=self._carry_answers, args=(server, client, put), daemon=True).start()

    def _carry_requests(self, client: socket.socket, server: socket.socket, put: threading.Event) -> None:
        for data in _pieces(client):
            if PUT in data.lower():
                put.set()
            with suppress(OSError):
                server.sendall(data)
        _close(server)

    def _carry_answers(self, server: socket.socket, client: socket.socket, put: threading.Event) -> None:
        for data in _pieces(server):
            if put.is_set():
                put.clear()
                strike = self._due()
                if strike is not None:
                    strike()
                    self.struck.set()
                    break
            with suppress(OSError):
                client.sendall(data)
        _close(client)
        _close(server)

    def _due(self) -> Callable[[], None] | None:
        with self._lock:
            if self._strike is None:
                return None
            self._left -= 1
            if self._left > 0:
                return None
            strike, self._strike = self._strike, None
            return strike


def _pieces(sock: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := sock.recv(1 << 16):
            yield data


def _close(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy to `http://HOST:PORT`."""
    host, _, port = upstream.removeprefix("http://").rpartition(":")
    made = Proxy((host, int(port)))
    yield made
    made.close()
