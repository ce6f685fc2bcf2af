"""The replication connection: asks a server for its log and hands out the events as they come."""

from __future__ import annotations

import random
import select
import ssl
import struct
import time
from contextlib import suppress

from disync.connectors.mysql.binlog import events
from disync.connectors.mysql.binlog.errors import BrokenLog
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.connection import Session
from disync.model.errors import PositionGone, Unreachable

REGISTER, DUMP = 0x15, 0x12

HEARTBEAT_SECONDS = 5
SILENCE_SECONDS = 25.0
"""A server that says nothing for so long, not even a heartbeat, is taken for gone."""

CHUNK = 1 << 18
FIRST = 4
"""Where the first event of a file lies."""

_PREPARE = (
    # The older names are obeyed by all servers; MySQL looks for the newer ones first.
    "SET @master_binlog_checksum = @@global.binlog_checksum, @source_binlog_checksum = @@global.binlog_checksum, "
    "@master_heartbeat_period = {period}, @source_heartbeat_period = {period}, "
    # MariaDB: we know its GTID events.
    "@mariadb_slave_capability = 4"
)


class LogStream:
    """A binary log from `file` at `at` on, for one thread."""

    def __init__(self, session: Session, file: str, at: int) -> None:
        self._session = session
        # Two readers with one number would throw each other out; real replicas have small ones.
        number = random.randrange(1 << 31, 1 << 32)
        session.query(_PREPARE.format(period=HEARTBEAT_SECONDS * 1_000_000_000))
        session.command(REGISTER, struct.pack("<IBBBHII", number, 0, 0, 0, 0, 0, 0))
        session.acknowledged()
        session.command(DUMP, struct.pack("<IHI", at, 0, number) + file.encode())
        self._socket = session.socket
        self._socket.settimeout(SILENCE_SECONDS)
        self._held = bytearray()
        self._at = 0
        self._sequence = 1
        self._heard = time.monotonic()
        self._checksums = False
        self.log = ""
        """When the file being read was begun, and by which server; known once its first event has come."""

    def next(self, seconds: float) -> Event | None:
        """The next event; None when none has come for so long."""
        packet = self._packet(seconds)
        if packet is None:
            return None
        if packet[:1] == b"\xff":
            raise self._session.error_of(int.from_bytes(packet[1:3], "little"), _message(packet))
        if packet[:1] == b"\xfe" and len(packet) < 9:
            raise Unreachable("The server ended the binary log; it is probably shutting down.")
        if packet[:1] != b"\0":
            raise BrokenLog(f"The server sent a packet that is no event: {packet[:8].hex(' ')}.")
        event = events.parse(packet[1:], self._checksums)
        if event.kind == Kind.FORMAT_DESCRIPTION:
            self._checksums = events.described(packet[1:])
            self.log = f"{event.time}.{event.server}"
        return event

    def begin(self) -> str:
        """Read up to the description of the file; its `log`."""
        deadline = time.monotonic() + SILENCE_SECONDS
        while not self.log:
            if self.next(0.5) is None and time.monotonic() > deadline:
                raise Unreachable("The server does not begin to send its binary log.")
        return self.log

    def _packet(self, seconds: float) -> bytes | None:
        """The next packet, joined where it was split."""
        parts: list[bytes] = []
        while True:
            if not self._has(4, seconds if not parts else None):
                return None
            length = int.from_bytes(self._held[self._at : self._at + 3], "little")
            if self._held[self._at + 3] != self._sequence:
                if self._held[self._at + 3] != 0:
                    raise Unreachable("A packet of the binary log was lost.")
                self._sequence = 0  # MariaDB begins anew for its last words when it shuts down
            self._has(4 + length, None)
            start = self._at + 4
            self._at = start + length
            self._sequence = (self._sequence + 1) & 0xFF
            parts.append(bytes(self._held[start : self._at]))
            if length < 0xFFFFFF:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _has(self, count: int, seconds: float | None) -> bool:
        """Whether so many bytes are there, or come in time (None: however long). Long silence is Unreachable."""
        deadline = time.monotonic() + (seconds or 0.0)
        while len(self._held) - self._at < count:
            now = time.monotonic()
            if self._readable(1.0 if seconds is None else max(0.0, deadline - now)):
                self._receive()
            elif now - self._heard > SILENCE_SECONDS:
                raise Unreachable(f"The server has not sent a heartbeat for {SILENCE_SECONDS:.0f} s.")
            elif seconds is not None and time.monotonic() >= deadline:
                return False
        return True

    def _readable(self, seconds: float) -> bool:
        held = self._socket
        if isinstance(held, ssl.SSLSocket) and held.pending():
            return True
        try:
            return bool(select.select([held], [], [], seconds)[0])
        except (OSError, ValueError) as error:
            raise Unreachable(f"The connection to the server broke: {error}.") from error

    def _receive(self) -> None:
        if self._at > CHUNK:
            del self._held[: self._at]
            self._at = 0
        try:
            data = self._socket.recv(CHUNK)
        except (OSError, ValueError) as error:
            raise Unreachable(f"The connection to the server broke: {error}.") from error
        if not data:
            raise Unreachable("The server closed the connection that carries its binary log.")
        self._held += data
        self._heard = time.monotonic()


def verify(stream: LogStream, log: str, file: str) -> None:
    """Raise unless the file is the one that the position was taken in."""
    found = stream.begin()
    if found != log:
        raise PositionGone(
            f"The binary log {file} is not the one that was read before: it was begun anew (RESET, a restore, another "
            "server). Load the tables again, or start at another position."
        )


def _message(packet: bytes) -> str:
    text = packet[3:]
    if text[:1] == b"#":
        text = text[6:]
    with suppress(UnicodeDecodeError):
        return text.decode()
    return text.decode("latin-1")
