"""Field values: the canonical text of each type, and the 8-byte slot it takes in a BATCH record."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any

from disync.connectors.datahub.wire.errors import Malformed

NUMERIC = {
    "tinyint": "b7x",
    "smallint": "h6x",
    "integer": "i4x",
    "bigint": "q",
    "timestamp": "q",
    "float": "f4x",
    "double": "d",
    "boolean": "?7x",
}
"""The struct format of a slot, for the types whose value lies in it. All others are texts."""

BOUNDS = {
    "tinyint": (-(1 << 7), (1 << 7) - 1),
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
    "timestamp": (-62135798400000000, 253402271999000000),
}
_INTEGER = re.compile(rb"[+-]?[0-9]{1,40}\Z")
_REAL = re.compile(rb"[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|nan|inf(inity)?)\Z", re.I)
_DECIMAL = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,6})?\Z")
_BIGINT = struct.Struct("<q")
_DOUBLE = struct.Struct("<d")
_FLOAT = struct.Struct("<f4x")
_TRUE, _FALSE = b"\x01" + bytes(7), bytes(8)

Slot = Callable[[bytes], bytes]


def slot_of(field_type: str) -> Slot | None:
    """Text → slot for a numeric type; None for the types that are texts themselves."""
    if field_type in BOUNDS:
        return _integer_slot(field_type)
    if field_type in ("float", "double"):
        return _real_slot(field_type)
    return _boolean_slot if field_type == "boolean" else None


def check_of(field_type: str) -> Callable[[bytes], None]:
    """The check of a text: a decimal's digits, a string's UTF-8."""
    return _check_decimal if field_type == "decimal" else _check_string


def text_of(value: Any) -> bytes:
    """The canonical text of a Python value of any type."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode()


def texts_from(field_type: str) -> Callable[[Any], bytes]:
    """Slot value, as struct unpacks it → canonical text, for a numeric type."""
    if field_type == "boolean":
        return lambda value: b"true" if value else b"false"
    if field_type in BOUNDS:
        return lambda value: b"%d" % value
    return lambda value: repr(value).encode()


def native_of(field_type: str) -> Callable[[bytes], Any]:
    """Canonical text → the Python value that the model stores for the type; ValueError when it is none."""
    if field_type in BOUNDS:
        return int
    if field_type in ("float", "double"):
        return float
    return _native_boolean if field_type == "boolean" else bytes.decode


def shown(text: bytes) -> str:
    """A text in an error message: short, printable, and never the whole of a long value."""
    return repr(text[:40].decode("utf-8", "replace")) + ("…" if len(text) > 40 else "")


def _native_boolean(text: bytes) -> bool:
    return _boolean_slot(text) is _TRUE


def _integer_slot(field_type: str) -> Slot:
    low, high = BOUNDS[field_type]
    match, pack = _INTEGER.match, _BIGINT.pack

    def slot(text: bytes) -> bytes:
        if match(text) is None:
            raise Malformed(f"{shown(text)} is no {field_type}")
        value = int(text)
        if not low <= value <= high:
            raise Malformed(f"{shown(text)} is out of range for {field_type}")
        return pack(value)

    return slot


def _real_slot(field_type: str) -> Slot:
    pack = (_DOUBLE if field_type == "double" else _FLOAT).pack
    match = _REAL.match

    def slot(text: bytes) -> bytes:
        if match(text) is None:
            raise Malformed(f"{shown(text)} is no {field_type}")
        try:
            return pack(float(text))
        except OverflowError as error:
            raise Malformed(f"{shown(text)} is out of range for {field_type}") from error

    return slot


def _boolean_slot(text: bytes) -> bytes:
    lower = text.lower()
    if lower == b"true":
        return _TRUE
    if lower == b"false":
        return _FALSE
    raise Malformed(f"{shown(text)} is no boolean")


def _check_decimal(text: bytes) -> None:
    if _DECIMAL.match(text) is None:
        raise Malformed(f"{shown(text)} is no decimal")


def _check_string(text: bytes) -> None:
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"{shown(text)} is not UTF-8") from error
