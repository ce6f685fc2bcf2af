"""One table of a source, looked at for a comparison: in ranges of its key, each a short statement of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from disync.connectors.mysql import condition, digest, sql
from disync.connectors.mysql.connection import Row as Cells
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.reread import literal
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.types import INTEGERS, column_of
from disync.connectors.mysql.values import Unreadable, from_text
from disync.model.compare import Digest, Entry, Inspection, Key, Method, Range, Row, plain
from disync.model.data import Table
from disync.model.errors import BadConfig

KEYS = 100
"""Keys that one statement asks for."""

PAGE_ROWS = 500_000
"""Rows that one statement sums up where a range has no other bound."""


class MySQLInspection(Inspection):
    def __init__(self, sessions: AbstractContextManager[Session], shape: Shape, method: Method) -> None:
        """`shape` has the compared columns only."""
        self._meant = [condition.where(method.rows, shape.natives)] if method.rows is not None else []
        self._held = sessions
        self._session = sessions.__enter__()
        self._shape = shape
        self._method = method
        self._source = sql.table(*shape.place)
        self._hinted = self._source + (f" FORCE INDEX ({sql.name(shape.hint)})" if shape.hint else "")
        self._hash = digest.hash_of(shape.natives, method)
        self._keys = [shape.natives[place] for place in method.keys]
        self._indexed = bool(self._keys) and self._keys == list(shape.keys)
        self._readers = [from_text(native) for native in shape.natives]

    def about(self) -> int:
        return self._shape.rows

    def close(self) -> None:
        self._held.__exit__(None, None, None)

    def walk(self, rows: int) -> Iterator[tuple[Range, Digest]]:
        low: Key | None = None
        step = 0
        while True:
            high = self._counted(low, step) or self._found(low, rows)
            found = self.digest(Range(low, high))
            yield Range(low, high), found
            if high is None:
                return
            even = rows // 4 <= found.rows <= rows * 4
            step = self._width(low, high) * rows // max(1, found.rows) if even else 0
            low = high

    def _counted(self, low: Key | None, step: int) -> Key | None:
        """Where the next range ends if keys are as dense as in the last one: the server need not look for it."""
        if low is None or not step:
            return None
        (native,) = self._keys
        high = int(low[0]) + step
        if high >= 1 << 8 * INTEGERS[native.type][0] - (0 if native.unsigned else 1):
            return None
        return (type(low[0])(high),)

    def _width(self, low: Key | None, high: Key) -> int:
        """How many keys a range may hold; 0 where they cannot be counted."""
        countable = len(self._keys) == 1 and self._keys[0].type in INTEGERS
        return int(high[0]) - int(low[0]) if low is not None and countable else 0

    def _found(self, low: Key | None, rows: int) -> Key | None:
        """The key that lies so many rows further on; None where there are fewer."""
        keys = self._keys[: self._method.ordered]
        after = " AND ".join(self._conditions(Range(low))) or None
        found = self._session.query(sql.edge(self._hinted, "", keys, after, rows - 1))
        return self._edge(found[0]) if found else None

    def groups(self, range_: Range, digits: int, within: Sequence[str] = ()) -> Mapping[str, Digest]:
        part = digest.part_of(self._shape.natives, self._method, digits) if digits else None
        found: dict[str, Digest] = {}
        for conditions in self._pages(self._conditions(range_, within), range_):
            for name, count, total in self._session.query(digest.groups(self._hinted, self._hash, part, conditions)):
                key = (name or b"").decode()
                found[key] = found.get(key, Digest()) + Digest(int(count or 0), int(total or 0))
        return found

    def entries(self, range_: Range, within: Sequence[str] = ()) -> Iterator[Entry]:
        natives, loose = self._shape.natives, self._method.loose
        places = [*self._method.keys, *loose]
        columns = [*(sql.expression(natives[place]) for place in places), self._hash]
        conditions = self._conditions(range_, within)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        for cells in self._session.stream(sql.whole(self._hinted, columns) + where):
            values = [self._value(place, cell) for place, cell in zip(places, cells, strict=False)]
            key, rest = tuple(values[: len(self._keys)]), tuple(values[len(self._keys) :])
            trouble = next((str(value) for value in key if type(value) is Unreadable), "")
            shown = tuple(value.shown if type(value) is Unreadable else value for value in key)
            yield Entry(shown, int(cells[-1] or 0), rest, trouble)

    def rows(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        found: dict[Key, Row] = {}
        for start in range(0, len(keys), KEYS):
            found.update(self._asked(keys[start : start + KEYS]))
        return found

    def _asked(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Row]]:
        """The server may take texts for equal that are not: only those that were asked for count."""
        wanted = {self._plain(key) for key in keys}
        equals = [equal for key in keys if (equal := self._equals(key)) is not None]
        if not equals:
            return
        columns = [sql.expression(native) for native in self._shape.natives]
        for cells in self._session.stream(f"{sql.whole(self._source, columns)} WHERE {' OR '.join(equals)}"):
            values = tuple(self._value(place, cell) for place, cell in enumerate(cells))
            key = self._plain(tuple(values[place] for place in self._method.keys))
            bad = [(native.name, v) for native, v in zip(self._shape.natives, values, strict=True) if _unreadable(v)]
            if key in wanted:
                yield key, Row(values, trouble="; ".join(f"column {name}: {value}" for name, value in bad))

    def _equals(self, key: Key) -> str | None:
        """None for a key that this table cannot have."""
        try:
            pairs = zip(self._keys, key, strict=True)
            return f"({' AND '.join(f'{sql.name(n.name)} = {literal(n, value)}' for n, value in pairs)})"
        except (ValueError, TypeError, OverflowError, ArithmeticError):
            return None

    def _plain(self, key: Key) -> Key:
        kinds = (column_of(native).kind for native in self._keys)
        return tuple(plain(kind, value) for kind, value in zip(kinds, key, strict=True))

    def _value(self, place: int, cell: bytes | None) -> Any:
        try:
            return None if cell is None else self._readers[place](cell)
        except Unreadable as error:
            return error

    def _edge(self, cells: Cells) -> Key:
        values = tuple(self._value(place, cell) for place, cell in zip(self._method.keys, cells, strict=False))
        if any(value is None or _unreadable(value) for value in values):
            raise BadConfig(f"Table {self._shape.database}.{self._shape.name} has a date in its key that is none.")
        return values

    def _conditions(self, range_: Range, within: Sequence[str] = ()) -> list[str]:
        found = [*self._meant]
        for limit, sign, inclusive in ((range_.low, ">", False), (range_.high, "<", True)):
            if limit is not None:
                natives = self._keys[: len(limit)]
                literals = [literal(native, value) for native, value in zip(natives, limit, strict=True)]
                found.append(sql.compared([sql.order(native) for native in natives], literals, sign, inclusive))
        if within:
            part = digest.part_of(self._shape.natives, self._method, len(within[0]))
            found.append(digest.within(part, within))
        return found

    def _pages(self, conditions: Sequence[str], range_: Range) -> Iterator[list[str]]:
        """The conditions, and what cuts a long statement into shorter ones along this table's own order."""
        bounded = range_.high is not None and len(range_.high) == len(self._keys)
        low: Sequence[bytes] | None = None
        while True:
            after = [sql.beyond(self._keys, low)] if low else []
            found = self._next_edge([*conditions, *after]) if self._indexed and not bounded else []
            if not found:
                yield [*conditions, *after]
                return
            high = [value or b"" for value in found[0]]
            yield [*conditions, *after, sql.before(self._keys, high, inclusive=True)]
            low = high

    def _next_edge(self, conditions: Sequence[str]) -> list[Cells]:
        within = " AND ".join(conditions) or None
        return self._session.query(sql.edge(self._hinted, "", self._keys, within, PAGE_ROWS - 1))


def of_table(shape: Shape, table: Table) -> Shape:
    """The columns that `table` has, in its order. BadConfig where one is not there any more."""
    natives = {native.name: native for native in shape.natives}
    gone = [column.name for column in table.columns if column.name not in natives]
    if gone:
        raise BadConfig(f"Table {shape.database}.{shape.name} has no column {gone[0]} any more. Verify it again.")
    return replace(shape, table=table, natives=tuple(natives[column.name] for column in table.columns))


def _unreadable(value: Any) -> bool:
    return type(value) is Unreadable
