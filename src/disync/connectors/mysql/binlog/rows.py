"""Row events → rows of values."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from disync.connectors.mysql.binlog.cursor import Cursor
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind, inflate
from disync.connectors.mysql.binlog.fields import Field
from disync.connectors.mysql.values import Unreadable

Row = tuple[Any, ...]

_WRITE, _UPDATE, _DELETE = "I", "BU", "D"

KINDS: dict[int, tuple[str, bool, bool]] = {
    Kind.WRITE_ROWS_1: (_WRITE, False, False),
    Kind.UPDATE_ROWS_1: (_UPDATE, False, False),
    Kind.DELETE_ROWS_1: (_DELETE, False, False),
    Kind.WRITE_ROWS_2: (_WRITE, True, False),
    Kind.UPDATE_ROWS_2: (_UPDATE, True, False),
    Kind.DELETE_ROWS_2: (_DELETE, True, False),
    Kind.MARIA_WRITE_COMPRESSED_1: (_WRITE, False, True),
    Kind.MARIA_UPDATE_COMPRESSED_1: (_UPDATE, False, True),
    Kind.MARIA_DELETE_COMPRESSED_1: (_DELETE, False, True),
    Kind.MARIA_WRITE_COMPRESSED_2: (_WRITE, True, True),
    Kind.MARIA_UPDATE_COMPRESSED_2: (_UPDATE, True, True),
    Kind.MARIA_DELETE_COMPRESSED_2: (_DELETE, True, True),
}
"""Kind → the ops of its rows, whether it is of the second version, whether its rows are compressed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row: its op is I, B, U or D. Values that cannot be had are Unreadable, and then the row is `unreadable`."""

    op: str
    row: Row

    @property
    def unreadable(self) -> bool:
        return any(type(value) is Unreadable for value in self.row)


def changes(event: Event, fields: Sequence[Field], virtual: Sequence[bool]) -> Iterator[Change]:
    """The rows of a row event. `virtual` columns may be missing from it; their values are null."""
    ops, second, compressed = KINDS[event.kind]
    cursor = Cursor(event.body)
    cursor.skip(8)
    if second:
        cursor.skip(cursor.uint(2) - 2)
    width = cursor.length()
    if width != len(fields):
        raise BrokenLog(f"A row of {width} columns comes for a table of {len(fields)}.")
    plans = [_plan(cursor.take((width + 7) // 8), fields, virtual) for _ in ops]
    data = cursor.take(cursor.left)
    return _rows(inflate(data) if compressed else data, ops, plans, width)


def image(data: bytes, present: bytes, fields: Sequence[Field], virtual: Sequence[bool]) -> Row:
    """One row's image, whose columns are those of the mask `present`."""
    return _row(data, 0, _plan(present, fields, virtual), len(fields))[0]


Plan = list[tuple[int, Field]]
"""(place in the row, how to read it) of every column that is in the image"""


def _plan(present: bytes, fields: Sequence[Field], virtual: Sequence[bool]) -> Plan:
    given = int.from_bytes(present, "little")
    plan = [(place, field) for place, field in enumerate(fields) if given >> place & 1]
    if len(plan) < len(fields) and not all(virtual[place] for place in range(len(fields)) if not given >> place & 1):
        raise NotServed(
            "The binary log holds rows that are not whole: binlog_row_image was not FULL when they were written. "
            "Set it to FULL, and load the tables again."
        )
    return plan


def _rows(data: bytes, ops: str, plans: Sequence[Plan], width: int) -> Iterator[Change]:
    at, end, turn = 0, len(data), 0
    while at < end or turn:
        plan = plans[turn]
        try:
            row, at = _row(data, at, plan, width)
        except (IndexError, ValueError, OverflowError, struct.error) as error:
            raise BrokenLog(f"The binary log has a row that cannot be read: {error}.") from error
        if at > end:
            raise BrokenLog(f"The binary log has a row that breaks off {at - end} bytes before its end.")
        yield Change(ops[turn], row)
        turn = (turn + 1) % len(ops)


def _row(data: bytes, at: int, plan: Plan, width: int) -> tuple[Row, int]:
    start = at
    at += (len(plan) + 7) // 8
    nulls = int.from_bytes(data[start:at], "little")
    values: list[Any] = [None] * width
    for bit, (place, read) in enumerate(plan):
        if not nulls >> bit & 1:
            values[place], at = read(data, at)
    return tuple(values), at
