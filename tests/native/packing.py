"""Cells of a prepared statement's result, made from those of a text result."""

from __future__ import annotations

import re
import struct

from disync.connectors.mysql.types import FLOATS, INTEGERS, MOMENTS, Native

_SENT = {"tinyint": 1, "smallint": 2, "mediumint": 4, "int": 4, "bigint": 8, "year": 2, "float": 4, "double": 8}


def width_of(native: Native) -> int:
    return _SENT.get(native.type, 0)


def packed_cell(native: Native, text: bytes) -> bytes:
    """As the server writes it, without its length."""
    if native.type in INTEGERS or native.type == "year":
        signed = native.type != "year" and not native.unsigned
        return int(text).to_bytes(_SENT[native.type], "little", signed=signed)
    if native.type in FLOATS:
        return struct.pack("<f" if native.type == "float" else "<d", float(text))
    if native.type in MOMENTS and native.zero != "text":
        return _moment(text.decode())
    return text


def _moment(text: str) -> bytes:
    numbers = [int(part) for part in re.split("[-: .]", text)]
    micros = int(text.partition(".")[2].ljust(6, "0")) if "." in text else 0
    year, month, day, hour, minute, second = (*numbers[:6], 0, 0, 0)[:6]
    whole = struct.pack("<HBBBBBI", year, month, day, hour, minute, second, micros)
    sizes = [size for size in (0, 4, 7, 11) if not any(whole[size:])]
    return whole[: sizes[0]]
