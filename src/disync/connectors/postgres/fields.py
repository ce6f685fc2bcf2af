"""Values as fields of binary COPY, and back.

An encoder takes one value that is not null, in the storage of its kind, and gives the field with its length in front.
It raises ValueError where the column's type cannot hold the value exactly: nothing is rounded, cut or wrapped. All is
pure; what is compiled (`disync.native`) is held against it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from functools import partial
from struct import Struct
from typing import Any

from disync.connectors.postgres import numeric
from disync.connectors.postgres.types import ColumnType
from disync.model.types import Kind

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

Encoder = Callable[[Any], bytes]

_EPOCH_DAYS = 10_957
"""From 1970-01-01 to 2000-01-01, where PostgreSQL begins to count."""
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
_DATES = range(-2_451_545, 2_145_031_949)
_MOMENTS = range(-211_813_488_000_000_000, 9_223_371_331_200_000_000)
_TIME = re.compile(r"(-?)([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,6}))?", re.ASCII)
_DAY = 86_400_000_000

_INT2, _INT4, _INT8 = Struct("!ih"), Struct("!ii"), Struct("!iq")
_FLOAT4, _FLOAT8 = Struct("!if"), Struct("!id")
_INTERVAL = Struct("!iqii")
_LENGTH = Struct("!i")


def encoder(kind: Kind, column: ColumnType) -> Encoder:
    """How values of `kind` are written into a column of this type; KeyError where they cannot be."""
    if column.name in ("text", "varchar", "bpchar", "citext"):
        return partial(_text, limit=column.length)
    if column.name == "numeric":
        known = column.precision is not None
        scale = (column.scale or 0) if known else None
        room = (column.precision or 0) - (scale or 0) if known else None
        return partial(_numeric, room=room, scale=scale)
    if column.name in ("timestamp", "timestamptz"):
        return partial(_moment, digits=column.precision)
    if column.name == "time":
        return partial(_time, digits=column.precision)
    return _ENCODERS[column.name]


def encode(values: Sequence[Any], one: Encoder) -> tuple[list[bytes | None], dict[int, str]]:
    """A column: its fields, None where a value is refused, and the reasons by place."""
    try:
        return [NULL if value is None else one(value) for value in values], {}
    except (ValueError, OverflowError, struct.error):
        pass
    fields: list[bytes | None] = []
    refused: dict[int, str] = {}
    for place, value in enumerate(values):
        try:
            fields.append(NULL if value is None else one(value))
        except (ValueError, OverflowError, struct.error) as error:
            fields.append(None)
            refused[place] = str(error) if type(error) is ValueError else "it is out of range"
    return fields, refused


def _integer(value: int, shape: Struct) -> bytes:
    return shape.pack(shape.size - 4, value)


def _float(value: float, shape: Struct) -> bytes:
    return shape.pack(shape.size - 4, value)


def _bool(value: bool) -> bytes:
    return b"\0\0\0\1\1" if value else b"\0\0\0\1\0"


def _text(value: Any, limit: int | None) -> bytes:
    text = value if isinstance(value, str) else str(value)
    if "\0" in text:
        raise ValueError("it holds U+0000, which PostgreSQL's texts cannot")
    if limit is not None and len(text) > limit:
        raise ValueError(f"it has {len(text)} characters and the column takes {limit}")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half of a surrogate pair, which is no character") from None
    return _LENGTH.pack(len(data)) + data


def _bytes(value: bytes) -> bytes:
    return _LENGTH.pack(len(value)) + value


def _jsonb(value: str) -> bytes:
    data = _text(value, None)[4:]
    return _LENGTH.pack(len(data) + 1) + b"\1" + data


def _numeric(value: Any, room: int | None, scale: int | None) -> bytes:
    return numeric.encode(str(value), room, scale)


def _date(value: int) -> bytes:
    if value - _EPOCH_DAYS not in _DATES:
        raise ValueError("this day is out of PostgreSQL's range")
    return _INT4.pack(4, value - _EPOCH_DAYS)


def _moment(value: int, digits: int | None) -> bytes:
    moment = value - _EPOCH_MICROSECONDS
    if moment not in _MOMENTS:
        raise ValueError("this moment is out of PostgreSQL's range")
    _fraction(value, digits)
    return _INT8.pack(8, moment)


def _time(value: str, digits: int | None) -> bytes:
    span = _span(value)
    if not 0 <= span <= _DAY:
        raise ValueError("it is no time of day")
    _fraction(span, digits)
    return _INT8.pack(8, span)


def _interval(value: str) -> bytes:
    return _INTERVAL.pack(16, _span(value), 0, 0)


def _fraction(microseconds: int, digits: int | None) -> None:
    if digits is not None and microseconds % 10 ** (6 - digits):
        raise ValueError(f"its fraction of a second has more than {digits} digits")


def _span(text: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("it is no time")
    sign, hours, minutes, seconds, part = match.groups()
    span = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1_000_000 + int((part or "").ljust(6, "0"))
    return -span if sign else span


_ENCODERS: dict[str, Encoder] = {
    "int2": partial(_integer, shape=_INT2),
    "int4": partial(_integer, shape=_INT4),
    "int8": partial(_integer, shape=_INT8),
    "float4": partial(_float, shape=_FLOAT4),
    "float8": partial(_float, shape=_FLOAT8),
    "bool": _bool,
    "bytea": _bytes,
    "json": partial(_text, limit=None),
    "jsonb": _jsonb,
    "date": _date,
    "interval": _interval,
}


def decode(column: ColumnType, field: bytes) -> Any:
    """The value of a field, in the storage of the kind that the column has."""
    return _DECODERS[column.name](field)


def decodes(column: ColumnType) -> bool:
    return column.name in _DECODERS


def _time_text(field: bytes) -> str:
    (span,) = struct.unpack_from("!q", field)
    seconds, part = divmod(abs(span), 1_000_000)
    text = f"{'-' if span < 0 else ''}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{part:06d}" if part else text


def _number(form: str, add: int | None = None) -> Callable[[bytes], Any]:
    if add is None:  # -0.0 + 0 would be 0.0
        return lambda field: struct.unpack(form, field)[0]
    return lambda field: struct.unpack(form, field)[0] + add


def _decoded(field: bytes) -> str:
    """Bytes that are no UTF-8, as a source may hold them, become halves of surrogate pairs, which no target takes."""
    return field.decode(errors="surrogateescape")


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "int2": _number("!h"),
    "int4": _number("!i"),
    "int8": _number("!q"),
    "float4": _number("!f"),
    "float8": _number("!d"),
    "bool": lambda field: field == b"\1",
    "numeric": numeric.decode,
    "text": _decoded,
    "varchar": _decoded,
    "bpchar": _decoded,
    "citext": _decoded,
    "bytea": bytes,
    "json": _decoded,
    "jsonb": lambda field: field[1:].decode(),
    "date": _number("!i", _EPOCH_DAYS),
    "timestamp": _number("!q", _EPOCH_MICROSECONDS),
    "timestamptz": _number("!q", _EPOCH_MICROSECONDS),
    "time": _time_text,
    "interval": _time_text,
}
