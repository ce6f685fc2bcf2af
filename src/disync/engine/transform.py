"""What the source says → what the target is to hold: other names, columns that are added, changes that are left out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog

from disync.engine.ruling import ruled
from disync.model.data import Batch, Column, Encoded, SchemaChange, Table, record_batch, rows_of
from disync.model.errors import BadConfig
from disync.model.table_mapping import DELETED, Added, Route, TableMappings
from disync.native import rows
from disync.native.pgcopy import field

log = structlog.get_logger()

_WHOLE_TABLE = frozenset({"DROPTABLE", "TRUNCATETABLE", "RENAMETABLE", "DROPCOLUMN", "RENAMECOLUMN"})
"""Changes that a target of several tables does not follow when only one of them has it."""


class Transform:
    """Pure but for the clock: the same rows become the same rows. Threads of one run share it."""

    def __init__(self, mappings: TableMappings, lenient: bool = False) -> None:
        """`lenient`: targets may be without any column: somebody has said so."""
        self._mappings = mappings
        self._lenient = lenient
        self._omitted: dict[str, frozenset[str]] = {}
        self._routes: dict[Table, Route] = {}
        self._merged: frozenset[str] = frozenset()

    def routes(self, tables: Sequence[Table]) -> list[Route]:
        """One a table, for all tables of a run. BadConfig where two would meet in one target by mistake."""
        found = self._mappings.routes(tables)
        self._merged = frozenset(route.target.name for route in found if route.merged)
        self._routes = {}
        return found

    def omit(self, table: str, columns: frozenset[str]) -> None:
        """The target of this table of the source goes without these columns, and no others."""
        self._omitted[table] = columns
        self._routes = {source: route for source, route in self._routes.items() if source.name != table}

    def batch(self, batch: Batch, again: bool = False) -> Batch:
        """Rows for the target; maybe none of them. `again`: they are written once more (`Reader.reread`)."""
        route = self._route(batch.table)
        if route.rows_as_they_are:
            return replace(batch, table=route.target)
        return _changed(batch, route, again)

    def change(self, change: SchemaChange) -> SchemaChange | None:
        """The change for the target; None where it is not to follow. Of a target of several tables nobody knows which
        of its rows a column fills."""
        before, after = self._route(change.before), self._route(change.after)
        if change.kind in _WHOLE_TABLE and before.merged:
            log.warning("a target of several tables does not follow", kind=change.kind, table=change.before.name)
            return None
        together = [self.change(one) for one in change.together]
        if None in together:
            return None
        filled = () if before.merged else change.filled
        more = tuple(one for one in together if one is not None)
        return replace(change, before=before.target, after=after.target, together=more, filled=filled)

    def _route(self, table: Table) -> Route:
        found = self._routes.get(table)
        if found is None:
            route = self._mappings.route(table) if table.columns else self._bare(table)
            target = replace(route.target, columns=tuple(self._excused(table, one) for one in route.target.columns))
            found = replace(route, target=target, merged=route.target.name in self._merged)
            self._routes[table] = found
        return found

    def _excused(self, table: Table, column: Column) -> Column:
        without = self._lenient or column.name in self._omitted.get(table.name, ())
        return replace(column, optional=True) if without else column

    def _bare(self, table: Table) -> Route:
        """Of a table that is gone only the name counts."""
        route = self._mappings.route(replace(table, keys=()))
        return replace(route, source=table)


def targets(routes: Sequence[Route]) -> list[Table]:
    """The tables of the target, each once: one of several sources has the columns of them all."""
    found: dict[tuple[str, ...], Table] = {}
    for route in routes:
        place = route.target.path or (route.target.name,)
        there = found.get(place)
        found[place] = _joined(there, route.target) if there else route.target
    return list(found.values())


def _joined(one: Table, other: Table) -> Table:
    both = {column.name.lower() for column in one.columns} & {column.name.lower() for column in other.columns}
    known = {c.name.lower(): c if c.name.lower() in both else replace(c, nullable=True) for c in one.columns}
    for column in other.columns:
        was = known.setdefault(column.name.lower(), replace(column, nullable=True))
        if was.kind is not column.kind:
            raise BadConfig(
                f"Tables that become {one.name} differ in column {column.name}: {was.kind} and {column.kind}. "
                "Make it the same in all of them, or leave some out."
            )
        known[column.name.lower()] = _wider(was, column)
    return replace(one, columns=tuple(known.values()))


def _wider(one: Column, other: Column) -> Column:
    return replace(
        one,
        nullable=one.nullable or other.nullable,
        length=_most(one.length, other.length),
        precision=_most(one.precision, other.precision),
        scale=_most(one.scale, other.scale),
    )


def _most(one: int | None, other: int | None) -> int | None:
    """None has no limit."""
    return None if one is None or other is None else max(one, other)


def _changed(batch: Batch, route: Route, again: bool) -> Batch:
    found = ruled(batch, route.dml, again)
    ops, mask, gone = found.ops, found.mask, found.gone
    if again and gone == b"\x01":
        return _marked(batch, route)
    if isinstance(batch.rows, Encoded):
        lines = batch.rows.buffers[0]
        if mask is not None:
            lines = rows.select(lines, mask)
        if route.added:
            tails = [b"".join(_field(one, deleted) for one in route.added) for deleted in (False, True)]
            lines = rows.extend(lines, len(route.added), tails, gone)
        count = batch.rows.count if mask is None else sum(mask)
        return replace(batch, table=route.target, rows=Encoded(batch.rows.format, (lines,), count), ops=ops)
    kept = [row for place, row in enumerate(rows_of(batch.rows)) if mask is None or mask[place]]
    longer = [
        (*row, *(_value(one, bool(gone) and bool(gone[place])) for one in route.added))
        for place, row in enumerate(kept)
    ]
    return replace(batch, table=route.target, rows=record_batch(route.target, longer), ops=ops)


def _marked(batch: Batch, route: Route) -> Batch:
    """A row that is gone, of which there is no more than its key: it is marked, and keeps what else it has."""
    assert not isinstance(batch.rows, Encoded), "what is read again comes as Arrow"
    (row,) = rows_of(batch.rows)
    known = {column.name: value for column, value in zip(batch.table.columns, row, strict=True)}
    known |= {one.column.name: _value(one, True) for one in route.added}
    columns = tuple(c for c in route.target.columns if c.name in route.target.keys or c.name == DELETED.name)
    table = replace(route.target, columns=columns)
    return replace(batch, table=table, rows=record_batch(table, [[known[c.name] for c in columns]]), ops=b"U")


def _value(added: Added, deleted: bool) -> Any:
    if added.column is DELETED:
        return deleted
    return added.value if added.value is not None else time.time_ns() // 1_000_000


def _field(added: Added, deleted: bool) -> bytes:
    return field(added.column.kind, _value(added, deleted))
