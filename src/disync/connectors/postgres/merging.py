"""Sets of rows, put into a table or taken out of it: few of them by a statement that they are bound to, many through a
temporary table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import psycopg

from disync.connectors.postgres import fields, sql
from disync.connectors.postgres.catalog import Target
from disync.connectors.postgres.connection import Bound, Connection
from disync.connectors.postgres.copying import PIECE
from disync.connectors.postgres.mapping import Mapping
from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.stages import Pair, Stages
from disync.native import rows

FEW_VALUES = 500
"""Of one statement. More are quicker by COPY into a temporary table, with what a commit then takes to empty that."""


class Merging:
    """`put` is told how many rows were sent, and how many of them the server has taken."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        mapping: Mapping,
        stages: Stages,
        put: Callable[[int, int], None],
    ) -> None:
        self._connection = connection
        self._target = target
        self._mapping = mapping
        self._stages = stages
        self._put = put
        self._staged: Pair | None = None
        self._identity = any(column.identity for column in target.columns)

    def begin(self, number: int) -> None:
        """So many rows are to come and to go now. Called outside of savepoints, as temporary tables are kept beyond
        them."""
        many = number * len(self._mapping.columns) > FEW_VALUES
        self._staged = self._stage() if many and not self._stages.full else None

    def stage(self) -> bool:
        """Put all through temporary tables from now on: then the server names the column that it refuses. Whether that
        is new. Called outside of savepoints."""
        new = self._staged is None
        self._staged = self._stage()
        return new

    def delete(self, keys: bytes) -> None:
        relation, names = self._target.relation, self._mapping.keys
        if self._staged is None:
            for values, number in _few(keys, names):
                self._execute(sql.delete_bound(relation, names, number), values)
            return
        self._fill(self._staged.keys, names, keys)
        self._execute(sql.delete_staged(relation, self._staged.keys, names))

    def add(self, lines: bytes) -> None:
        """Where rows of the same keys are there, these stay."""
        self._merge(lines, ignore=True)

    def replace(self, lines: bytes) -> None:
        """Where more than the key is unique, rows may swap values: then all of them leave before they come back."""
        if len(self._target.unique) < 2 or not self._mapping.whole:
            self._merge(lines, ignore=False)
            return
        try:
            with self._connection.transaction():
                self._merge(lines, ignore=False)
        except psycopg.errors.UniqueViolation:
            self.delete(rows.project(lines, self._mapping.key_places))
            self._merge(lines, ignore=False)

    def _stage(self) -> Pair:
        return self._stages.open(self._target.relation, self._mapping.columns, self._mapping.keys)

    def _merge(self, lines: bytes, ignore: bool) -> None:
        columns, keys = self._mapping.columns, self._mapping.keys
        conflict = sql.on_conflict(keys, columns, ignore)
        into = sql.insert_into(self._target.relation, columns, self._identity)
        if self._staged is None:
            taken = sum(
                self._execute(into + sql.bound(len(columns), number) + conflict, values)
                for values, number in _few(lines, columns)
            )
        else:
            self._fill(self._staged.rows, columns, lines)
            taken = self._execute(into + sql.select_staged(self._staged.rows, columns) + conflict)
        if sql.replaces(keys, columns, ignore):  # else nobody knows how many were there
            self._put(rows.count(lines), taken)

    def _fill(self, stage: Relation, columns: Sequence[str], lines: bytes) -> None:
        """Have exactly these rows in it."""
        self._stages.empty(stage)
        copy_rows(self._connection, stage, columns, lines)

    def _execute(self, statement: str, values: Sequence[Bound | None] = ()) -> int:
        """How many rows it was about, as the server says."""
        return self._connection.execute(statement.encode(), values or None).rowcount


def copy_rows(connection: Connection, relation: Relation, columns: Sequence[str], lines: bytes) -> int:
    """How many rows the server has taken."""
    with connection.cursor() as cursor:
        with cursor.copy(sql.copy_in(relation, columns).encode()) as copy:
            copy.write(fields.HEADER)
            view = memoryview(lines)
            for at in range(0, len(view), PIECE):
                copy.write(view[at : at + PIECE])
            copy.write(fields.TRAILER)
        return cursor.rowcount


def _few(lines: bytes, columns: Sequence[str]) -> Iterator[tuple[list[Bound | None], int]]:
    """The values of some rows at once, and how many rows they are."""
    found = rows.fields(lines)
    step = max(1, FEW_VALUES // len(columns))
    for begin in range(0, len(found), step):
        some = found[begin : begin + step]
        yield [None if field is None else Bound(field) for row in some for field in row], len(some)
