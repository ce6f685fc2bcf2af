"""Events: the header, the checksum, and what each kind says."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum

from disync.connectors.mysql.binlog.cursor import Cursor, unpack
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.position import gone

HEADER = struct.Struct("<IBIIIH")
HEADER_SIZE = 19
CHECKSUM_SIZE = 4
ARTIFICIAL = 0x20
"""A flag: made by the sending server for this connection, not part of the log."""

IGNORABLE = 0x80
"""A flag: whoever does not know the kind may pass over the event."""

MAX_INFLATED = 1 << 30
"""A row is at most 1 GB large, and so is what holds it."""


class Kind(IntEnum):
    QUERY = 2
    STOP = 3
    ROTATE = 4
    LOAD = 6
    EXEC_LOAD = 10
    APPEND_BLOCK = 9
    NEW_LOAD = 12
    FORMAT_DESCRIPTION = 15
    XID = 16
    BEGIN_LOAD_QUERY = 17
    EXECUTE_LOAD_QUERY = 18
    TABLE_MAP = 19
    WRITE_ROWS_0 = 20
    UPDATE_ROWS_0 = 21
    DELETE_ROWS_0 = 22
    WRITE_ROWS_1 = 23
    UPDATE_ROWS_1 = 24
    DELETE_ROWS_1 = 25
    INCIDENT = 26
    HEARTBEAT = 27
    WRITE_ROWS_2 = 30
    UPDATE_ROWS_2 = 31
    DELETE_ROWS_2 = 32
    GTID = 33
    ANONYMOUS_GTID = 34
    PREVIOUS_GTIDS = 35
    XA_PREPARE = 38
    PARTIAL_UPDATE_ROWS = 39
    TRANSACTION_PAYLOAD = 40
    HEARTBEAT_2 = 41
    GTID_TAGGED = 42
    MARIA_GTID = 162
    MARIA_GTID_LIST = 163
    MARIA_START_ENCRYPTION = 164
    MARIA_QUERY_COMPRESSED = 165
    MARIA_WRITE_COMPRESSED_1 = 166
    MARIA_UPDATE_COMPRESSED_1 = 167
    MARIA_DELETE_COMPRESSED_1 = 168
    MARIA_WRITE_COMPRESSED_2 = 169
    MARIA_UPDATE_COMPRESSED_2 = 170
    MARIA_DELETE_COMPRESSED_2 = 171


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `body` is what follows the header, without the checksum. `end`: where the next one begins in the
    file, modulo 2^32; 0 for an event that is not in the file."""

    kind: int
    time: int
    server: int
    end: int
    flags: int
    size: int
    body: bytes

    @property
    def artificial(self) -> bool:
        return bool(self.flags & ARTIFICIAL) or self.end == 0


@dataclass(frozen=True, slots=True)
class Query:
    database: str
    statement: str


@dataclass(frozen=True, slots=True)
class Rotate:
    file: str
    at: int


def header(data: bytes) -> tuple[int, ...]:
    """(time, kind, server, size, end, flags); raises for an event whose size is not its own."""
    found = unpack(HEADER, data, 0)
    if found[3] != len(data):
        raise BrokenLog(f"The binary log has an event of {len(data)} bytes that claims to have {found[3]}.")
    return found


def parse(data: bytes, checksums: bool) -> Event:
    """An event as it was sent. A wrong checksum is BrokenLog."""
    time, kind, server, size, end, flags = header(data)
    stop = len(data)
    if kind == Kind.FORMAT_DESCRIPTION:
        checksums = described(data)
    if (kind == Kind.ROTATE and end == 0) or kind in (Kind.HEARTBEAT, Kind.HEARTBEAT_2):
        # Made by the sender, with or without a checksum according to what it believes of us.
        checksums = has_checksum(data)
    if checksums:
        if stop < HEADER_SIZE + CHECKSUM_SIZE or not has_checksum(data):
            raise BrokenLog(f"An event of kind {kind} that ends at {end} fails its checksum.")
        stop -= CHECKSUM_SIZE
    return Event(kind, time, server, end, flags, size, data[HEADER_SIZE:stop])


