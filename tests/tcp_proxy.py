"""A TCP proxy between a task and a server: it can lead elsewhere, fall silent, hang up, and change what is said."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol


class Between(Protocol):
    """Sees one connection. `answered` returns what the client is to get in place of what the server sent."""

    def asked(self, data: bytes) -> None: ...

    def answered(self, data: bytes) -> bytes: ...


class Proxy:
    """Forwards to 127.0.0.1:`upstream`, which may be changed: connections made later lead there."""

    def __init__(
        self, upstream: int, between: Callable[[], Between] | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.upstream = upstream
        self._between = between
        self._listener = socket.create_server((host, port))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._speaks = threading.Event()
        self._speaks.set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def lead_to(self, upstream: int) -> None:
        """Hang up all connections; new ones lead to another server."""
        self.upstream = upstream
        self.hang_up()

    def hang_up(self) -> None:
        with self._lock:
            opened = list(self._open)
        for side in opened:
            _close(side)

    def silence(self) -> None:
        """From now on nothing gets through, and every connection stays open."""
        self._speaks.clear()

    def speak(self) -> None:
        self._speaks.set()

    def close(self) -> None:
        self._speaks.set()
        _close(self._listener)
        self.hang_up()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                _close(client)
                continue
            _watch(client)
            with self._lock:
                self._open |= {client, server}
            between = self._between() if self._between else None
            for source, target, change in (
                (client, server, _watched(between)),
                (server, client, between.answered if between else _same),
            ):
                threading.Thread(target=self._carry, args=(source, target, change), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, change: Callable[[bytes], bytes]) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self._speaks.wait()
                target.sendall(change(data))
        for side in (source, target):
            _close(side)
            with self._lock:
                self._open.discard(side)


def _watch(side: socket.socket) -> None:
    """As the server itself does at our sessions' wish: a client behind a cut link is given up, also one that has not
    taken what was sent to it, which is asked for no sign of life."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    side.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 11_000)
    for option, value in ((socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 3)):
        side.setsockopt(socket.IPPROTO_TCP, option, value)


def _same(data: bytes) -> bytes:
    return data


def _watched(between: Between | None) -> Callable[[bytes], bytes]:
    def asked(data: bytes) -> bytes:
        if between:
            between.asked(data)
        return data

    return asked


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()


@contextmanager
def proxy(
    upstream: int, between: Callable[[], Between] | None = None, host: str = "127.0.0.1", port: int = 0
) -> Iterator[Proxy]:
    made = Proxy(upstream, between, host, port)
    yield made
    made.close()
