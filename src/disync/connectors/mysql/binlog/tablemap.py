"""TABLE_MAP: which table the rows that follow belong to, and how its columns lie in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from disync.connectors.mysql.binlog.cursor import Cursor
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed

TINY, SHORT, LONG, FLOAT, DOUBLE, TIMESTAMP, LONGLONG, INT24 = 1, 2, 3, 4, 5, 7, 8, 9
DATE, TIME, DATETIME, YEAR, NEWDATE, VARCHAR, BIT = 10, 11, 12, 13, 14, 15, 16
TIMESTAMP2, DATETIME2, TIME2 = 17, 18, 19
BLOB_COMPRESSED, VARCHAR_COMPRESSED = 140, 141
VECTOR, JSON, NEWDECIMAL, ENUM, SET, BLOB, VAR_STRING, STRING, GEOMETRY = 242, 245, 246, 247, 248, 252, 253, 254, 255

_NO_META = frozenset({TINY, SHORT, LONG, TIMESTAMP, LONGLONG, INT24, DATE, TIME, DATETIME, YEAR, NEWDATE})
_ONE_BYTE = frozenset({FLOAT, DOUBLE, TIMESTAMP2, DATETIME2, TIME2, JSON, BLOB, GEOMETRY, VECTOR, BLOB_COMPRESSED})
_TWO_BYTES = frozenset({VARCHAR, BIT, NEWDECIMAL, ENUM, SET, STRING, VAR_STRING, VARCHAR_COMPRESSED})

_UNSIGNED, _DEFAULT, _LISTED, _NAMES, _SET_LABELS, _ENUM_LABELS, _KEY, _PREFIXES = 1, 2, 3, 4, 5, 6, 8, 9
_LABELS_DEFAULT, _LABELS_LISTED = 10, 11
"""Optional fields. With binlog_row_metadata = MINIMAL: which numbers are unsigned, and the collations of texts. With
FULL also the columns' names, the members of each SET and of each ENUM and their collations, and the primary key."""

Labels = tuple[bytes, ...]

MAX_COLUMNS = 4096


@dataclass(frozen=True, slots=True)
class Stored:
    """How a column lies in a row: MySQL's type code, and two bytes that say more, in the order they are written."""

    code: int
    first: int = 0
    second: int = 0

    @property
    def wide(self) -> int:
        """Both bytes as one number, where they are one."""
        return self.first | self.second << 8


@dataclass(frozen=True, slots=True)
class Collations:
    """Numbers of collations, of the columns of some types: `most` is that of all whose place among them has no other in
    `others`."""

    most: int | None = None
    others: Mapping[int, int] = field(default_factory=dict)

    def of(self, place: int) -> int | None:
        return self.others.get(place, self.most)


@dataclass(frozen=True, slots=True)
class TableMap:
    """`names` is None unless the server writes full metadata; then `enums` and `sets` have the members of each column
    of these types, in the columns' order and their character sets, and `key` the places of the primary key's columns.

    `unsigned`: one for each numeric column in order, as far as the log tells. `texts`: of columns of text and bytes;
    `labels`: of ENUMs and SETs.
    """

    id: int
    database: str
    name: str
    columns: tuple[Stored, ...]
    names: tuple[str, ...] | None
    enums: tuple[Labels, ...] = ()
    sets: tuple[Labels, ...] = ()
    nullable: tuple[bool, ...] = ()
    unsigned: tuple[bool, ...] = ()
    texts: Collations = Collations()
    labels: Collations = Collations()
    key: tuple[int, ...] = ()


def table_id(body: bytes) -> int:
    return Cursor(body).uint(6)


def parse(body: bytes) -> TableMap:
    cursor = Cursor(body)
    number = cursor.uint(6)
    cursor.skip(2)
    database = cursor.text(cursor.uint(1))
    cursor.skip(1)
    name = cursor.text(cursor.uint(1))
    cursor.skip(1)
    count = cursor.length()
    if not 0 < count <= MAX_COLUMNS:
        raise BrokenLog(f"Table {database}.{name} has {count} columns in the binary log.")
    codes = cursor.take(count)
    meta = Cursor(cursor.take(cursor.length()))
    columns = tuple(_stored(code, meta) for code in codes)
    if meta.left:
        raise BrokenLog(f"Table {database}.{name} has metadata that does not fit its columns.")
    nullable = int.from_bytes(cursor.take((count + 7) // 8), "little")
    more = _more(cursor)
    names = _names(more[_NAMES], count) if _NAMES in more else None
    enums, sets = (_labels(more[one]) if one in more else () for one in (_ENUM_LABELS, _SET_LABELS))
    return TableMap(
        number,
        database,
        name,
        columns,
        names,
        enums,
        sets,
        tuple(bool(nullable >> place & 1) for place in range(count)),
        tuple(bool(byte >> 7 - bit & 1) for byte in more.get(_UNSIGNED, b"") for bit in range(8)),
        _collations(more, _DEFAULT, _LISTED),
        _collations(more, _LABELS_DEFAULT, _LABELS_LISTED),
        _key(more, count),
    )


def _stored(code: int, meta: Cursor) -> Stored:
    if code in _NO_META:
        return Stored(code)
    if code in _ONE_BYTE:
        return Stored(code, meta.uint(1))
    if code not in _TWO_BYTES:
        raise NotServed(f"The binary log has a column of a type that is not known ({code}).")
    first, second = meta.uint(1), meta.uint(1)
    if code != STRING:
        return Stored(code, first, second)
    # The first byte is the real type; of a CHAR longer than 255 bytes two of its bits belong to the length.
    if first & 0x30 != 0x30:
        length = second | ((first & 0x30) ^ 0x30) << 4
        return Stored(first | 0x30, length & 0xFF, length >> 8)
    return Stored(first, second)


def _more(cursor: Cursor) -> dict[int, bytes]:
    """The optional fields."""
    found: dict[int, bytes] = {}
    while cursor.left:
        number = cursor.uint(1)
        found[number] = cursor.take(cursor.length())
    return found


def _names(data: bytes, count: int) -> tuple[str, ...]:
    part = Cursor(data)
    names = tuple(part.text(part.length()) for _ in range(count))
    if part.left:
        raise BrokenLog("The binary log names more columns than there are.")
    return names


def _collations(more: Mapping[int, bytes], default: int, listed: int) -> Collations:
    if listed in more:
        return Collations(None, dict(enumerate(_numbers(more[listed]))))
    if default not in more:
        return Collations()
    most, *others = _numbers(more[default]) or [0]
    return Collations(most, dict(zip(others[::2], others[1::2], strict=False)))


def _key(more: Mapping[int, bytes], count: int) -> tuple[int, ...]:
    key = _numbers(more[_KEY]) if _KEY in more else _numbers(more.get(_PREFIXES, b""))[::2]
    if any(place >= count for place in key):
        raise BrokenLog("The binary log has a key of more columns than there are.")
    return tuple(key)


def _numbers(data: bytes) -> list[int]:
    part = Cursor(data)
    found = []
    while part.left:
        found.append(part.length())
    return found


def _labels(data: bytes) -> tuple[Labels, ...]:
    part = Cursor(data)
    found: list[Labels] = []
    while part.left:
        found.append(tuple(part.take(part.length()) for _ in range(part.length())))
    return tuple(found)