def has_checksum(data: bytes) -> bool:
    return zlib.crc32(data[:-CHECKSUM_SIZE]) == int.from_bytes(data[-CHECKSUM_SIZE:], "little")


def described(data: bytes) -> bool:
    """Whether the events behind a FORMAT_DESCRIPTION carry checksums: one byte before its own says so."""
    if len(data) < HEADER_SIZE + 2 + 50 + 5 + CHECKSUM_SIZE + 1:
        raise BrokenLog("The binary log begins with a description that is cut short.")
    algorithm = data[-CHECKSUM_SIZE - 1]
    if algorithm not in (0, 1):
        raise NotServed(
            f"The binary log has checksums of an unknown kind ({algorithm}), or none are declared: servers before "
            "MySQL 5.6 are not served."
        )
    return algorithm == 1


def written(event: Event) -> bytes:
    """The event's bytes, without a checksum."""
    size = HEADER_SIZE + len(event.body)
    return HEADER.pack(event.time, event.kind, event.server, size, event.end, event.flags) + event.body


def rotate(body: bytes) -> Rotate:
    cursor = Cursor(body)
    at = cursor.uint(8)
    return Rotate(cursor.text(cursor.left), at)


def query(event: Event) -> Query:
    cursor = Cursor(event.body)
    cursor.skip(8)
    name_length = cursor.uint(1)
    cursor.skip(2)
    cursor.skip(cursor.uint(2))
    database = cursor.text(name_length)
    cursor.skip(1)
    raw = cursor.take(cursor.left)
    if event.kind == Kind.MARIA_QUERY_COMPRESSED:
        raw = inflate(raw)
    return Query(database, raw.decode(errors="replace"))


def inflate(data: bytes) -> bytes:
    """MariaDB's compressed part of an event: a byte of flags, the length, then zlib's."""
    cursor = Cursor(data)
    flags = cursor.uint(1)
    if flags & 0xF0 != 0x80:
        raise NotServed(f"The binary log has an event compressed in an unknown way ({flags:#x}).")
    length = int.from_bytes(cursor.take(flags & 0x07), "big")
    if length > MAX_INFLATED:
        raise BrokenLog(f"The binary log has an event that claims to have {length} bytes.")
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(cursor.take(cursor.left), length or 1)
    except zlib.error as error:
        raise BrokenLog(f"The binary log has a compressed event that cannot be read: {error}.") from error
    if len(found) != length:
        raise BrokenLog(f"A compressed event has {len(found)} bytes instead of {length}.")
    return found


def incident(body: bytes) -> str:
    """What the server says of a gap in its log."""
    cursor = Cursor(body)
    number = cursor.uint(2)
    said = cursor.take(cursor.uint(1)) if cursor.left else b""
    return f"{number}: {said.decode(errors='replace')}" if said else str(number)


REFUSED: dict[int, str] = {
    Kind.PARTIAL_UPDATE_ROWS: "The log holds partial JSON updates. Run SET GLOBAL binlog_row_value_options = '' and "
    "load the tables again.",
    **dict.fromkeys((Kind.WRITE_ROWS_0, Kind.UPDATE_ROWS_0, Kind.DELETE_ROWS_0), "The log is of MySQL 5.1's beta."),
}
"""Kinds that would lose rows if they were passed over."""

_SILENT = frozenset({1, 5, 7, 8, 11, 13, 14, 28, 29, 35, 36, 37, 160, 161, 163})
"""Kinds that change no rows and say nothing that we need: variables of statements, notes, states of the server."""


def refuse(event: Event) -> None:
    """Raise for a kind that must not be passed over, of those that nobody here can read."""
    if event.kind == Kind.INCIDENT:
        raise gone(f"The server says that its log has a gap here (INCIDENT {incident(event.body)}).")
    if event.kind in REFUSED:
        raise NotServed(REFUSED[event.kind])
    if event.kind not in _KNOWN and not event.flags & IGNORABLE:
        raise NotServed(
            f"The log holds an event of a kind that is not known ({event.kind}), and does not say that it may be "
            "passed over: the server is newer than this program."
        )


_KNOWN = frozenset(Kind) | _SILENT
