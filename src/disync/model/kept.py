"""Rows that a target refused, as they were kept: JSON objects, which become rows again when they are to be replayed."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from disync.model.data import Batch, Column, Position, Table, record_batch
from disync.model.types import Kind

_INTEGERS = frozenset(
    {Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP}
)
_WITHOUT_SCHEMA = (Column("data", Kind.BYTES),)


@dataclass(frozen=True, slots=True)
class Kept:
    """A refused row whose replay was asked for by request number `request`. `table`: the name under which the target
    refused it. `row`: its values by column; some are cut or only shown where it was too
    large, or could not be read, and so is not `whole`."""

    id: int
    request: int
    table: str
    row: str
    whole: bool = True

    @property
    def position(self) -> Position:
        """Its place among all rows that are ever replayed, as (request, id)."""
        return Position(f"{self.request}/{self.id}")

    @property
    def named(self) -> Mapping[str, Any]:
        """The JSON values by column, in small letters, as a target may have other names than the source; nothing where
        the row is no JSON object."""
        try:
            found = msgspec.json.decode(self.row)
        except (msgspec.DecodeError, UnicodeError):
            return {}
        return {name.lower(): value for name, value in found.items()} if isinstance(found, dict) else {}


def stored(table: Table, rows: Sequence[Kept]) -> Iterator[Batch]:
    """The rows as they were kept, each a batch of its own; none for a row that does not come back exactly."""
    written = replace(table, columns=table.columns or _WITHOUT_SCHEMA)
    for row in rows:
        named = row.named
        try:
            values = [_field(named, column, bool(table.columns)) for column in written.columns]
        except (ValueError, TypeError, OverflowError):
            continue
        if row.whole and named:
            yield Batch(table, record_batch(written, [values]), None, row.position)


def value(kind: Kind, found: Any) -> Any:
    """A JSON value in the storage of `kind`; ValueError or TypeError where it is none of that kind."""
    if found is None:
        return None
    if kind in _INTEGERS:
        if isinstance(found, (float, bool)):
            raise ValueError(f"{found} is no whole number")
        return int(found)
    if kind in (Kind.FLOAT, Kind.DOUBLE):
        return float(found)
    if kind is Kind.BYTES:
        return base64.b64decode(found, validate=True)
    if kind is Kind.BOOLEAN:
        return _boolean(found)
    return found if isinstance(found, str) else str(found)


def _boolean(found: Any) -> bool:
    """Also as the text that DataHub has for it."""
    text = str(found).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{text} is no boolean")
    return text == "true"


def _field(named: Mapping[str, Any], column: Column, typed: bool) -> Any:
    """A field of a row. Bytes that are no text have `:base64` after their name where others are kept as text."""
    encoded = named.get(f"{column.name.lower()}:base64")
    if encoded is not None:
        return base64.b64decode(encoded, validate=True)
    found = named.get(column.name.lower())
    if found is not None and not typed:
        return str(found).encode()
    return value(column.kind, found)
