"""The record schema of a TUPLE topic: its JSON text, and its counterpart in the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from disync.connectors.datahub.wire.errors import Malformed
from disync.model.data import Column
from disync.model.types import Kind

TYPES = frozenset(
    ("tinyint", "smallint", "integer", "bigint", "float", "double", "boolean", "decimal", "string", "timestamp")
)
"""The field types, in the wire's lower case. They carry the names of our kinds."""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    notnull: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Schema:
    fields: tuple[Field, ...]


class _FieldText(msgspec.Struct):
    name: str
    type: str
    notnull: bool = False
    comment: str | None = None


class _SchemaText(msgspec.Struct):
    fields: list[_FieldText]


_decoder = msgspec.json.Decoder(_SchemaText)


def parse(text: str | bytes) -> Schema:
    """The Schema in a RecordSchema text; Malformed when it is none, is empty, or names a field twice."""
    try:
        read = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Malformed(f"RecordSchema: {error}") from error
    fields = tuple(Field(f.name, f.type.lower(), f.notnull, f.comment or "") for f in read.fields)
    seen: set[str] = set()
    for field in fields:
        if field.type not in TYPES:
            raise Malformed(f"RecordSchema: field {field.name!r} has the unknown type {field.type!r}")
        if not field.name or field.name.lower() in seen:
            raise Malformed(f"RecordSchema: the field name {field.name!r} is empty or not unique")
        seen.add(field.name.lower())
    if not fields:
        raise Malformed("RecordSchema: there are no fields")
    return Schema(fields)


def dump(schema: Schema) -> str:
    """The RecordSchema text of a Schema; `notnull` is written only where it holds, as the vendor's clients do."""
    fields: list[dict[str, Any]] = []
    for field in schema.fields:
        item: dict[str, Any] = {"name": field.name, "type": field.type, "comment": field.comment}
        fields.append({**item, "notnull": True} if field.notnull else item)
    return msgspec.json.encode({"fields": fields}).decode()


def columns(schema: Schema) -> tuple[Column, ...]:
    """The model's columns for the fields of a schema."""
    return tuple(Column(f.name, Kind(f.type), not f.notnull, f.comment) for f in schema.fields)


def schema_of(table_columns: tuple[Column, ...]) -> Schema:
    """The schema that has just these columns; Malformed where DataHub has no type for one (bytes, dates, documents)."""
    for column in table_columns:
        if column.kind.value not in TYPES:
            raise Malformed(f"column {column.name!r}: a TUPLE topic has no type for {column.kind.value}")
    return Schema(tuple(Field(c.name, c.kind.value, not c.nullable, c.comment) for c in table_columns))


def same_layout(one: Schema | None, other: Schema | None) -> bool:
    """Whether blocks of one topic are blocks of the other: equal names (letter case aside), types and null rules."""
    if one is None or other is None:
        return one is other
    return [(f.name.lower(), f.type, f.notnull) for f in one.fields] == [
        (f.name.lower(), f.type, f.notnull) for f in other.fields
    ]
