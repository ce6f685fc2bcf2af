"""The format `pgcopy`: the name that reader and writer find each other by, and the type that each kind lies as."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from struct import Struct, pack, unpack_from
from typing import Any

from disync.model.types import Kind

FORMAT = "pgcopy"

TYPES = {
    Kind.TINYINT: "int2",
    Kind.SMALLINT: "int2",
    Kind.INTEGER: "int4",
    Kind.BIGINT: "int8",
    Kind.FLOAT: "float4",
    Kind.DOUBLE: "float8",
    Kind.BOOLEAN: "bool",
    Kind.DECIMAL: "numeric",
    Kind.STRING: "text",
    Kind.BYTES: "bytea",
    Kind.JSON: "json",  # jsonb would change the text: order, spaces, repeated members, digits
    Kind.DATE: "date",
    Kind.TIME: "text",  # no time of day holds -838:59:59
    Kind.DATETIME: "timestamp",
    Kind.TIMESTAMP: "timestamptz",
}
"""Kind → PostgreSQL's type, by the name that its catalogue has for it."""


def field(kind: Kind, value: Any) -> bytes:
    """A value of a column that we add ourselves, as a field with its length: texts, whole numbers and booleans."""
    if kind is Kind.BOOLEAN:
        return pack("!i?", 1, value)
    if kind is Kind.BIGINT:
        return pack("!iq", 8, value)
    text = str(value).encode()
    return pack("!i", len(text)) + text


def values(kinds: Sequence[Kind], rows: Iterable[Sequence[bytes | None]]) -> list[tuple[Any, ...]]:
    """Fields of these kinds, without their lengths, as values in the storage of their kinds; but decimals as such."""
    read = [_READ[TYPES[kind]] for kind in kinds]
    return [tuple(None if cell is None else one(cell) for one, cell in zip(read, row, strict=True)) for row in rows]


_EPOCH_DAYS = 10_957
"""From 1970-01-01 to 2000-01-01, where PostgreSQL begins to count."""


def _number(form: str, add: int = 0) -> Callable[[bytes], Any]:
    shape = Struct(form)
    return lambda cell: shape.unpack(cell)[0] + add


def _decimal(cell: bytes) -> Decimal:
    count, weight, sign, _ = unpack_from("!HhHH", cell)
    digits = "".join(f"{group:04d}" for group in unpack_from(f"!{count}H", cell, 8)) or "0"
    return Decimal((int(sign == 0x4000), tuple(map(int, digits)), 4 * (weight - count + 1)))


def _text(cell: bytes) -> str:
    return cell.decode(errors="surrogateescape")


_READ: Mapping[str, Callable[[bytes], Any]] = {
    "int2": _number("!h"),
    "int4": _number("!i"),
    "int8": _number("!q"),
    "float4": _number("!f"),
    "float8": _number("!d"),
    "bool": lambda cell: cell == b"\1",
    "numeric": _decimal,
    "text": _text,
    "bytea": bytes,
    "json": _text,
    "date": _number("!i", _EPOCH_DAYS),
    "timestamp": _number("!q", _EPOCH_DAYS * 86_400_000_000),
    "timestamptz": _number("!q", _EPOCH_DAYS * 86_400_000_000),
}
