"""Fields of a row image: for each column one function, chosen once per table, that reads its value.

A function takes the row's bytes and a place, and returns the value and the place behind it. The place may lie
behind the end: whoever calls it looks once a row (rows.py), which is cheaper than once a field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from disync.connectors.mysql.binlog import decimal, json, tablemap
from disync.connectors.mysql.binlog.errors import NotServed
from disync.connectors.mysql.binlog.tablemap import Stored
from disync.connectors.mysql.types import INTEGERS, Native
from disync.connectors.mysql.values import (
    SECOND,
    Unreadable,
    bits,
    day,
    decimal_text,
    integers,
    moment,
    strings,
    time_text,
)

Field = Callable[[bytes, int], tuple[Any, int]]

_CODES: dict[str, tuple[int, ...]] = {
    "tinyint": (tablemap.TINY,),
    "smallint": (tablemap.SHORT,),
    "mediumint": (tablemap.INT24,),
    "int": (tablemap.LONG,),
    "bigint": (tablemap.LONGLONG,),
    "float": (tablemap.FLOAT,),
    "double": (tablemap.DOUBLE,),
    "decimal": (tablemap.NEWDECIMAL,),
    "year": (tablemap.YEAR,),
    "date": (tablemap.DATE, tablemap.NEWDATE),
    "time": (tablemap.TIME2, tablemap.TIME),
    "datetime": (tablemap.DATETIME2, tablemap.DATETIME),
    "timestamp": (tablemap.TIMESTAMP2, tablemap.TIMESTAMP),
    "char": (tablemap.STRING,),
    "binary": (tablemap.STRING,),
    "varchar": (tablemap.VARCHAR, tablemap.VAR_STRING),
    "varbinary": (tablemap.VARCHAR, tablemap.VAR_STRING),
    "enum": (tablemap.ENUM,),
    "set": (tablemap.SET,),
    "bit": (tablemap.BIT,),
    "json": (tablemap.JSON,),
    "vector": (tablemap.VECTOR, tablemap.BLOB),
    **dict.fromkeys(("tinytext", "text", "mediumtext", "longtext"), (tablemap.BLOB,)),
    **dict.fromkeys(("tinyblob", "blob", "mediumblob", "longblob"), (tablemap.BLOB,)),
}

_OLD = frozenset({tablemap.TIME, tablemap.DATETIME, tablemap.TIMESTAMP})


def fits(native: Native, stored: Stored) -> bool:
    """Whether a column as declared now can be what lies in the log: not if it was altered in between."""
    if stored.code not in _CODES.get(native.type, (tablemap.GEOMETRY,)):
        return False
    if stored.code == tablemap.NEWDECIMAL:
        return (stored.first, stored.second) == (native.precision, native.scale)
    if stored.code in (tablemap.TIME2, tablemap.DATETIME2, tablemap.TIMESTAMP2):
        return stored.first == native.fraction
    if stored.code == tablemap.BIT:
        return stored.first + 8 * stored.second == native.precision
    return True


def field(native: Native, stored: Stored) -> Field:
    """The function for a column that `fits`."""
    code = stored.code
    if native.type in INTEGERS:
        return _integer(native)
    if code in (tablemap.STRING, tablemap.VARCHAR, tablemap.VAR_STRING):
        return _sized(1 if stored.wide < 256 else 2, _bytes(native))
    if code in (tablemap.BLOB, tablemap.GEOMETRY, tablemap.VECTOR):
        return _sized(stored.first, _bytes(native))
    if code == tablemap.JSON:
        return _sized(stored.first, json.text)
    if code in _OLD and native.fraction:
        raise NotServed(
            f"Column {native.name} has a fraction of a second in MariaDB's own old format. Run ALTER TABLE … FORCE "
            "with mysql56_temporal_format = ON."
        )
    return _RARER[code](native, stored)


def _bytes(native: Native) -> Callable[[bytes], Any]:
    if native.charset:
        return strings(native)
    if native.type == "binary":
        # The zeros at its end are not in the log.
        width = native.length or 0
        return lambda data: data.ljust(width, b"\0")
    return bytes


def _read(read: Callable[[bytes], Any], data: bytes) -> Any:
    """The value; where it cannot be had, what was raised instead of it: the row goes on behind it."""
    try:
        return read(data)
    except Unreadable as error:
        return error


def _sized(prefix: int, read: Callable[[bytes], Any]) -> Field:
    def sized(data: bytes, at: int) -> tuple[Any, int]:
        start = at + prefix
        stop = start + int.from_bytes(data[at:start], "little")
        if stop > len(data):
            return None, stop
        return _read(read, data[start:stop]), stop

    return sized


def _fixed(count: int, read: Callable[[bytes], Any]) -> Field:
    def fixed(data: bytes, at: int) -> tuple[Any, int]:
        stop = at + count
        if stop > len(data):
            return None, stop
        return _read(read, data[at:stop]), stop

    return fixed


def _number(form: str) -> Field:
    shape = struct.Struct(form)
    read, size = shape.unpack_from, shape.size

    def number(data: bytes, at: int) -> tuple[Any, int]:
        return read(data, at)[0], at + size

    return number


_FORMS = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}


def _integer(native: Native) -> Field:
    size, unsigned = INTEGERS[native.type][0], native.unsigned
    after = integers(native)
    if after is not None:
        return _fixed(size, lambda data: after(int.from_bytes(data, "little")))
    if size == 3:
        return _fixed(3, lambda data: int.from_bytes(data, "little", signed=not unsigned))
    return _number(_FORMS[size].upper() if unsigned else _FORMS[size])


def _decimal(native: Native, stored: Stored) -> Field:
    read = decimal.decoder(stored.first, stored.second)
    return _fixed(decimal.size(stored.first, stored.second), lambda data: decimal_text(read(data)))


def _bit(native: Native, stored: Stored) -> Field:
    return _fixed(stored.second + (1 if stored.first else 0), bits(native))


def _year(native: Native, stored: Stored) -> Field:
    return _fixed(1, lambda data: data[0] + 1900 if data[0] else 0)


def _enum(native: Native, stored: Stored) -> Field:
    labels = ("", *native.labels)

    def read(data: bytes) -> str:
        number = int.from_bytes(data, "little")
        if number >= len(labels):
            raise NotServed(f"Column {native.name} holds member {number}, and its ENUM has {len(labels) - 1} now.")
        return labels[number]

    return _fixed(stored.first, read)


def _set(native: Native, stored: Stored) -> Field:
    labels = native.labels

    def read(data: bytes) -> str:
        number = int.from_bytes(data, "little")
        if number >> len(labels):
            raise NotServed(f"Column {native.name} holds a member that its SET, with {len(labels)} now, does not have.")
        return ",".join(label for place, label in enumerate(labels) if number >> place & 1)

    return _fixed(stored.first, read)


def _date(native: Native, stored: Stored) -> Field:
    def read(data: bytes) -> Any:
        packed = int.from_bytes(data, "little")
        return day(native, packed >> 9, packed >> 5 & 15, packed & 31)

    return _fixed(3, read)


_SCALE = (1_000_000, 10_000, 10_000, 100, 100, 1, 1)
"""Microseconds in the unit of a fraction with so many digits."""


def _fraction(data: bytes, digits: int) -> int:
    """Microseconds of a fraction of so many digits; a byte holds two of them."""
    return int.from_bytes(data, "big") * _SCALE[digits]


def _datetime2(native: Native, stored: Stored) -> Field:
    digits = stored.first

    def read(data: bytes) -> Any:
        packed = int.from_bytes(data[:5], "big") - 0x8000000000
        date, clock = packed >> 17, packed & 0x1FFFF
        time = (clock >> 12, clock >> 6 & 63, clock & 63)
        return moment(native, (*divmod(date >> 5, 13), date & 31), time, _fraction(data[5:], digits))

    return _fixed(5 + (digits + 1) // 2, read)


def _timestamp2(native: Native, stored: Stored) -> Field:
    digits = stored.first

    def read(data: bytes) -> Any:
        return _unix(native, int.from_bytes(data[:4], "big"), _fraction(data[4:], digits))

    return _fixed(4 + (digits + 1) // 2, read)


def _time2(native: Native, stored: Stored) -> Field:
    digits = stored.first
    size = (digits + 1) // 2

    def read(data: bytes) -> str:
        # Clock and fraction are one number, whose middle is zero time.
        packed = int.from_bytes(data, "big") - (0x800000 << 8 * size)
        clock, fraction = abs(packed) >> 8 * size, abs(packed) & (1 << 8 * size) - 1
        seconds = ((clock >> 12 & 0x3FF) * 60 + (clock >> 6 & 63)) * 60 + (clock & 63)
        return time_text(packed < 0, seconds, _fraction(fraction.to_bytes(size, "big"), digits), digits)

    return _fixed(3 + size, read)


def _old_time(native: Native, stored: Stored) -> Field:
    def read(data: bytes) -> str:
        packed = int.from_bytes(data, "little", signed=True)
        clock = abs(packed)
        return time_text(packed < 0, (clock // 10000 * 60 + clock // 100 % 100) * 60 + clock % 100, 0, 0)

    return _fixed(3, read)


def _old_datetime(native: Native, stored: Stored) -> Field:
    def read(data: bytes) -> Any:
        date, clock = divmod(int.from_bytes(data, "little"), 1_000_000)
        time = (clock // 10000, clock // 100 % 100, clock % 100)
        return moment(native, (date // 10000, date // 100 % 100, date % 100), time, 0)

    return _fixed(8, read)


def _old_timestamp(native: Native, stored: Stored) -> Field:
    return _fixed(4, lambda data: _unix(native, int.from_bytes(data, "little"), 0))


def _unix(native: Native, seconds: int, fraction: int) -> Any:
    """A moment by its distance from 1970, whose very first microsecond stands for the zero date."""
    if not seconds and not fraction:
        return moment(native, (0, 0, 0), (0, 0, 0), 0)
    if native.zero != "text":
        return seconds * SECOND + fraction
    clock = datetime.fromtimestamp(seconds, UTC)
    return moment(native, (clock.year, clock.month, clock.day), (clock.hour, clock.minute, clock.second), fraction)


_RARER: dict[int, Callable[[Native, Stored], Field]] = {
    tablemap.FLOAT: lambda native, stored: _number("<f"),
    tablemap.DOUBLE: lambda native, stored: _number("<d"),
    tablemap.NEWDECIMAL: _decimal,
    tablemap.BIT: _bit,
    tablemap.YEAR: _year,
    tablemap.ENUM: _enum,
    tablemap.SET: _set,
    tablemap.DATE: _date,
    tablemap.NEWDATE: _date,
    tablemap.DATETIME2: _datetime2,
    tablemap.TIMESTAMP2: _timestamp2,
    tablemap.TIME2: _time2,
    tablemap.TIME: _old_time,
    tablemap.DATETIME: _old_datetime,
    tablemap.TIMESTAMP: _old_timestamp,
}
