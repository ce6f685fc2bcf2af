"""The pages of one key range, each a short statement of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from disync.connectors.mysql import chunks, encoded, packed, sql
from disync.connectors.mysql.connection import Row, Session
from disync.connectors.mysql.refusals import of_result
from disync.connectors.mysql.result import Result
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.types import Native
from disync.connectors.mysql.values import Unreadable, from_text
from disync.model.data import Batch, Dirty, Encoded, Event, Position, Unread, record_batch
from disync.model.errors import BadConfig
from disync.native import pgcopy

PAGE_ROWS = 200_000
BATCH_BYTES = 4 * 1024 * 1024

BEGINNING = Position("")

Key = tuple[bytes, ...]


class Pages:
    """`last`: the key of the last row read; `short`: there was less than a page left. `as_bytes`: rows stay in the
    format `pgcopy`, else they become Arrow."""

    def __init__(self, session: Session, shape: Shape, range_: chunks.Range, as_bytes: bool) -> None:
        self._session = session
        self._shape = shape
        self._range = chunks.conditions(shape, range_) if shape.keys else []
        self._endless = range_.high is None
        self._columns = [(sql.packed if as_bytes else sql.expression)(native) for native in shape.natives]
        self._key = self._places(shape, sql.packed_key if as_bytes else sql.key_expression)
        self._read = self._encoded if as_bytes else self._arrow
        self.last: Key | None = None
        self.short = False

    def rows_after(self, last: Key | None, limit: int) -> Iterator[Event]:
        shape = self._shape
        conditions = [*self._range, *([sql.beyond(shape.keys, last)] if last else [])]
        source = sql.table(*shape.place)
        statement = sql.page(source, self._columns, shape.hint, shape.keys, conditions, PAGE_ROWS)
        self.last = last
        count = 0
        for rows, read, key, unread in self._read(statement, limit):
            count += read + len(unread)
            before, self.last = _place(self.last), key or self.last
            yield from self._events(rows, unread, before, _place(self.last))
        self.short = count < PAGE_ROWS
        if self._endless and not self.short:
            self._end()

    def _end(self) -> None:
        """Where a range has no end, the greatest key of this moment is one: rows that are put behind it all the time
        would keep the load from ending, and are in the log anyway."""
        shape = self._shape
        greatest = self._session.query(sql.last(sql.table(*shape.place), shape.index, shape.keys))
        self._range += [sql.before(shape.keys, [_present(value) for value in row], inclusive=True) for row in greatest]
        self._endless = False

    def rows_without_key(self, limit: int) -> Iterator[Event]:
        """One statement, one moment; there is no place inside from which to go on."""
        statement = sql.whole(sql.table(*self._shape.place), self._columns)
        for rows, _, _, unread in self._read(statement, limit):
            yield from self._events(rows, unread, BEGINNING, BEGINNING)

    def _events(self, rows: Any, unread: Sequence[Dirty], before: Position, after: Position) -> Iterator[Event]:
        """Only the last of them is at `after`: whoever resumes there has had them all."""
        if unread:
            yield Unread(tuple(unread), after if rows is None else before)
        if rows is not None:
            yield Batch(self._shape.table, rows, None, after)

    # Two ways of reading a statement: (rows or None, how many, the last one's key, those that cannot be read).

    def _encoded(self, statement: str, limit: int) -> Iterator[tuple[Any, int, Key | None, list[Dirty]]]:
        shape = self._shape
        result = Result(self._session, statement, encoded.of_result(shape.natives), self._key)
        for data, count in result.read(limit, BATCH_BYTES):
            refused = [self._refused(cells) for cells, *_ in result.rows.refused]
            result.rows.refused.clear()
            key = self._key_of(result.rows.last) if result.rows.last else None
            yield Encoded(pgcopy.FORMAT, (data,), count) if count else None, count, key, refused

    def _refused(self, cells: Sequence[bytes | None]) -> Dirty:
        shape = self._shape
        pairs = zip(shape.natives, cells, strict=False)
        texts = [None if cell is None else packed.text(native, cell) for native, cell in pairs]
        return of_result(shape.table, shape.natives, texts, BEGINNING)

    def _key_of(self, cells: Sequence[bytes | None]) -> Key:
        return tuple(packed.key(n, _present(cell)) for n, cell in zip(self._shape.keys, cells, strict=True))

    def _arrow(self, statement: str, limit: int) -> Iterator[tuple[Any, int, Key | None, list[Dirty]]]:
        table = self._shape.table
        read = [from_text(native) for native in self._shape.natives]
        for rows in _bounded(self._session.stream(statement), limit):
            values = zip(*(row[: len(read)] for row in rows), strict=True)
            columns = [_column(one, column) for one, column in zip(read, values, strict=True)]
            lines = list(zip(*columns, strict=True))
            bad = {place for place, line in enumerate(lines) if any(type(value) is Unreadable for value in line)}
            good = [line for place, line in enumerate(lines) if place not in bad]
            refused = [of_result(table, self._shape.natives, rows[place], BEGINNING) for place in sorted(bad)]
            key = tuple(_present(rows[-1][place]) for place in self._key)
            yield record_batch(table, good) if good else None, len(good), key, refused

    def _places(self, shape: Shape, expression: Callable[[Native], str]) -> list[int]:
        """Where each key column's value is found in a row; an ENUM's number is asked for besides its label."""
        places = []
        for native in shape.keys:
            if native.type in ("enum", "set"):
                self._columns.append(expression(native))
                places.append(len(self._columns) - 1)
            else:
                places.append(shape.natives.index(native))
        return places


def position_of(key: Sequence[bytes]) -> Position:
    return Position(msgspec.json.encode(chunks.hexes(key)).decode())


def _place(key: Key | None) -> Position:
    return position_of(key) if key else BEGINNING


def key_of(position: Position) -> Key:
    try:
        found = msgspec.json.decode(position, type=list[str])
        return tuple(bytes.fromhex(value) for value in found)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadConfig(f"The position {position!r} is no key of a table. Load the table again.") from error


def _bounded(rows: Iterator[Row], limit: int) -> Iterator[list[Row]]:
    """Rows in lists that are bounded in number and in bytes."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(len(value) for value in row if value is not None)
        if len(held) >= limit or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _column(read: Callable[[bytes], Any], values: Sequence[bytes | None]) -> list[Any]:
    return [None if value is None else _value(read, value) for value in values]


def _value(read: Callable[[bytes], Any], value: bytes) -> Any:
    try:
        return read(value)
    except Unreadable as error:
        return error


def _present(value: bytes | None) -> bytes:
    if value is None:
        raise BadConfig("A key holds a null: give the table a primary key.")
    return value
