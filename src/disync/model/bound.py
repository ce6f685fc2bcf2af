"""A condition over the columns of one table: what it compares with what, and which rows are meant.

Values are those of a kind's storage (`model.types`). A reader that writes the same condition in its database's own
language asks `agreed` what is compared, so that both mean the same.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from math import isfinite
from typing import Any, TypeAlias

from disync.model.condition import (
    ANY,
    MOST_DIGITS,
    ONE,
    And,
    Compare,
    Condition,
    Constant,
    Field,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Or,
)
from disync.model.data import Column
from disync.model.types import Kind


class Sort(StrEnum):
    """What values are compared as. `str(sort)` is a word for people."""

    NUMBER = "a number"
    FLOAT = "a floating-point number"
    TEXT = "a text"
    DAY = "a day"
    CLOCK = "a date and time"
    MOMENT = "a moment"
    FLAG = "a boolean"


_SORTS = {
    **dict.fromkeys((Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL), Sort.NUMBER),
    **dict.fromkeys((Kind.FLOAT, Kind.DOUBLE), Sort.FLOAT),
    Kind.STRING: Sort.TEXT,
    Kind.DATE: Sort.DAY,
    Kind.DATETIME: Sort.CLOCK,
    Kind.TIMESTAMP: Sort.MOMENT,
    Kind.BOOLEAN: Sort.FLAG,
}

Row: TypeAlias = Sequence[Any]
Test: TypeAlias = Callable[[Row], bool | None]


@dataclass(frozen=True, slots=True)
class Value:
    """A constant, as values of its sort are compared."""

    value: Any


@dataclass(frozen=True, slots=True)
class Bound:
    """`places`: of the columns that are looked at, in the table. `test`: what a row of just these values comes to."""

    places: tuple[int, ...]
    test: Test

    def holds(self, row: Row) -> bool:
        """Whether a whole row of the table is meant."""
        return self.test([row[place] for place in self.places]) is True


@lru_cache(1024)
def bind(condition: Condition, columns: tuple[Column, ...]) -> Bound:
    """ValueError where it names what the table has not, or compares what cannot be compared."""
    known = by_name(columns)
    named: dict[str, int] = {}
    test = _test(condition.tree, known, named)
    names = [column.name.lower() for column in columns]
    return Bound(tuple(names.index(name) for name in named), test)


def by_name(columns: Sequence[Column]) -> Mapping[str, Column]:
    """As conditions name them: in letters of any size."""
    return {column.name.lower(): column for column in columns}


def column_of(field: Field, columns: Mapping[str, Column]) -> Column:
    found = columns.get(field.name.lower())
    if found is None:
        raise ValueError(f"there is no column {field.name}")
    return found


def agreed(compare: Compare, columns: Mapping[str, Column]) -> tuple[Sort, Column | Value, Column | Value]:
    """What is compared, and as what."""
    sides = [column_of(side, columns) if isinstance(side, Field) else side for side in (compare.left, compare.right)]
    sorts = [_sort(side) for side in sides if isinstance(side, Column)]
    if not sorts:
        raise ValueError("two values are compared with each other, and no column")
    if len({*sorts}) > 1:
        raise ValueError(f"{_named(sides[0])} is {sorts[0]} and {_named(sides[1])} {sorts[1]}: they are not compared")
    sort = sorts[0]
    if sort is Sort.FLAG and compare.sign not in ("=", "<>"):
        raise ValueError(f"{_named(sides[0])} is {sort}: only = and <> are served")
    left, right = (side if isinstance(side, Column) else Value(constant(sort, side.value)) for side in sides)
    return sort, left, right


def text_column(field: Field, columns: Mapping[str, Column]) -> Column:
    """ValueError unless it is one that LIKE may be asked of."""
    found = column_of(field, columns)
    if _sort(found) is not Sort.TEXT:
        raise ValueError(f"{found.name} is {_sort(found)}: LIKE is asked of texts alone")
    return found


def constant(sort: Sort, found: Literal) -> Any:
    """A constant as a value of the sort; ValueError where it is none."""
    match sort:
        case Sort.FLOAT if not isinstance(found, str) and isfinite(float(found)):
            return float(found)
        case Sort.NUMBER if not isinstance(found, str) and abs(Decimal(found).adjusted()) <= MOST_DIGITS:
            return Decimal(found)
        case Sort.FLAG if found in (0, 1) and not isinstance(found, str):
            return bool(found)
        case Sort.TEXT if isinstance(found, str):
            return found
        case Sort.DAY | Sort.CLOCK | Sort.MOMENT if isinstance(found, str):
            return _moment(sort, found)
    raise ValueError(f"{found!s} is compared with {sort}, and is none")


def _sort(column: Column) -> Sort:
    sort = _SORTS.get(column.kind)
    if sort is None:
        raise ValueError(f"{column.name} is of the kind {column.kind}, of which only IS NULL can be asked")
    return sort


def _named(side: Column | Constant) -> str:
    return side.name if isinstance(side, Column) else str(side.value)


_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _moment(sort: Sort, text: str) -> int:
    found = _MOMENT.fullmatch(text)
    day, clock, zone = found.groups() if found else ("", None, None)
    if not found or (clock and sort is Sort.DAY) or (zone and sort is not Sort.MOMENT):
        raise ValueError(f"{text!r} is compared with {sort}, and is none")
    try:
        if sort is Sort.DAY:
            return date.fromisoformat(day).toordinal() - _EPOCH.date().toordinal()
        at = datetime.fromisoformat(f"{day}T{_six_digits(clock or '00:00:00')}{zone or '+00:00'}") - _EPOCH
    except ValueError:
        raise ValueError(f"{text!r} is compared with {sort}, and no calendar has it") from None
    return (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds


def _six_digits(clock: str) -> str:
    whole, _, part = clock.partition(".")
    return f"{whole}.{part.ljust(6, '0')}"


_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _test(node: Node, columns: Mapping[str, Column], named: dict[str, int]) -> Test:
    match node:
        case And(parts):
            return _every([_test(part, columns, named) for part in parts], False)
        case Or(parts):
            return _every([_test(part, columns, named) for part in parts], True)
        case Not(part):
            inner = _test(part, columns, named)
            return lambda row: None if (found := inner(row)) is None else not found
        case IsNull(field):
            place = _place(column_of(field, columns), named)
            return lambda row: _known(row[place]) is None
        case Like(field, pattern):
            return _like(_place(text_column(field, columns), named), pattern)
        case Compare(sign):
            return _compare(sign, *agreed(node, columns), named=named)


def _every(tests: Sequence[Test], decides: bool) -> Test:
    """One answer that `decides` is enough; without it, one that nobody knows leaves the whole unknown."""

    def test(row: Row) -> bool | None:
        unknown = False
        for each in tests:
            found = each(row)
            if found is decides:
                return decides
            unknown = unknown or found is None
        return None if unknown else not decides

    return test


def _compare(sign: str, sort: Sort, left: Column | Value, right: Column | Value, named: dict[str, int]) -> Test:
    holds, one, other = _SIGNS[sign], _side(sort, left, named), _side(sort, right, named)

    def test(row: Row) -> bool | None:
        here, there = one(row), other(row)
        return None if here is None or there is None else holds(here, there)

    return test


def _side(sort: Sort, side: Column | Value, named: dict[str, int]) -> Callable[[Row], Any]:
    if isinstance(side, Value):
        value = side.value
        return lambda row: value
    read, place = _READ.get(sort, _known), _place(side, named)
    return lambda row: read(row[place])


def _like(place: int, pattern: Sequence[str]) -> Test:
    found = re.compile("".join({ANY: ".*", ONE: "."}.get(piece, re.escape(piece)) for piece in pattern), re.DOTALL)

    def test(row: Row) -> bool | None:
        text = _known(row[place])
        return None if text is None else found.fullmatch(text) is not None

    return test


def _place(column: Column, named: dict[str, int]) -> int:
    return named.setdefault(column.name.lower(), len(named))


def _known(value: Any) -> Any:
    """What cannot be read is not known either."""
    return None if isinstance(value, Exception) else value


def _number(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else _known(value)


_READ: Mapping[Sort, Callable[[Any], Any]] = {Sort.NUMBER: _number}
