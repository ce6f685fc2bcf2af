"""One table of a sink: takes batches, and puts what they come to into the table, set by set, inside a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import psycopg

from disync.connectors.postgres import fields, sql
from disync.connectors.postgres.catalog import Target
from disync.connectors.postgres.connection import Connection, of_the_row, reason
from disync.connectors.postgres.latest import Latest
from disync.connectors.postgres.mapping import Mapping, Row, changes_in
from disync.connectors.postgres.sql import Relation
from disync.model.data import Batch, Dirty, Table
from disync.model.errors import BadConfig

_STAGES = count(1)


class Lane:
    """Rows wait here until `apply`. A full load is copied straight in; changes are folded, staged and merged.

    The caller owns the transaction. What a failed `apply` leaves is for the caller to roll back.
    """

    def __init__(self, connection: Connection, target: Target, table: Table, append: bool, ignore: bool) -> None:
        self._connection = connection
        self._target = target
        self._ignore = ignore
        self.mapping = Mapping(table, target, append)
        self._loads: list[Row] = []
        self._changes = Latest(ignore)
        self._dirty: list[Dirty] = []
        self._stages: dict[bool, Relation] = {}
        self._filled: set[bool] = set()
        self._overlaps = False

    def take(self, batch: Batch, sequence: int, now_ms: int) -> int:
        """Take a batch that has this lane's table; returns the sequence number after it."""
        rows = self.mapping.rows(batch, sequence, now_ms)
        if self.mapping.append or batch.ops is None:
            if len(self._changes):
                self._dirty += self.apply()
            self._refuse([row for row in rows if row.reason is not None])
            self._loads += [row for row in rows if row.reason is None]
            return sequence + changes_in(batch.ops) if batch.ops else sequence + batch.count
        if not self.mapping.keys:
            raise BadConfig(
                f"Changes of {batch.table.name} cannot be repeated, as it has no key. Give it a primary key, or set "
                "`writeMode` to insert, which appends every change as a row."
            )
        if self._loads:
            self._dirty += self.apply()
        self._refuse(self._changes.take(rows))
        return sequence

    def apply(self) -> list[Dirty]:
        """Put everything that waits into the table; returns what was refused."""
        loads, self._loads = self._loads, []
        changes, self._changes = self._changes, Latest(self._ignore)
        if loads and not self._copied(loads):
            if self.mapping.keys:
                changes.take(loads)
            else:
                self._each(loads, self._copy)
        if len(changes):
            self._open_stages()
        self._each(changes.gone(), self._delete)
        self._each(changes.live(new=False), self._replace)
        self._each(changes.live(new=True), self._add)
        dirty, self._dirty = self._dirty, []
        return dirty

    def committed(self) -> None:
        self._filled.clear()  # stages are empty after every commit

    def _refuse(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._dirty.append(row.dirty(self._name, row.reason or "it has no key"))

    @property
    def _name(self) -> str:
        return f"{self._target.relation.schema}.{self._target.relation.name}"

    def _each(self, rows: Sequence[Row], put: Callable[[Sequence[Row]], None]) -> None:
        """Put rows, all at once if the server takes them all, else halves of them until the refused ones are found."""
        if not rows:
            return
        try:
            with self._connection.transaction():
                put(rows)
        except psycopg.Error as error:
            if not of_the_row(error):
                raise
            if len(rows) == 1:
                self._dirty.append(rows[0].dirty(self._name, reason(error)))
                return
            middle = len(rows) // 2
            self._each(rows[:middle], put)
            self._each(rows[middle:], put)

    def _copied(self, rows: Sequence[Row]) -> bool:
        """Whether all rows went straight into the table. Where keys were there already they are merged from now on."""
        if self._overlaps:
            return False
        try:
            with self._connection.transaction():
                self._copy(rows)
        except psycopg.Error as error:
            if not of_the_row(error):
                raise
            self._overlaps = bool(self.mapping.keys) and isinstance(error, psycopg.errors.UniqueViolation)
            return False
        return True

    def _copy(self, rows: Sequence[Row]) -> None:
        self._fill(self._target.relation, self.mapping.columns, [row.data for row in rows])

    def _delete(self, rows: Sequence[Row]) -> None:
        stage = self._staged(True, self.mapping.keys, [row.gone for row in rows])
        self._execute(sql.delete_staged(self._target.relation, stage, self.mapping.keys))

    def _add(self, rows: Sequence[Row]) -> None:
        self._merge(rows, ignore=True)

    def _replace(self, rows: Sequence[Row]) -> None:
        """Where more than the key is unique, rows may swap values: then all of them leave before they come back."""
        if len(self._target.unique) < 2 or not self.mapping.whole:
            self._merge(rows, ignore=False)
            return
        try:
            with self._connection.transaction():
                self._merge(rows, ignore=False)
        except psycopg.errors.UniqueViolation:
            self._delete(rows)
            self._merge(rows, ignore=False)

    def _merge(self, rows: Sequence[Row], ignore: bool) -> None:
        columns, keys = self.mapping.columns, self.mapping.keys
        stage = self._staged(False, columns, [row.data for row in rows])
        identity = any(column.identity for column in self._target.columns)
        insert = sql.insert_staged(self._target.relation, stage, columns, identity)
        self._execute(insert + sql.on_conflict(keys, columns, ignore))

    def _open_stages(self) -> None:
        """Two temporary tables, for keys that are gone and for rows; made outside of savepoints, as they are kept."""
        if self._stages:
            return
        for gone, columns in ((True, self.mapping.keys), (False, self.mapping.columns)):
            stage = Relation(None, f"disync_stage_{next(_STAGES)}")
            self._execute(sql.create_stage(stage, self._target.relation, columns))
            self._stages[gone] = stage

    def _staged(self, gone: bool, columns: Sequence[str], lines: Sequence[bytes]) -> Relation:
        """The stage, holding exactly these rows."""
        stage = self._stages[gone]
        if gone in self._filled:
            self._execute(f"TRUNCATE {stage}")
        self._filled.add(gone)
        self._fill(stage, columns, lines)
        return stage

    def _fill(self, relation: Relation, columns: Sequence[str], lines: Sequence[bytes]) -> None:
        with (
            self._connection.cursor() as cursor,
            cursor.copy(sql.copy_in(relation, columns).encode()) as copy,
        ):
            copy.write(b"".join((fields.HEADER, *lines, fields.TRAILER)))

    def _execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())
