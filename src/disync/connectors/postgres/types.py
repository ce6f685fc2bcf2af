"""Kinds and column types: what a new column becomes, and what an existing one can hold."""

from __future__ import annotations

from dataclasses import dataclass

from disync.model.data import Column
from disync.model.types import Kind
from disync.native import pgcopy

NUMERIC_DIGITS = 1000
VARCHAR_CHARACTERS = 10_485_760

_NAMES = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bool": "boolean",
    "varchar": "character varying",
    "bpchar": "character",
    "timestamptz": "timestamp with time zone",
}
"""The catalogue's names that differ from SQL's."""

_TEXTS = ("text", "varchar")
TAKES: dict[Kind, tuple[str, ...]] = {
    Kind.TINYINT: ("int2", "int4", "int8", "numeric", *_TEXTS),
    Kind.SMALLINT: ("int2", "int4", "int8", "numeric", *_TEXTS),
    Kind.INTEGER: ("int4", "int8", "numeric", *_TEXTS),
    Kind.BIGINT: ("int8", "numeric", *_TEXTS),
    Kind.FLOAT: ("float4", "float8"),
    Kind.DOUBLE: ("float8",),
    Kind.BOOLEAN: ("bool", "int2", "int4", "int8"),
    Kind.DECIMAL: ("numeric", *_TEXTS),
    Kind.STRING: ("text", "varchar", "bpchar", "citext"),
    Kind.BYTES: ("bytea",),
    Kind.JSON: ("json", "jsonb", *_TEXTS),
    Kind.DATE: ("date",),
    Kind.TIME: ("text", "varchar", "time", "interval"),
    Kind.DATETIME: ("timestamp",),
    Kind.TIMESTAMP: ("timestamptz",),
}
"""The types that hold every value of a kind, or name each one they cannot hold; the best first."""

_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type as the catalogue names it. `length` in characters; `precision` in digits, of a fraction in times."""

    name: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        base = _NAMES.get(self.name, self.name)
        if self.length is not None:
            return f"{base}({self.length})"
        if self.precision is None:
            return base
        if self.name == "numeric":
            return f"{base}({self.precision},{self.scale})"
        return base.replace("timestamp", f"timestamp({self.precision})", 1)


def from_catalogue(name: str, modifier: int) -> ColumnType:
    """A type of an existing column, from pg_type.typname and pg_attribute.atttypmod."""
    if modifier < 0:
        return ColumnType(name)
    if name in ("varchar", "bpchar"):
        return ColumnType(name, length=modifier - 4)
    if name == "numeric":
        scale = ((modifier - 4 & 0x7FF) ^ 0x400) - 0x400
        return ColumnType(name, precision=modifier - 4 >> 16 & 0xFFFF, scale=scale)
    if name in ("timestamp", "timestamptz", "time"):
        return ColumnType(name, precision=modifier)
    return ColumnType(name)


def type_of(column: Column, numeric_digits: int = NUMERIC_DIGITS) -> ColumnType:
    """The type of a column that we make. Decimals keep all their digits; one with too many becomes text."""
    name = pgcopy.TYPES[column.kind]
    if column.kind is Kind.DECIMAL and column.precision is not None:
        if column.precision > numeric_digits:
            return ColumnType("text")
        return ColumnType(name, precision=column.precision, scale=column.scale or 0)
    if column.kind is Kind.STRING and column.length is not None and 0 < column.length <= VARCHAR_CHARACTERS:
        return ColumnType("varchar", length=column.length)
    if column.kind in (Kind.DATETIME, Kind.TIMESTAMP) and column.precision is not None and column.precision < 6:
        return ColumnType(name, precision=column.precision)
    return ColumnType(name)


def misfit(column: Column, actual: ColumnType) -> str | None:
    """Why values that the source may hold do not go into a column of this type; None if all that is known of them do.

    Where the source states no limit (length, digits), values are looked at one by one as they come.
    """
    if actual.name not in TAKES[column.kind]:
        return f"it holds {column.kind} in the source and is {actual} here"
    if _too_short(column, actual) or _too_few_digits(column, actual) or _too_coarse(column, actual):
        return f"it is {actual} here and the source needs {type_of(column)}"
    return None


def as_it_lies(column: Column, actual: ColumnType) -> bool:
    """Whether every field of the format `pgcopy` is one of this column without a look at its value.

    A type with a limit cuts spaces and rounds digits that lie beyond it without a word: it must be as wide as the
    source says that values may be.
    """
    limited = actual.length is not None or actual.precision is not None
    known = column.length is not None or column.precision is not None
    name = "text" if actual.name == "varchar" else actual.name
    return name == pgcopy.TYPES[column.kind] and (known or not limited) and misfit(column, actual) is None


def _too_short(column: Column, actual: ColumnType) -> bool:
    known = column.kind is Kind.STRING and column.length is not None and actual.length is not None
    return known and (column.length or 0) > (actual.length or 0)


def _too_few_digits(column: Column, actual: ColumnType) -> bool:
    if actual.name != "numeric" or actual.precision is None:
        return False
    room, scale = actual.precision - (actual.scale or 0), actual.scale or 0
    if column.kind in _DIGITS:
        return _DIGITS[column.kind] > room
    if column.precision is None:
        return False
    return (column.scale or 0) > scale or column.precision - (column.scale or 0) > room


def _too_coarse(column: Column, actual: ColumnType) -> bool:
    if actual.name not in ("timestamp", "timestamptz", "time") or actual.precision is None:
        return False
    return column.precision is not None and column.precision > actual.precision
