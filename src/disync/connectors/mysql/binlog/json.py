"""MySQL's binary JSON → the text that the server itself would write."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable
from decimal import Decimal

from disync.connectors.mysql.binlog import decimal
from disync.connectors.mysql.binlog.cursor import unpack
from disync.connectors.mysql.binlog.errors import BrokenLog
from disync.connectors.mysql.values import decimal_text

MAX_DEPTH = 200
"""MySQL itself allows 100."""

_SMALL_OBJECT, _LARGE_OBJECT, _SMALL_ARRAY, _LARGE_ARRAY, _LITERAL = 0, 1, 2, 3, 4
_INT16, _UINT16, _INT32, _UINT32, _INT64, _UINT64, _DOUBLE, _STRING, _OPAQUE = 5, 6, 7, 8, 9, 10, 11, 12, 15

_NUMBERS = {
    _INT16: struct.Struct("<h"),
    _UINT16: struct.Struct("<H"),
    _INT32: struct.Struct("<i"),
    _UINT32: struct.Struct("<I"),
    _INT64: struct.Struct("<q"),
    _UINT64: struct.Struct("<Q"),
}
_FLOAT64 = struct.Struct("<d")
_LITERALS = {0: "null", 1: "true", 2: "false"}
_INLINE_SMALL = frozenset({_LITERAL, _INT16, _UINT16})
_INLINE_LARGE = _INLINE_SMALL | {_INT32, _UINT32}

_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_TABLE = str.maketrans(_ESCAPES)


def text(data: bytes) -> str:
    """A document; an empty one is what servers store for a null that came by an ALTER."""
    return _value(data[0], data, 1, 0) if data else "null"


def _value(kind: int, data: bytes, at: int, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise BrokenLog("A JSON value in the binary log is nested too deeply.")
    if kind <= _LARGE_ARRAY:
        return _container(kind, data, at, depth)
    if kind in _NUMBERS:
        return str(unpack(_NUMBERS[kind], data, at)[0])
    if kind == _LITERAL:
        literal = _LITERALS.get(_take(data, at, 1)[0])
        if literal is None:
            raise BrokenLog("A JSON value in the binary log has a literal nobody knows.")
        return literal
    if kind == _DOUBLE:
        return _double(float(unpack(_FLOAT64, data, at)[0]))
    if kind == _STRING:
        return _string(data, at)
    if kind == _OPAQUE:
        return _opaque(data, at)
    raise BrokenLog(f"A JSON value in the binary log has a type nobody knows ({kind}).")


def _container(kind: int, data: bytes, at: int, depth: int) -> str:
    """Offsets inside count from the container's beginning."""
    large = kind in (_LARGE_OBJECT, _LARGE_ARRAY)
    size = 4 if large else 2
    count = int.from_bytes(_take(data, at, size), "little")
    body = _take(data, at, int.from_bytes(_take(data, at + size, size), "little"))
    place = 2 * size
    is_object = kind in (_SMALL_OBJECT, _LARGE_OBJECT)
    if (count * (1 + size + (size + 2 if is_object else 0))) + place > len(body):
        raise BrokenLog("A JSON value in the binary log is shorter than its members.")
    keys: list[str] = []
    if is_object:
        for entry in range(place, place + count * (size + 2), size + 2):
            start = int.from_bytes(body[entry : entry + size], "little")
            length = int.from_bytes(body[entry + size : entry + size + 2], "little")
            keys.append(_quoted(_take(body, start, length)))
        place += count * (size + 2)
    inline = _INLINE_LARGE if large else _INLINE_SMALL
    values: list[str] = []
    for entry in range(place, place + count * (size + 1), size + 1):
        member = body[entry]
        start = entry + 1 if member in inline else int.from_bytes(body[entry + 1 : entry + 1 + size], "little")
        values.append(_value(member, body, start, depth + 1))
    if is_object:
        return "{" + ", ".join(f"{key}: {value}" for key, value in zip(keys, values, strict=True)) + "}"
    return "[" + ", ".join(values) + "]"


def _take(data: bytes, at: int, count: int) -> bytes:
    found = data[at : at + count]
    if len(found) != count:
        raise BrokenLog("A JSON value in the binary log breaks off.")
    return found


def _length(data: bytes, at: int) -> tuple[int, int]:
    """(a length in groups of seven bits, the place behind it)"""
    length = 0
    for place in range(5):
        byte = _take(data, at + place, 1)[0]
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return length, at + place + 1
    raise BrokenLog("A JSON value in the binary log has a length without end.")


def _string(data: bytes, at: int) -> str:
    length, start = _length(data, at)
    return _quoted(_take(data, start, length))


def _quoted(raw: bytes) -> str:
    try:
        return '"' + raw.decode().translate(_TABLE) + '"'
    except UnicodeDecodeError as error:
        raise BrokenLog(f"A JSON value in the binary log holds text that is no UTF-8: {error}.") from error


def _double(value: float) -> str:
    """The shortest digits that mean this number, with a point or an exponent so that it stays a double.

    Servers write exponents where the point lies more than 15 digits away.
    """
    sign, numbers, exponent = Decimal(repr(value)).as_tuple()
    if not isinstance(exponent, int):
        raise BrokenLog("A JSON value in the binary log has a number that is none.")
    digits = "".join(map(str, numbers)).rstrip("0") or "0"
    point = len(numbers) + exponent if value else 1
    before = "-" if sign else ""
    if not -15 < point <= 15:
        rest = f".{digits[1:]}" if digits[1:] else ""
        return f"{before}{digits[0]}{rest}e{point - 1}"
    if point <= 0:
        return f"{before}0.{'0' * -point}{digits}"
    return f"{before}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"


def _opaque(data: bytes, at: int) -> str:
    kind = _take(data, at, 1)[0]
    length, start = _length(data, at + 1)
    raw = _take(data, start, length)
    special = _SPECIAL.get(kind)
    return special(raw) if special else f'"base64:type{kind}:{b64encode(raw).decode()}"'


def _decimal(raw: bytes) -> str:
    precision, scale = _take(raw, 0, 2)
    if scale > precision or len(raw) != 2 + decimal.size(precision, scale):
        raise BrokenLog("A JSON value in the binary log has a decimal of the wrong size.")
    return decimal_text(decimal.decoder(precision, scale)(raw[2:]))


def _moment(raw: bytes) -> str:
    packed = int.from_bytes(_take(raw, 0, 8), "little", signed=True)
    fraction, packed = packed & 0xFFFFFF, packed >> 24
    day, clock = packed >> 17, packed & 0x1FFFF
    year, month = divmod(day >> 5, 13)
    hour, minute, second = clock >> 12, clock >> 6 & 63, clock & 63
    return f'"{year:04d}-{month:02d}-{day & 31:02d} {hour:02d}:{minute:02d}:{second:02d}.{fraction:06d}"'


def _time(raw: bytes) -> str:
    packed = int.from_bytes(_take(raw, 0, 8), "little", signed=True)
    sign, packed = "-" if packed < 0 else "", abs(packed)
    fraction, clock = packed & 0xFFFFFF, packed >> 24
    return f'"{sign}{clock >> 12 & 0x3FF:02d}:{clock >> 6 & 63:02d}:{clock & 63:02d}.{fraction:06d}"'


_SPECIAL: dict[int, Callable[[bytes], str]] = {
    246: _decimal,
    10: lambda raw: _moment(raw)[:11] + '"',
    7: _moment,
    12: _moment,
    11: _time,
}
"""Types of columns that JSON has no type for."""
