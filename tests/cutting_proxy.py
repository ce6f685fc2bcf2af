"""A TCP proxy that breaks a connection at a chosen byte or a chosen statement, in either direction."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
"""How a client of PostgreSQL asks for a commit."""


class At(StrEnum):
    """SENT: so many bytes from the client have come. ANSWERED: so many bytes from the server have come.
    ASKED: the client has sent its n-th COMMIT, and the server never sees it. KEPT: the server has answered
    the n-th COMMIT, and the client never learns it."""

    SENT = "sent"
    ANSWERED = "answered"
    ASKED = "before commit"
    KEPT = "after commit"


@dataclass(slots=True)
class Cut:
    """`left`: bytes, or commits. `strike` is called first, while nothing is forwarded; then the connection breaks."""

    at: At
    left: int
    strike: Callable[[], None]
    struck: threading.Event = field(default_factory=threading.Event)


class CuttingProxy:
    """Forwards to `upstream` (HOST, PORT). One cut may be armed at a time; counting begins when it is."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._cut: Cut | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def arm(self, cut: Cut | None) -> None:
        with self._lock:
            self._cut = cut

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._upstream)
            except OSError:
                client.close()  # the server is away: its clients see just that
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(client, server)
            threading.Thread(target=self._requests, args=(pair,), name="proxy-requests", daemon=True).start()
            threading.Thread(target=self._answers, args=(pair,), name="proxy-answers", daemon=True).start()

    def _requests(self, pair: _Pair) -> None:
        for data in _pieces(pair.client):
            commits = data.count(COMMIT)
            if self._due(At.SENT, len(data), pair) or (commits and self._due(At.ASKED, commits, pair)):
                return
            if commits:
                pair.committing.set()
            with suppress(OSError):
                pair.server.sendall(data)
        pair.close()

    def _answers(self, pair: _Pair) -> None:
        for data in _pieces(pair.server):
            kept = pair.committing.is_set() and self._due(At.KEPT, 1, pair)
            pair.committing.clear()
            if kept or self._due(At.ANSWERED, len(data), pair):
                return
            with suppress(OSError):
                pair.client.sendall(data)
        pair.close()

    def _due(self, at: At, count: int, pair: _Pair) -> bool:
        """Count; when it is time, strike and break the connection. Whether it was."""
        with self._lock:
            cut = self._cut
            if cut is None or cut.at is not at:
                return False
            cut.left -= count
            if cut.left > 0:
                return False
            self._cut = None
        cut.strike()
        pair.close()
        cut.struck.set()
        return True


@dataclass(slots=True)
class _Pair:
    client: socket.socket
    server: socket.socket
    committing: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _pieces(sock: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := sock.recv(1 << 18):
            yield data


@contextmanager
def cutting_proxy(port: int) -> Iterator[CuttingProxy]:
    """A proxy to a port of this machine."""
    made = CuttingProxy(("127.0.0.1", port))
    yield made
    made.close()
