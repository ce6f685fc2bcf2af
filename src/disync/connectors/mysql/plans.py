"""TABLE_MAP + the table as the server declares it → how to read its rows, decided once per TABLE_MAP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from disync.connectors.mysql import encoded
from disync.connectors.mysql.binlog.errors import NotServed
from disync.connectors.mysql.binlog.fields import Field, field, fits
from disync.connectors.mysql.binlog.tablemap import Stored, TableMap
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.types import INTEGERS, Native, column_of
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


def gone(map_: TableMap, written: Sequence[Native], name: str) -> Shape | None:
    """A table of which nothing but its map is left; `name` is the one that it has in a task. None for a sequence of
    MariaDB, which is written to the log as if it were a table."""
    if {native.name for native in written} >= _SEQUENCE:
        return None
    keys = tuple(written[place] for place in map_.key)
    place = (map_.database, map_.name)
    table = Table(name, tuple(column_of(native) for native in written), tuple(key.name for key in keys), place)
    return Shape(*place, table, tuple(written), keys)


_SEQUENCE = frozenset({"next_not_cached_value", "minimum_value", "maximum_value", "cache_size", "cycle_count"})


def plan(map_: TableMap, shape: Shape, doubtful: bool, grown: bool, written: Sequence[Native] | None = None) -> Plan:
    """The plan for rows of a table that is now as `shape` says.

    `written`: its columns as the log describes them. Without these, and where the table was altered after the rows were
    written (`doubtful`), nothing is known, unless all that happened is that it has `grown` at its end.
    """
    natives = _by_place(map_, shape, doubtful, grown) if written is None else _as_written(map_, shape, written)
    if natives is None or not all(fits(n, stored) for n, stored in zip(natives, map_.columns, strict=True)):
        raise NotServed(
            f"The log holds rows of {map_.database}.{map_.name} that were written before the table was altered, and "
            "does not say how. Set binlog_row_metadata = FULL on the server so that this cannot happen, and load this "
            "table again.",
            [shape.table.name],
        )
    table = shape.table
    if natives != shape.natives:
        now = {native.name for native in shape.natives}
        columns = tuple(replace(column_of(native), optional=native.name not in now) for native in natives)
        table = replace(table, columns=columns, keys=_keys(map_, natives, table))
    return Plan(shape.place, table, natives, map_.columns)


def _as_written(map_: TableMap, shape: Shape, written: Sequence[Native]) -> tuple[Native, ...]:
    known = {native.name: native for native in shape.natives}
    pairs = zip(written, map_.columns, strict=True)
    return tuple(_declared(known.get(native.name), native, stored) for native, stored in pairs)


def _declared(now: Native | None, written: Native, stored: Stored) -> Native:
    """A column as it is declared now where its values still mean the same, or else as it was."""
    if now is None:
        return written
    if fits(now, stored) and _meaning(now) == _meaning(written):
        return now
    return replace(written, comment=now.comment, virtual=now.virtual)


def _meaning(native: Native) -> tuple[object, ...]:
    """What its bytes do not tell."""
    labels = native.labels if native.type in ("enum", "set") else ()
    return native.charset, native.type in INTEGERS and native.unsigned, labels


def _keys(map_: TableMap, natives: Sequence[Native], now: Table) -> tuple[str, ...]:
    """The key by the names that it had then. The log names a primary key only; another one is as it is now."""
    names = [native.name for native in natives]
    key = tuple(names[place] for place in map_.key)
    if key and set(key) != set(now.keys):
        return key
    if not set(now.keys).issubset(names):
        raise NotServed(
            f"The log holds rows of {map_.database}.{map_.name} from before its key ({', '.join(now.keys)}) was "
            "altered, and does not say which it was. Load this table again.",
            [now.name],
        )
    return now.keys


def _by_place(map_: TableMap, shape: Shape, doubtful: bool, grown: bool) -> tuple[Native, ...] | None:
    count = len(map_.columns)
    if count == len(shape.natives) and (not doubtful or grown):
        return shape.natives
    # A DDL that follows closely may already be in what the server describes while its event is still to come.
    return shape.natives[:count] if count < len(shape.natives) and (grown or not doubtful) else None
