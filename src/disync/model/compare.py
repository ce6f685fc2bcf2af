"""What two databases tell of one table, so that it can be compared without its rows passing through here.

Each writes a row's values in forms that both know, and sums up a hash of them over many rows. Only where the sums
differ are rows listed, and only those that differ are read. The last word always have the values themselves: a form may
write equal values in two ways, which costs time; never two values in one.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from disync.model.condition import Condition
from disync.model.data import Position, Table
from disync.model.errors import BadConfig
from disync.model.run import Split
from disync.model.types import Kind

HASH_DIGITS = 15
"""Hexadecimal digits of a row's hash that both databases sum up: 60 bits."""

NO_VALUE = "'~'"
"""What stands for a null in the text of a row, as a literal of SQL: no form writes it."""

Key = tuple[Any, ...]
"""A key's values in the storage of the source's kinds."""


class Hash(StrEnum):
    """By what both databases hash a text."""

    MD5 = "MD5"
    SHA256 = "SHA-256"


class Form:
    """How a database writes a value as text, before it is hashed; `decimal` has its scale in its name."""

    NUMBER = "number"
    """Digits, without zeros at the end of a fraction."""
    TEXT = "text"
    """The UTF-8 of a text; how many bytes it has stands at the end of the row."""
    LONG = "long text"
    """The hash of a text's UTF-8."""
    PADDED = "padded text"
    """As LONG, of the text without the spaces at its end."""
    HEX = "bytes"
    BLOB = "long bytes"
    """The hash of bytes."""
    DATE = "date"
    MOMENT = "moment"
    """`YYYY-MM-DD HH:MM:SS[.f]` without zeros at the end of the fraction, a moment in UTC."""
    SPAN = "span"
    """A time in microseconds."""
    FLOAT = "float"
    """The fewest digits that tell a number from its neighbours."""

    @staticmethod
    def decimal(scale: int) -> str:
        """Digits, exactly `scale` of them after the point."""
        return f"decimal {scale}"


HASHED = frozenset({Form.LONG, Form.PADDED, Form.BLOB})
"""Forms from which a value does not come back: not for keys."""


class Order(StrEnum):
    """By what a column is sorted; columns of two databases with the same one are sorted alike."""

    NUMBER = "number"
    MOMENT = "moment"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True)
class Trait:
    """What a database can do with a column: the forms that it can write, the best first, and how it sorts it."""

    forms: tuple[str, ...] = ()
    order: Order | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A table of the source and the one that it is written to, with the columns that both have, in one order. Names
    may differ. The target's is named as the writer is told of it."""

    source: Table
    target: Table


@dataclass(frozen=True, slots=True)
class Method:
    """How a pair is compared. `forms`: one a column; "" where no form is common, so that values are compared here.
    `keys`: the places of the key's columns; none: rows cannot be told apart, only counted and summed. `ordered`: how
    many of the key's first columns both databases sort alike. `only`: values that tell the target's rows of this
    source from its other ones, by the target's columns. `added`: texts that all of them have in columns which the
    source has not. `rows`: those of the source that the target has (None: all). `hash`: one that both can compute."""

    forms: tuple[str, ...]
    keys: tuple[int, ...]
    ordered: int
    only: tuple[tuple[str, str | bool], ...] = ()
    added: tuple[tuple[str, str], ...] = ()
    rows: Condition | None = None
    hash: Hash = Hash.MD5

    @property
    def loose(self) -> tuple[int, ...]:
        """The places of columns whose values are compared here."""
        return tuple(place for place, form in enumerate(self.forms) if not form)


@dataclass(frozen=True, slots=True)
class Range:
    """Keys after `low` up to `high`, compared by their first columns, as many as the limits have. None: no limit."""

    low: Key | None = None
    high: Key | None = None


