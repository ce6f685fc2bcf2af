"""TABLE_MAP + the table as the server declares it → how to read its rows, decided once per TABLE_MAP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from disync.connectors.mysql import charsets, encoded
from disync.connectors.mysql.binlog.errors import NotServed
from disync.connectors.mysql.binlog.fields import Field, field, fits
from disync.connectors.mysql.binlog.tablemap import Stored, TableMap
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.types import Native
from disync.model.data import Table
from disync.native.columns import Columns


@dataclass(frozen=True)
class Plan:
    """How rows of a table lie in the log. `table` has the columns that they had when they were written."""

    place: Name
    table: Table
    natives: tuple[Native, ...]
    stored: tuple[Stored, ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """For Python."""
        return tuple(field(native, stored) for native, stored in zip(self.natives, self.stored, strict=True))

    @cached_property
    def virtual(self) -> tuple[bool, ...]:
        return tuple(native.virtual for native in self.natives)

    @cached_property
    def columns(self) -> Columns:
        """For the compiled loop."""
        return encoded.of_log(self.natives, self.stored)


def plan(map_: TableMap, shape: Shape, doubtful: bool, grown: bool) -> Plan:
    """The plan for rows of a table that is now as `shape` says.

    `doubtful`: the table was altered after these rows were written. Then the columns' names must be in the log, or, if
    all that happened to the table is that it has `grown` at its end, its first columns are taken.
    """
    natives = _by_name(map_, shape) if map_.names is not None else _by_place(map_, shape, doubtful, grown)
    if natives is None or not all(fits(n, stored) for n, stored in zip(natives, map_.columns, strict=True)):
        raise NotServed(
            f"The log holds rows of {map_.database}.{map_.name} that were written before the table was altered, and "
            "does not say how. Set binlog_row_metadata = FULL on the server so that this cannot happen, and load this "
            "table again.",
            [shape.table.name],
        )
    columns = {column.name: column for column in shape.table.columns}
    table = shape.table
    if len(natives) < len(shape.natives) or natives != shape.natives:
        table = replace(table, columns=tuple(columns[native.name] for native in natives))
    return Plan(shape.place, table, natives, map_.columns)


def _by_name(map_: TableMap, shape: Shape) -> tuple[Native, ...] | None:
    natives: Mapping[str, Native] = {native.name: native for native in shape.natives}
    names = map_.names or ()
    if not all(name in natives for name in names):
        return None
    members = {"enum": iter(map_.enums), "set": iter(map_.sets)}
    return tuple(_as_listed(natives[name], members) for name in names)


def _as_listed(native: Native, members: Mapping[str, Iterator[tuple[bytes, ...]]]) -> Native:
    """An ENUM or SET with the members that it had when the rows were written."""
    listed = next(members[native.type], None) if native.type in members else None
    decode = charsets.decoder(native.charset)
    if listed is None or decode is None:
        return native
    try:
        labels = tuple(decode(label) for label in listed)
    except UnicodeDecodeError:
        return native
    quoted = ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in labels)
    return native if labels == native.labels else replace(native, full=f"{native.type}({quoted})")


def _by_place(map_: TableMap, shape: Shape, doubtful: bool, grown: bool) -> tuple[Native, ...] | None:
    count = len(map_.columns)
    if count == len(shape.natives) and (not doubtful or grown):
        return shape.natives
    # A DDL that follows closely may already be in what the server describes while its event is still to come.
    return shape.natives[:count] if count < len(shape.natives) and (grown or not doubtful) else None
