"""Rows asked for by their keys, as they are now: for rows that the target refused when they came before."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from disync.connectors.mysql import schema, sql
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.selection import Selection
from disync.connectors.mysql.types import BINARIES, FLOATS, MOMENTS, TEXTS, Native, column_of
from disync.connectors.mysql.values import FromText, Unreadable, from_text
from disync.model import kept
from disync.model.data import Batch, Table, record_batch
from disync.model.kept import Kept
from disync.model.types import Kind

KEYS = 100
"""Keys that one statement asks for."""

_EPOCH = datetime(1970, 1, 1)

Key = tuple[Any, ...]
"""A key's values in the storage of their kinds."""


def batches(session: Session, selection: Selection, table: Table, rows: Sequence[Kept]) -> Iterator[Batch]:
    """What `Reader.reread` promises. A table without a key gives the rows as they were kept."""
    shapes = schema.read(session, selection).values()
    found = next((shape for shape in shapes if shape.table.name == table.name), None)
    if found is None:
        return
    shape = _asked_by(found, table.keys)
    if not shape.keys:
        yield from kept.stored(shape.table, rows)
        return
    asked = ((key, row) for row in rows if (key := _key(shape, row)) is not None)
    while some := list(islice(asked, KEYS)):
        wanted: dict[Key, list[tuple[Key, Kept]]] = {}
        for key, row in some:
            wanted.setdefault(_comparable(shape, key), []).append((key, row))
        yield from _asked(session, shape, wanted)


def _asked_by(shape: Shape, keys: Sequence[str]) -> Shape:
    """With these columns for its key, which may be another one than the server has, if they are there still."""
    natives = {native.name: native for native in shape.natives}
    known = set(keys) <= set(natives) and set(keys) != {native.name for native in shape.keys}
    return replace(shape, keys=tuple(natives[key] for key in keys)) if keys and known else shape


def _asked(session: Session, shape: Shape, wanted: dict[Key, list[tuple[Key, Kept]]]) -> Iterator[Batch]:
    """Found or gone. The server may take texts for equal that are not: only those that are, letter by letter, count.

    Of a row that is there and cannot be read nothing is given, least of all that it is gone.
    """
    columns = [sql.expression(native) for native in shape.natives]
    condition = " OR ".join(_equals(shape, key) for rows in wanted.values() for key, _ in rows[:1])
    readers = [from_text(native) for native in shape.natives]
    places = [shape.natives.index(native) for native in shape.keys]
    statement = f"{sql.whole(sql.table(*shape.place), columns)} WHERE {condition}"
    for found in session.stream(statement):
        try:
            key = tuple(_value(readers[place], found[place]) for place in places)
        except Unreadable:
            return
        asked = wanted.pop(_comparable(shape, key), [])
        try:
            values = [_value(read, value) for read, value in zip(readers, found, strict=True)]
        except Unreadable:
            continue
        yield from _each(shape.table, values, b"U", [row for _, row in asked])
    for rows in wanted.values():
        for key, row in rows:
            gone: list[Any] = [None] * len(shape.natives)
            for place, part in zip(places, key, strict=True):
                gone[place] = part
            yield from _each(shape.table, gone, b"D", [row])


def _each(table: Table, values: Sequence[Any], op: bytes, rows: Sequence[Kept]) -> Iterator[Batch]:
    for row in rows:
        yield Batch(table, record_batch(table, [values]), op, row.position)


def _value(read: FromText, found: bytes | None) -> Any:
    return None if found is None else read(found)


def _key(shape: Shape, row: Kept) -> Key | None:
    """The key of a kept row; None where it lacks a part, or has one that no row can be asked for by."""
    named = row.named
    try:
        key = tuple(kept.value(column_of(native).kind, named[native.name.lower()]) for native in shape.keys)
        if not any(part is None for part in key):
            _equals(shape, key)
            return key
    except (KeyError, ValueError, TypeError, OverflowError, InvalidOperation):
        pass
    return None


def _comparable(shape: Shape, key: Key) -> Key:
    """Equal for equal keys: a target may give back other zeros at a number's end than the source has."""
    return tuple(_plain(native, part) for native, part in zip(shape.keys, key, strict=True))


def _plain(native: Native, part: Any) -> Any:
    if native.type == "time":
        return part.rstrip("0").rstrip(".") if "." in part else part
    return Decimal(part) if column_of(native).kind is Kind.DECIMAL else part


def _equals(shape: Shape, key: Key) -> str:
    parts = (f"{sql.name(n.name)} = {literal(n, value)}" for n, value in zip(shape.keys, key, strict=True))
    return f"({' AND '.join(parts)})"


def literal(native: Native, value: Any) -> str:
    """A value as the column's own type compares it; ValueError or OverflowError where the server has no such value."""
    if native.type in TEXTS or native.type in ("enum", "set"):
        return sql.text(value)
    if native.type in BINARIES:
        return sql.literal(native, value)
    if native.type in FLOATS:
        return sql.literal(native, _finite(value))
    if native.type in MOMENTS and native.zero == "text":
        return sql.text(value)
    if native.type == "date":
        return f"'{_day(value)}'"
    if native.type in ("datetime", "timestamp"):
        return f"'{_EPOCH + timedelta(microseconds=value)}'"
    if native.type == "time":
        return sql.text(value)
    return str(int(value)) if native.type != "decimal" else _decimal(value)


def _decimal(text: str) -> str:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("the server has no such number")
    return f"{value:f}"


def _finite(value: float) -> bytes:
    if not math.isfinite(value):
        raise ValueError("the server has no such number")
    return repr(value).encode()


def _day(days: int) -> str:
    return str(date.fromordinal(days + _EPOCH.toordinal()))
