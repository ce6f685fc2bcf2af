"""A session's socket read directly: packets as they come, for what the driver would make into objects."""

from __future__ import annotations

import select
import ssl
import time

from disync.connectors.mysql.connection import Session
from disync.model.errors import Unreachable
from disync.native.packets import Broken, Packets


class Wire:
    """Receives what a server answers to the command just sent. `silence`: seconds without a byte after which the server
    is taken for gone; None: only the system's own keep-alive tells."""

    def __init__(self, session: Session, silence: float | None = None) -> None:
        self.packets = Packets(1)
        self._socket = session.socket
        self._silence = silence
        self._socket.settimeout(silence)
        self._heard = time.monotonic()

    def more(self, seconds: float | None) -> bool:
        """Wait so long for more bytes and take them (None: however long). Long silence is Unreachable."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            wait = 1.0 if deadline is None else max(0.0, deadline - time.monotonic())
            if self._readable(wait):
                self._receive()
                return True
            now = time.monotonic()
            if self._silence is not None and now - self._heard > self._silence:
                raise Unreachable(f"The server has sent nothing, not even a heartbeat, for {self._silence:.0f} s.")
            if deadline is not None and now >= deadline:
                return False

    def packet(self) -> bytes:
        """The next packet, waited for."""
        try:
            while (found := self.packets.packet()) is None:
                self.more(None)
        except Broken as error:
            raise Unreachable(f"The server's answer cannot be read: {error}.") from error
        return found

    def _readable(self, seconds: float) -> bool:
        held = self._socket
        if isinstance(held, ssl.SSLSocket) and held.pending():
            return True
        try:
            return bool(select.select([held], [], [], seconds)[0])
        except (OSError, ValueError) as error:
            raise Unreachable(f"The connection to the server broke: {error}.") from error

    def _receive(self) -> None:
        try:
            count = self.packets.receive(self._socket.recv_into)
        except OSError as error:
            raise Unreachable(f"The connection to the server broke: {error}.") from error
        if not count:
            raise Unreachable("The server closed the connection while an answer was due.")
        self._heard = time.monotonic()