@dataclass(frozen=True, slots=True)
class Digest:
    """How many rows, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.rows + other.rows, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row in a list: its key, the hash of its columns that have a form, the values of the others. `trouble`: why not
    even its key can be read."""

    key: Key
    hash: int
    loose: tuple[Any, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's values in the storage of the source's kinds, or the `trouble` of one that cannot be read. `others`: what
    a target's row has instead of texts that were added, by the names of their columns."""

    values: tuple[Any, ...]
    trouble: str = ""
    others: Mapping[str, str | None] = field(default_factory=dict)


class Inspection(ABC):
    """One database's look at one side of a pair, in one thread. Every call sees the table at a moment of its own, and
    but for `rows` a source only those of its rows that the method means."""

    @abstractmethod
    def walk(self, rows: int) -> Iterator[tuple[Range, Digest]]:
        """The whole table in ranges of about `rows` rows that leave no gap, also for keys that are not there.

        Only asked of a source, and where the first columns of the key are ordered alike.
        """

    @abstractmethod
    def groups(self, range_: Range, digits: int, within: Sequence[str] = ()) -> Mapping[str, Digest]:
        """The rows of a range by the first `digits` hexadecimal digits of the hash of their keys. `within`: only those
        whose keys begin so, all of one length."""

    @abstractmethod
    def entries(self, range_: Range, within: Sequence[str] = ()) -> Iterator[Entry]:
        """Every row of a range, in any order; `within` as above."""

    @abstractmethod
    def rows(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        """The rows that have these keys, exactly, by their `plain` keys."""

    def moment(self, keys: Sequence[Key], split: Split) -> tuple[Mapping[Key, Row], Position | None]:
        """As `rows`, and how far the task was with a split at that very moment: its checkpoint, of which every change
        before it is in these rows and none after it; "" before the first one. None where the database keeps none, or
        was at no one place."""
        del split
        return self.rows(keys), None

    def digest(self, range_: Range) -> Digest:
        return self.groups(range_, 0).get("", Digest())

    def about(self) -> int:
        """How many rows the table may have, as far as the database tells without counting; 0 where it does not."""
        return 0

    def close(self) -> None:
        """Let go of the connection. May be called twice."""
        return None


def agree(pair: Pair, here: Mapping[str, Trait], there: Mapping[str, Trait]) -> Method:
    """How a pair is compared, by what the source and the target can do. BadConfig where not even its keys can be."""
    sides = [(here[s.name], there[t.name]) for s, t in zip(pair.source.columns, pair.target.columns, strict=True)]
    names = [column.name for column in pair.source.columns]
    keys = tuple(names.index(key) for key in pair.source.keys)
    forms = []
    for place, (mine, its) in enumerate(sides):
        common = [form for form in mine.forms if form in its.forms and not (place in keys and form in HASHED)]
        if place in keys and not common:
            raise BadConfig(
                f"Table {pair.source.name} cannot be compared: the source and the target have no common form for its "
                f"key column {names[place]}. Leave it out with --table."
            )
        forms.append(common[0] if common else "")
    alike = [sides[place][0].order is not None and sides[place][0].order == sides[place][1].order for place in keys]
    return Method(tuple(forms), keys, next((n for n, same in enumerate(alike) if not same), len(alike)))


def plain(kind: Kind, value: Any, form: str = "") -> Any:
    """The same for equal values, whichever database gave them and whatever type it keeps them in."""
    if value is None:
        return None
    match kind:
        case Kind.TINYINT | Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.DECIMAL | Kind.BOOLEAN:
            return _number(value)
        case Kind.FLOAT | Kind.DOUBLE:
            return value + 0.0 if isinstance(value, float) else value
        case Kind.TIME if isinstance(value, str) and "." in value:
            return value.rstrip("0").rstrip(".")
        case Kind.STRING if form == Form.PADDED:
            return value.rstrip(" ")
        case Kind.JSON if not form:
            return _document(value)
        case _:
            return value


def plain_key(pair: Pair, method: Method, key: Key) -> Key:
    columns = pair.source.columns
    return tuple(
        plain(columns[place].kind, value, method.forms[place]) for place, value in zip(method.keys, key, strict=True)
    )


def _number(value: Any) -> Any:
    """Decimals are equal, and hash alike, by their value, whatever zeros they end in."""
    if not isinstance(value, str):
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    return number if number.is_finite() else value


def hashable(value: Any) -> Any:
    """What a plain value is hashed as: Python's own hash is the same for -1 and -2, and for 0 and 2^61 - 1."""
    if isinstance(value, float):
        return float, repr(value)
    if isinstance(value, (int, Decimal)):
        return Decimal, _digits(Decimal(value))
    if isinstance(value, (tuple, frozenset)):
        return type(value)(hashable(part) for part in value)
    return value


def _digits(number: Decimal) -> str:
    """A finite number's, the same for equal ones."""
    sign, digits, exponent = number.as_tuple()
    whole = "".join(map(str, digits)).lstrip("0")
    short = whole.rstrip("0")
    return f"{'-' * sign}{short}e{int(exponent) + len(whole) - len(short)}" if short else "0"


def _document(text: str) -> Any:
    """A document of which one side has changed the text: its members in any order, numbers by their value."""
    try:
        return _part(json.loads(text, parse_int=Decimal, parse_float=Decimal))
    except (ValueError, RecursionError):
        return text


def _part(found: Any) -> Any:
    if isinstance(found, dict):
        return frozenset((name, _part(value)) for name, value in found.items())
    if isinstance(found, list):
        return tuple(_part(value) for value in found)
    return (bool, found) if isinstance(found, bool) else found  # True is not 1
