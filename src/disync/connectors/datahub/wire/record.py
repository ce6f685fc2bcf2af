"""One record inside a BATCH block (its layout is in batch.py): canonical entries to bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from disync.connectors.datahub.wire.entry import Entry
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Schema
from disync.connectors.datahub.wire.value import NUMERIC, Slot, check_of, native_of, shown, slot_of, texts_from

BLOB_VERSION = -1
HEAD = struct.Struct("<iiII")
"""Encoding, schema version, size, offset of the attributes."""

SMALLEST = HEAD.size + 4 + 8 + 8 + 4
"""A record of one field with no attributes; no record is shorter."""

_FIRST = struct.Struct("<iiIIi")
_SPAN = struct.Struct("<II")
_SIZE = struct.Struct("<I")
_NULL = bytes(8)

Check = Callable[[bytes], None]
Values = tuple[Any, ...]


def version_of(record: bytes) -> int:
    """The schema version a record names (-1: BLOB)."""
    return int(HEAD.unpack_from(record)[1])


def encoder(schema: Schema | None, version: int) -> Callable[[Entry], bytes]:
    """A function that encodes entries of `schema` (None: BLOB); it raises Malformed for one that does not fit."""
    slots = _slots(schema)
    number = version if schema else BLOB_VERSION
    fields = len(slots)
    bits = ((fields + 63) >> 6) << 3
    values_at = 4 + bits + 8 * fields  # where long values begin, counted from the end of the record's header
    compulsory = sum(1 << i for i, f in enumerate(schema.fields) if f.notnull) if schema else 1

    def encode(entry: Entry) -> bytes:
        if len(entry.data) != fields:
            raise Malformed(f"the record has {len(entry.data)} fields, the schema {fields}")
        try:
            present, parts, tail = _fields(entry.data, slots, values_at)
        except Malformed as error:
            raise _named(error, entry.data, slots, schema) from error
        if compulsory & ~present:
            raise Malformed(f"field {_name(schema, compulsory & ~present)!r} must not be null")
        long_values = b"".join(tail)
        extra = _attributes_bytes(entry.attributes)
        attributes_at = HEAD.size + values_at + len(long_values)
        head = _FIRST.pack(0, number, attributes_at + len(extra), attributes_at, fields)
        return b"".join((head, present.to_bytes(bits, "little"), *parts, long_values, extra))

    return encode


def entries_of(schema: Schema | None) -> Callable[[bytes], Entry]:
    """A function that decodes records to entries."""
    read = _values_of(schema, _entry_columns(schema))

    def decode(record: bytes) -> Entry:
        return Entry(read(record), attributes(record))

    return decode


def rows_of(schema: Schema | None) -> Callable[[bytes], Values]:
    """A function that decodes records to tuples of Python values, as the model stores them."""
    return _values_of(schema, _row_columns(schema))


def attributes(record: bytes) -> dict[str, str]:
    """The attributes of a record."""
    at: int = HEAD.unpack_from(record)[3]
    if not HEAD.size < at <= len(record) - 4:
        raise Malformed("the attributes lie outside of the record")
    number = _SIZE.unpack_from(record, at)[0]
    if not number:
        return {}
    if number * 8 > len(record) - at:
        raise Malformed("the record is too short for its attributes")
    found: dict[str, str] = {}
    at += 4
    for _ in range(number):
        key, at = _text_at(record, at)
        found[key], at = _text_at(record, at)
    return found


def _text_at(record: bytes, at: int) -> tuple[str, int]:
    if at + 4 > len(record):
        raise Malformed("an attribute lies outside of the record")
    end = at + 4 + _SIZE.unpack_from(record, at)[0]
    if end > len(record):
        raise Malformed("an attribute lies outside of the record")
    return record[at + 4 : end].decode(), end


def _attributes_bytes(pairs: Mapping[str, str]) -> bytes:
    if not pairs:
        return b"\0\0\0\0"
    parts = [_SIZE.pack(len(pairs))]
    try:
        for pair in pairs.items():
            for text in pair:
                data = text.encode()
                parts += (_SIZE.pack(len(data)), data)
    except UnicodeEncodeError as error:
        raise Malformed("an attribute is no valid Unicode") from error
    return b"".join(parts)


def _fields(
    data: tuple[bytes | None, ...], slots: list[tuple[Slot | None, Check]], values_at: int
) -> tuple[int, list[bytes], list[bytes]]:
    """Presence bits, slots, and the values that are too long for a slot."""
    present, bit, offset = 0, 1, values_at
    parts: list[bytes] = []
    tail: list[bytes] = []
    for value, (slot, check) in zip(data, slots, strict=True):
        if value is None:
            parts.append(_NULL)
        else:
            present |= bit
            if slot is not None:
                parts.append(slot(value))
            else:
                check(value)
                length = len(value)
                if length <= 7:
                    parts.append(value.ljust(7, b"\0") + bytes((0x80 | length,)))
                else:
                    parts.append(_SPAN.pack(length, offset))
                    tail.append(value + bytes(-length & 7))
                    offset += len(tail[-1])
        bit <<= 1
    return present, parts, tail


def _slots(schema: Schema | None) -> list[tuple[Slot | None, Check]]:
    if schema is None:
        return [(None, _any_bytes)]
    return [(slot_of(field.type), check_of(field.type)) for field in schema.fields]


def _any_bytes(value: bytes) -> None:
    """A BLOB may hold anything."""


def _name(schema: Schema | None, missing: int) -> str:
    lowest = (missing & -missing).bit_length() - 1
    return schema.fields[lowest].name if schema else "data"


def _named(
    error: Malformed, data: tuple[bytes | None, ...], slots: list[tuple[Slot | None, Check]], schema: Schema | None
) -> Malformed:
    """The same error with the name of the field: found by a second look, so that good records pay nothing for it."""
    for index, (value, (slot, check)) in enumerate(zip(data, slots, strict=True)):
        try:
            if value is not None:
                (slot or check)(value)
        except Malformed:
            return Malformed(f"field {_name(schema, 1 << index)!r}: {error}")
    return error


# Decoding. One struct.unpack reads all slots of a record; a column's function makes a value of what it gives.

Column = Callable[[Any], Any] | None
"""From the slot's number to a value (None: as it is). Texts have a function from bytes."""


