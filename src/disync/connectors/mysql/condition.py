"""A condition over a table's rows (`model.condition`) in MySQL's SQL, that means the same to the letter: what the
engine makes of a row's values and what the server says of the row never differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from disync.connectors.mysql import sql
from disync.connectors.mysql.reread import literal
from disync.connectors.mysql.types import MOMENTS, Native, column_of
from disync.model import bound
from disync.model.bound import Sort, Value
from disync.model.condition import ANY, ONE, And, Compare, Condition, Field, IsNull, Like, Node, Not, Or
from disync.model.data import Column
from disync.model.errors import BadConfig

_ESCAPE = "|"
"""Not a backslash, of which the session's sql_mode makes this or that."""


def where(meant: Condition, natives: Sequence[Native]) -> str:
    """BadConfig where it does not go with these columns."""
    columns = {native.name.lower(): column_of(native) for native in natives}
    try:
        return _Writer(columns, {native.name: native for native in natives}).write(meant.tree)
    except ValueError as error:
        raise BadConfig(f"filterCondition: {error}.") from error


class _Writer:
    def __init__(self, columns: Mapping[str, Column], natives: Mapping[str, Native]) -> None:
        self._columns = columns
        self._natives = natives

    def write(self, node: Node) -> str:
        match node:
            case And(parts):
                return f"({' AND '.join(self.write(part) for part in parts)})"
            case Or(parts):
                return f"({' OR '.join(self.write(part) for part in parts)})"
            case Not(part):
                return f"(NOT {self.write(part)})"
            case IsNull(field):
                return f"({self._value(self._native(field))} IS NULL)"
            case Like(field, pattern):
                bound.text_column(field, self._columns)
                return self._like(self._native(field), pattern)
            case Compare(sign):
                return self._compare(sign, *bound.agreed(node, self._columns))

    def _native(self, field: Field) -> Native:
        return self._natives[bound.column_of(field, self._columns).name]

    def _compare(self, sign: str, sort: Sort, left: Column | Value, right: Column | Value) -> str:
        natives = [self._natives[side.name] for side in (left, right) if isinstance(side, Column)]
        one, other = (
            _constant(sort, natives[0], side) if isinstance(side, Value) else self._as(sort, self._natives[side.name])
            for side in (left, right)
        )
        return f"({one} {sign} {other})"

    def _as(self, sort: Sort, native: Native) -> str:
        if sort is Sort.TEXT:
            return f"CAST({_text(native)} AS BINARY)"
        if sort is Sort.FLOAT:
            return f"({sql.name(native.name)} + 0e0)"
        return self._value(native)

    def _value(self, native: Native) -> str:
        """A day that no calendar has is read as null; a BIT as a number, and one that has zeros before it, too."""
        column = sql.name(native.name)
        if native.type in MOMENTS and native.type != "time" and native.zero != "text":
            return f"(CASE WHEN DAY({column}) BETWEEN 1 AND DAY(LAST_DAY({column})) THEN {column} END)"
        counts = native.type in ("bit", "year") or "zerofill" in native.full
        return f"({column} + 0)" if counts else column

    def _like(self, native: Native, pattern: Sequence[str]) -> str:
        marks = {ANY: "%", ONE: "_"}
        text = "".join(marks.get(piece, _escaped(piece)) for piece in pattern)
        return f"({_text(native)} COLLATE utf8mb4_bin LIKE {_collated(text)} ESCAPE '{_ESCAPE}')"


def _text(native: Native) -> str:
    return f"CONVERT({sql.name(native.name)} USING utf8mb4)"


def _collated(text: str) -> str:
    return f"{sql.text(text)} COLLATE utf8mb4_bin"


def _escaped(text: str) -> str:
    for mark in (_ESCAPE, "%", "_"):
        text = text.replace(mark, _ESCAPE + mark)
    return text


def _constant(sort: Sort, native: Native, side: Value) -> str:
    found = side.value
    if sort is Sort.TEXT:
        return f"_binary 0x{found.encode().hex()}" if found else "_binary ''"
    if sort is Sort.NUMBER:
        return f"{Decimal(found):f}"
    if sort is Sort.FLOAT:
        return repr(found) if "e" in repr(found) else f"{found!r}e0"
    if sort is Sort.FLAG:
        return str(int(found))
    return f"{'DATE' if sort is Sort.DAY else 'TIMESTAMP'} {literal(native, found)}"
