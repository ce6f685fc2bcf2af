"""A table of given columns in a log: what announces it, and events with random rows of it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from random import Random

from images import Lying
from wires import length

from disync.connectors.mysql.binlog import tablemap
from disync.connectors.mysql.binlog.events import Kind
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.types import column_of
from disync.model.data import Table

FORMS = (Kind.WRITE_ROWS_1, Kind.WRITE_ROWS_2, Kind.MARIA_WRITE_COMPRESSED_1, Kind.MARIA_WRITE_COMPRESSED_2)
"""The kinds of inserts; updates and deletes follow each."""


def shape(columns: Sequence[Lying]) -> Shape:
    natives = tuple(column.native for column in columns)
    return Shape("d", "t", Table("t", tuple(column_of(native) for native in natives)), natives)


def announced(columns: Sequence[Lying], number: int) -> bytes:
    """The body of a TABLE_MAP."""
    codes, meta = b"", b""
    for column in columns:
        code, more = _described(column)
        codes += bytes([code])
        meta += more
    count = len(columns)
    names = struct.pack("<Q", number)[:6] + b"\1\0" + b"\1d\0" + b"\1t\0"
    return names + length(count) + codes + length(len(meta)) + meta + bytes((count + 7) // 8)


def _described(column: Lying) -> tuple[int, bytes]:
    stored = column.stored
    if stored.code in (tablemap.ENUM, tablemap.SET):
        return tablemap.STRING, bytes([stored.code, stored.first])
    if stored.code == tablemap.STRING:
        return tablemap.STRING, bytes([tablemap.STRING ^ (stored.wide & 0x300) >> 4, stored.first])
    if stored.code in tablemap._TWO_BYTES:
        return stored.code, bytes([stored.first, stored.second])
    return stored.code, bytes([stored.first]) if stored.code in tablemap._ONE_BYTE else b""


def row(columns: Sequence[Lying], random: Random, present: Sequence[bool]) -> bytes:
    """One row's image: the nulls, then what is there."""
    held = [column for column, there in zip(columns, present, strict=True) if there]
    density = random.choice([0.0, 0.2, 1.0])
    nulls = [random.random() < density for _ in held]
    bits = sum(1 << place for place, null in enumerate(nulls) if null)
    values = [column.image(random) for column, null in zip(held, nulls, strict=True) if not null]
    return bits.to_bytes((len(held) + 7) // 8, "little") + b"".join(values)


def rows_body(columns: Sequence[Lying], number: int, kind: int, random: Random, count: int) -> bytes:
    """The body of an event with `count` rows, or pairs of rows. Virtual columns may be missing from it."""
    form = max(first for first in FORMS if first <= kind)
    images = 2 if kind - form == 1 else 1
    present = [[not column.native.virtual or random.random() < 0.5 for column in columns] for _ in range(images)]
    masks = b"".join(
        sum(1 << place for place, there in enumerate(one) if there).to_bytes((len(columns) + 7) // 8, "little")
        for one in present
    )
    data = b"".join(row(columns, random, one) for _ in range(count) for one in present)
    more = b""
    if form in (Kind.WRITE_ROWS_2, Kind.MARIA_WRITE_COMPRESSED_2):
        extra = random.randbytes(random.choice([0, 0, 5]))
        more = struct.pack("<H", 2 + len(extra)) + extra
    if form >= Kind.MARIA_WRITE_COMPRESSED_1:
        data = squeezed(data)
    return struct.pack("<Q", number)[:6] + b"\1\0" + more + length(len(columns)) + masks + data


def squeezed(data: bytes) -> bytes:
    """As MariaDB compresses it."""
    size = len(data).to_bytes(4, "big").lstrip(b"\0") or b"\0"
    return bytes([0x80 | len(size)]) + size + zlib.compress(data)
