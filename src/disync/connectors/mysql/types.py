"""MySQL's types as columns: one table of facts, used for the full load and for the log alike.

Nothing is lost: an unsigned type becomes the next wider one, BIGINT UNSIGNED the exact text of a number. TINYINT(1)
stays a number, because it holds -128 to 127 whatever its display width says; BIT(1) is a boolean. MariaDB's JSON is
text with a check, and stays text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from disync.connectors.mysql import charsets
from disync.model.data import Column
from disync.model.errors import BadConfig
from disync.model.types import Kind


@dataclass(frozen=True, slots=True)
class Native:
    """A column as information_schema describes it. `type` is its data type (`int`), `full` the whole declaration.

    `length` is in characters, or in bytes for binary types; `precision` and `scale` are a number's, or the bits of a
    BIT; `fraction` the digits of a second's fraction. `virtual`: computed when read, not stored. `zero`: what becomes
    of a date that is none ("null", "text", "dirty"). `default`: what a row has here that says nothing of it; None:
    null, or the type's own zero, or it is `computed`, like any value that an expression gives.
    """

    name: str
    type: str
    full: str
    charset: str = ""
    collation: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fraction: int = 0
    nullable: bool = True
    key: bool = False
    virtual: bool = False
    comment: str = ""
    zero: str = "null"
    default: str | None = None
    computed: bool = False

    @property
    def unsigned(self) -> bool:
        """ZEROFILL implies it, and the declaration says both."""
        return "unsigned" in self.full

    @property
    def labels(self) -> tuple[str, ...]:
        """The members of an ENUM or SET."""
        return tuple(unescaped(quoted) for quoted in _LABEL.findall(self.full))


_LABEL = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPED = re.compile(r"''|\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "r": "\r", "0": "\0", "t": "\t", "Z": "\x1a"}

INTEGERS = {
    "tinyint": (1, Kind.TINYINT, Kind.SMALLINT),
    "smallint": (2, Kind.SMALLINT, Kind.INTEGER),
    "mediumint": (3, Kind.INTEGER, Kind.INTEGER),
    "int": (4, Kind.INTEGER, Kind.BIGINT),
    "bigint": (8, Kind.BIGINT, Kind.DECIMAL),
}
"""Type → its bytes, its kind, its kind when unsigned."""

TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
BINARIES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
SPATIALS = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon"}
    | {"geometrycollection", "geomcollection"}
)
"""Read as the server stores them: four bytes of SRID, then WKB."""

FLOATS = {"float": Kind.FLOAT, "double": Kind.DOUBLE}
MOMENTS = {"date": Kind.DATE, "datetime": Kind.DATETIME, "timestamp": Kind.TIMESTAMP}


def column_of(native: Native) -> Column:
    """The canonical column; BadConfig for a type that is not served."""
    kind, length, precision, scale = _shape(native)
    # A zero date that is read as null comes from columns that forbid nulls, too. In a key it must not.
    nullable = native.nullable or (kind in MOMENTS.values() and native.zero == "null" and not native.key)
    return Column(native.name, kind, nullable, native.comment, length, precision, scale)


def _shape(native: Native) -> tuple[Kind, int | None, int | None, int | None]:
    """(kind, length, precision, scale)"""
    if native.type in INTEGERS:
        _, signed, unsigned = INTEGERS[native.type]
        kind = unsigned if native.unsigned else signed
        return (kind, None, 20, 0) if kind is Kind.DECIMAL else (kind, None, None, None)
    if native.type in FLOATS:
        return FLOATS[native.type], None, None, None
    if native.type in TEXTS:
        _require_charset(native)
        return Kind.STRING, native.length, None, None
    if native.type in BINARIES | SPATIALS:
        return Kind.BYTES, native.length, None, None
    if native.type in MOMENTS and native.zero == "text":
        clock = 0 if native.type == "date" else 9 + (1 + native.fraction if native.fraction else 0)
        return Kind.STRING, 10 + clock, None, None
    if native.type in ("datetime", "timestamp"):
        return MOMENTS[native.type], None, native.fraction, None
    return _rarer(native)


def _rarer(native: Native) -> tuple[Kind, int | None, int | None, int | None]:
    match native.type:
        case "decimal":
            return Kind.DECIMAL, None, native.precision, native.scale
        case "bit" if native.precision == 1:
            return Kind.BOOLEAN, None, None, None
        case "bit" if native.precision == 64:
            return Kind.DECIMAL, None, 20, 0
        case "bit":
            return Kind.BIGINT, None, None, None
        case "date":
            return Kind.DATE, None, None, None
        case "time":
            return Kind.TIME, None, native.fraction, None
        case "year":
            return Kind.SMALLINT, None, None, None
        case "enum" | "set":
            _require_charset(native)
            return Kind.STRING, native.length, None, None
        case "json":
            return Kind.JSON, None, None, None
        case _:
            raise BadConfig(
                f"Column {native.name} has the type {native.full}, which cannot be read. Leave its table out of the "
                "task, or change the column's type."
            )


def _require_charset(native: Native) -> None:
    if charsets.decoder(native.charset) is None:
        raise BadConfig(
            f"Column {native.name} has the character set {native.charset}, which cannot be read exactly. Convert the "
            "column to utf8mb4, or leave its table out of the task."
        )


def unescaped(quoted: str) -> str:
    """What stands between the quotes of a literal."""
    return _ESCAPED.sub(lambda found: "'" if found[0] == "''" else _CONTROLS.get(found[1], found[1]), quoted)
