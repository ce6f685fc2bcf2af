"""Cells of a prepared statement's result: how wide they are, and what they would be as text."""

from __future__ import annotations

import struct

from disync.connectors.mysql.types import FLOATS, INTEGERS, MOMENTS, Native
from disync.model.errors import Unreachable

_WIDTHS = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 8: 8, 4: 4, 5: 8}
"""The protocol's number of a type → bytes of its values. Those of other types have their length in front."""


def width(definition: bytes) -> int:
    """Bytes that a column's values take, by the server's description of it; zero: they tell."""
    at = 0
    try:
        for _ in range(6):  # catalogue, database, table and column by their names and aliases
            size, at = _length(definition, at)
            at += size
        return _WIDTHS.get(definition[at + 7], 0)
    except IndexError:
        raise Unreachable("MySQL describes a column of its answer in a way that is not known.") from None


def text(native: Native, cell: bytes) -> bytes:
    """A cell as a text result has it."""
    if native.type in INTEGERS:
        return b"%d" % int.from_bytes(cell, "little", signed=not native.unsigned)
    if native.type == "year":
        return b"%04d" % int.from_bytes(cell, "little")
    if native.type in FLOATS:
        return repr(struct.unpack("<f" if len(cell) == 4 else "<d", cell)[0]).encode()
    if native.type in MOMENTS and native.type != "time" and native.zero != "text":
        return _moment(native, cell)
    return cell


def key(native: Native, cell: bytes) -> bytes:
    """A cell of `sql.packed_key` as one of `sql.key_expression` in a text result."""
    return b"%d" % int.from_bytes(cell, "little") if native.type in ("enum", "set") else text(native, cell)


def _moment(native: Native, cell: bytes) -> bytes:
    year, month, day, hour, minute, second, micros = struct.unpack("<HBBBBBI", cell.ljust(11, b"\0"))
    date = b"%04d-%02d-%02d" % (year, month, day)
    if native.type == "date":
        return date
    fraction = b".%06d" % micros
    clock = b" %02d:%02d:%02d" % (hour, minute, second)
    return date + clock + (fraction[: 1 + native.fraction] if native.fraction else b"")


def _length(data: bytes, at: int) -> tuple[int, int]:
    """(a length, the place behind it)"""
    more = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(data[at], 0)
    return (int.from_bytes(data[at + 1 : at + 1 + more], "little"), at + 1 + more) if more else (data[at], at + 1)
