"""The replication connection: asks a server for its log and hands out the events as they come."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from disync.connectors.mysql import dialect, position
from disync.connectors.mysql.binlog import events, payload
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.gtid import Gtids
from disync.connectors.mysql.wire import Wire
from disync.model.errors import Unreachable
from disync.native.changelog import LogRows
from disync.native.columns import Unserved
from disync.native.packets import Broken

REGISTER = 0x15

HEARTBEAT_SECONDS = 5
SILENCE_SECONDS = 25.0
"""A server that says nothing for so long, not even a heartbeat, is taken for gone."""

MOST_ROWS = 50_000
MOST_BYTES = 8 << 20
"""Bytes of rows that are held before they are handed on."""

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
    """A binary log for one thread: from `file` at `at` on, or all transactions of it that are not among `gtids`.

    Rows of tables that were announced to `rows` are read and held there; at most about `most_rows` of them.
    """

    def __init__(
        self, session: Session, file: str, at: int, most_rows: int = MOST_ROWS, gtids: Gtids | None = None
    ) -> None:
        self._session = session
        # Two readers with one number would throw each other out; real replicas have small ones.
        number = random.randrange(1 << 31, 1 << 32)
        session.query(_PREPARE.format(period=HEARTBEAT_SECONDS * 1_000_000_000))
        session.command(REGISTER, struct.pack("<IBBBHII", number, 0, 0, 0, 0, 0, 0))
        session.acknowledged()
        if gtids is None:
            session.command(*dialect.dump(number, file, at))
        else:
            session.command(*dialect.dump_without(session, number, gtids))
        self._wire = Wire(session, SILENCE_SECONDS)
        self.rows = LogRows(self._wire.packets, events.inflate, most_rows, MOST_BYTES)
        self.rows.offset = at
        self._within: Iterator[bytes] = iter(())
        self.log = ""
        """When the file being read was begun, and by which server; known once its first event has come."""

    def next(self, seconds: float) -> Event | None:
        """The next event that is not in `rows`; None when none has come for so long, or when `rows` holds enough.

        Behind a compressed transaction come its own events.
        """
        with broken():
            while not self.rows.enough and (inner := next(self._within, None)) is not None:
                if not self.rows.read(inner):
                    return payload.inner(inner)
        packet = self.packet(seconds)
        return None if packet is None else self._event(packet)

    def glance(self, seconds: float, kinds: frozenset[int]) -> Event | None:
        """As `next`, but of events of other kinds no more than the header is read: they have no body, are not checked
        and not refused. Compressed transactions are not opened."""
        packet = self.packet(seconds)
        if packet is None or packet[:1] != b"\0" or len(packet) <= events.HEADER_SIZE:
            return None if packet is None else self._event(packet)
        time_, kind, server, size, end, flags = events.HEADER.unpack_from(packet, 1)
        if kind in kinds or kind in (Kind.ROTATE, Kind.FORMAT_DESCRIPTION):
            return self._event(packet)
        return Event(kind, time_, server, end, flags, size, b"")

    def packet(self, seconds: float) -> bytes | None:
        with broken():
            while (found := self.rows.next()) is None:
                if self.rows.enough or not self._wire.more(seconds):
                    return None
        return found

    def insert(self, inner: Iterator[bytes]) -> None:
        """The next events are these. They have no checksums, and do not move the place in the file."""
        self._within = inner

    def begin(self) -> str:
        """Read up to the description of the file; its `log`."""
        deadline = time.monotonic() + SILENCE_SECONDS
        while not self.log:
            if self.next(0.5) is None and time.monotonic() > deadline:
                raise Unreachable("The server does not begin to send its binary log.")
        return self.log

    def _event(self, packet: bytes) -> Event:
        if packet[:1] == b"\xff":
            raise self._session.error_in(packet)
        if packet[:1] == b"\xfe" and len(packet) < 9:
            raise Unreachable("The server ended the binary log; it is probably shutting down.")
        if packet[:1] != b"\0":
            raise BrokenLog(f"The server sent a packet that is no event: {packet[:8].hex(' ')}.")
        event = events.parse(packet[1:], self.rows.checksums)
        if event.kind == Kind.FORMAT_DESCRIPTION:
            self.rows.checksums = events.described(packet[1:])
            self.log = f"{event.time}.{event.server}"
        elif event.kind == Kind.TRANSACTION_PAYLOAD:
            self._within = payload.unfolded(event.body)
        events.refuse(event)
        return event


@contextmanager
def broken() -> Iterator[None]:
    """What the compiled loops say becomes errors of ours."""
    try:
        yield
    except Unserved as error:
        raise NotServed(str(error)) from error
    except Broken as error:
        raise BrokenLog(f"The binary log cannot be read: {error}.") from error


def verify(stream: LogStream, log: str, file: str) -> None:
    """Raise unless the file is the one that the position was taken in."""
    found = stream.begin()
    if found != log:
        raise position.gone(
            f"The binary log {file} is not the one that was read before: it was begun anew (RESET, a restore, another "
            "server)."
        )
