"""What the compiled loops are told of a table: how each column lies in a result, and how in the log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from disync.connectors.mysql import charsets
from disync.connectors.mysql.binlog import json, tablemap
from disync.connectors.mysql.binlog.errors import NotServed
from disync.connectors.mysql.binlog.tablemap import Stored
from disync.connectors.mysql.types import BINARIES, INTEGERS, MOMENTS, SPATIALS, TEXTS, Native
from disync.model.errors import BadConfig
from disync.model.types import Kind
from disync.native.columns import Columns

Lie = dict[str, Any]

_OPS = {
    Kind.TINYINT: "int2",
    Kind.SMALLINT: "int2",
    Kind.INTEGER: "int4",
    Kind.BIGINT: "int8",
    Kind.DECIMAL: "unsigned",
}
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})
_FLOATS = {"float": ("float4", 4), "double": ("float8", 8)}


def of_result(natives: Sequence[Native]) -> Columns:
    """Columns of a prepared statement's result (`sql.packed`), in this order."""
    return Columns([{"name": native.name, "zero": native.zero, **_in_result(native)} for native in natives])


def of_log(natives: Sequence[Native], stored: Sequence[Stored]) -> Columns:
    """Columns of row images; each native `fits` what is stored."""
    return Columns(
        [
            {
                "name": native.name,
                "zero": native.zero,
                "virtual": native.virtual,
                "key": native.key,
                **_in_log(native, lies),
            }
            for native, lies in zip(natives, stored, strict=True)
        ]
    )


def _in_result(native: Native) -> Lie:
    if native.type in INTEGERS:
        return {"op": _integer(native), "signed": not native.unsigned}
    if native.type in _FLOATS:
        return {"op": _FLOATS[native.type][0]}
    if native.type in TEXTS or native.type in ("enum", "set"):
        return _text(native)
    if native.type in BINARIES | SPATIALS | {"json", "time"} or (native.type in MOMENTS and native.zero == "text"):
        return {"op": "bytes"}
    return {"op": _bits(native) if native.type == "bit" else native.type}  # decimal, year, date, datetime, timestamp


def _in_log(native: Native, stored: Stored) -> Lie:
    code = stored.code
    if native.type in INTEGERS:
        return {"op": _integer(native), "size": INTEGERS[native.type][0], "signed": not native.unsigned}
    if code in (tablemap.STRING, tablemap.VARCHAR, tablemap.VAR_STRING):
        return {"size": 1 if stored.wide < 256 else 2, **_sized(native)}
    if code in (tablemap.BLOB, tablemap.GEOMETRY, tablemap.VECTOR):
        return {"size": stored.first, **_sized(native)}
    if code == tablemap.JSON:
        return {"op": "text", "size": stored.first, "extra": json.text}
    if native.type in ("enum", "set"):
        labels = [label.encode() for label in native.labels]
        return {"op": native.type, "size": stored.first, "extra": labels}
    return _RARER[code](native, stored)


def _integer(native: Native) -> str:
    _, signed, unsigned = INTEGERS[native.type]
    return _OPS[unsigned if native.unsigned else signed]


def _bits(native: Native) -> str:
    return {1: "bool", 64: "bits64"}.get(native.precision or 0, "bits")


def _text(native: Native) -> Lie:
    if native.charset in _UTF8:
        return {"op": "bytes"}
    decode = charsets.decoder(native.charset)
    if decode is None:
        raise BadConfig(f"Column {native.name} has the character set {native.charset}, which cannot be read exactly.")
    return {"op": "text", "extra": decode}


def _sized(native: Native) -> Lie:
    if native.charset:
        return _text(native)
    # The zeros at the end of a BINARY are not in the log.
    return {"op": "padded", "width": native.length or 0} if native.type == "binary" else {"op": "bytes"}


def _old(native: Native, stored: Stored) -> Lie:
    if native.fraction:
        raise NotServed(
            f"Column {native.name} has a fraction of a second in MariaDB's own old format. Run ALTER TABLE … FORCE "
            "with mysql56_temporal_format = ON."
        )
    return {"op": f"old {native.type}"}


def _number(native: Native, stored: Stored) -> Lie:
    op, size = _FLOATS[native.type]
    return {"op": op, "size": size}


def _decimal(native: Native, stored: Stored) -> Lie:
    return {"op": "decimal", "digits": stored.first - stored.second, "scale": stored.second}


def _fine(native: Native, stored: Stored) -> Lie:
    return {"op": native.type, "digits": stored.first}


_RARER: dict[int, Callable[[Native, Stored], Lie]] = {
    tablemap.FLOAT: _number,
    tablemap.DOUBLE: _number,
    tablemap.NEWDECIMAL: _decimal,
    tablemap.BIT: lambda native, stored: {"op": _bits(native), "size": stored.second + (1 if stored.first else 0)},
    tablemap.YEAR: lambda native, stored: {"op": "year", "size": 1},
    tablemap.DATE: lambda native, stored: {"op": "date"},
    tablemap.NEWDATE: lambda native, stored: {"op": "date"},
    tablemap.DATETIME2: _fine,
    tablemap.TIMESTAMP2: _fine,
    tablemap.TIME2: _fine,
    tablemap.TIME: _old,
    tablemap.DATETIME: _old,
    tablemap.TIMESTAMP: _old,
}