def _entry_columns(schema: Schema | None) -> list[tuple[str, Column]]:
    if schema is None:
        return [("8s", None)]
    return [(NUMERIC.get(f.type, "8s"), texts_from(f.type) if f.type in NUMERIC else None) for f in schema.fields]


def _row_columns(schema: Schema | None) -> list[tuple[str, Column]]:
    if schema is None:
        return [("8s", None)]
    return [(NUMERIC.get(f.type, "8s"), None if f.type in NUMERIC else native_of(f.type)) for f in schema.fields]


def _values_of(schema: Schema | None, columns: list[tuple[str, Column]]) -> Callable[[bytes], Values]:
    total = len(columns)
    blob = schema is None
    layouts: dict[int, tuple[struct.Struct, int]] = {}

    def layout(fields: int) -> tuple[struct.Struct, int]:
        """The slots of a record of so many fields: fewer than the schema's if it is older than the last of them."""
        if not 0 < fields <= total:
            raise Malformed(f"the record has {fields} fields, the schema {total}")
        bits = ((fields + 63) >> 6) << 3
        found = struct.Struct(f"<{bits}s" + "".join(form for form, _ in columns[:fields]))
        layouts[fields] = (found, _FIRST.size + found.size)
        return layouts[fields]

    def read(record: bytes) -> Values:
        _, version, _, _, fields = _FIRST.unpack_from(record)
        if (version == BLOB_VERSION) is not blob:
            raise Malformed("a BLOB record in a TUPLE topic, or the reverse")
        slots, end = layouts.get(fields) or layout(fields)
        if end + 4 > len(record):
            raise Malformed("the record is too short for its fields")
        raw = slots.unpack_from(record, _FIRST.size)
        present = int.from_bytes(raw[0], "little")
        values: list[Any] = []
        bit = 1
        for value, (form, column) in zip(raw[1:], columns, strict=False):
            if not present & bit:
                values.append(None)
            else:
                plain = _text(record, value, end) if form == "8s" else value
                values.append(plain if column is None else column(plain))
            bit <<= 1
        if fields < total:
            values += [None] * (total - fields)
        return tuple(values)

    return read


def _text(record: bytes, slot: bytes, earliest: int) -> bytes:
    flag = slot[7]
    if flag & 0x80:
        return slot[: flag & 7]
    length, offset = _SPAN.unpack(slot)
    start = HEAD.size + offset
    if start < earliest or start + length > len(record):
        raise Malformed(f"a text of {length} bytes lies outside of the record: {shown(slot)}")
    return record[start : start + length]
