"""Rows of a source's table as records of the target topic: columns by name, letter case aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from disync.connectors.datahub.layout import Shape
from disync.connectors.datahub.types import BLOB_COLUMN, layout_of
from disync.connectors.datahub.wire.entry import Entry
from disync.connectors.datahub.wire.schema import Schema, same_layout
from disync.connectors.datahub.wire.value import text_of
from disync.model.data import Table
from disync.model.errors import BadConfig
from disync.model.types import Kind

_EPOCH = datetime(1970, 1, 1)


class Mapping:
    """How rows of one table become records of one schema, the target's when the mapping was made (None: BLOB).

    A field without a column of its name is null; a column without a field of its name is left out. A BLOB record is
    the value of the table's only column, or else a JSON object of the row's texts. Bytes become the text they are in
    UTF-8; where they are none the row is refused.
    """

    def __init__(self, table: Table, shape: Shape, keys: Sequence[str]) -> None:
        target = shape.schema
        self.table = table
        self.source, known = _layout(table)
        self.target = target
        self.version = shape.version
        self.equal = known and same_layout(self.source, target)
        self._names = [column.name for column in table.columns or (BLOB_COLUMN,)]
        places = {name.lower(): place for place, name in enumerate(self._names)}
        missing = [key for key in keys if key.lower() not in places]
        if missing:
            raise BadConfig(f"keyColumns: the source has no column {missing[0]!r}.")
        self._keys = [places[key.lower()] for key in keys]
        fields = target.fields if target is not None else ()
        self._places = [places.get(field.name.lower()) for field in fields]
        if target is not None and all(place is None for place in self._places):
            raise BadConfig(f"Table {table.name} and the target topic have no column in common: {self._names}.")
        types = {field.name.lower(): field.type for field in fields}
        self._texts = [
            _text_maker(c.kind, types.get(c.name.lower(), "string")) for c in table.columns or (BLOB_COLUMN,)
        ]
        self.left_out = [name for name in self._names if name.lower() not in types]

    @property
    def keyed(self) -> bool:
        return bool(self._keys)

    def key(self, data: Sequence[bytes | None]) -> list[bytes | None]:
        """The key's values in a row of the source."""
        return [data[place] for place in self._keys]

    def entry(self, data: tuple[bytes | None, ...], attributes: dict[str, str]) -> Entry:
        """The target's record for a row of the source."""
        if self.equal:
            return Entry(data, attributes)
        if self.target is not None:
            return Entry(tuple([None if place is None else data[place] for place in self._places]), attributes)
        return Entry((data[0] if len(data) == 1 else self.row(data).encode(),), attributes)

    def texts(self, row: Sequence[Any]) -> tuple[bytes | None, ...]:
        """A row of Python values in the canonical form of the wire."""
        return tuple([None if value is None else to(value) for value, to in zip(row, self._texts, strict=True)])

    def row(self, data: Sequence[bytes | None]) -> str:
        """A row of the source as a JSON object, for people and for replay."""
        return as_json(self._names, data)


def _text_maker(kind: Kind, field_type: str) -> Callable[[Any], bytes]:
    """Value → canonical text. DataHub has neither days nor clock times without a zone: in a text field they are
    written as people write them, in any other as microseconds, the calendar taken as UTC's."""
    if kind is Kind.DATE:
        return _day_text if field_type == "string" else lambda days: b"%d" % (days * 86_400_000_000)
    if kind is Kind.DATETIME and field_type == "string":
        return _clock_text
    return text_of


def _day_text(days: int) -> bytes:
    return str(_EPOCH.date() + timedelta(days=days)).encode()


def _clock_text(microseconds: int) -> bytes:
    return str(_EPOCH + timedelta(microseconds=microseconds)).encode()


def _layout(table: Table) -> tuple[Schema | None, bool]:
    """The schema of a table, and whether it has one: no TUPLE topic has bytes beside other columns."""
    try:
        return layout_of(table), True
    except BadConfig:
        return None, False


def as_json(names: Sequence[str], data: Sequence[bytes | None]) -> str:
    """Names and texts as a JSON object; bytes that are no text are shown in base64 under `<name>:base64`."""
    shown: dict[str, Any] = {}
    for name, value in zip(names, data, strict=False):
        try:
            shown[name] = None if value is None else value.decode()
        except UnicodeDecodeError:
            shown[f"{name}:base64"] = value  # msgspec writes bytes as base64
    return msgspec.json.encode(shown).decode()
