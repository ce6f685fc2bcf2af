"""The temporary tables of a session, into which rows are copied before they are merged.

A server has room for so many locks, one for each table that a transaction has touched; and a commit that was about any
temporary table empties all that its session has, which takes some 0.3 ms for each. So a session keeps few of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from disync.connectors.postgres import sql
from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.sql import Relation

MOST = 16
"""Tables for which a session has some, and for which a transaction uses them."""

_NUMBERS = count(1)


_Shape = tuple[Relation, tuple[str, ...], tuple[str, ...]]
"""A table, its columns and its keys."""


class Pair(NamedTuple):
    """For rows that are there, and for the keys of those that are gone."""

    rows: Relation
    keys: Relation


class Stages:
    """Those of one session. What is made is gone again when its transaction, or the savepoint that it was made in, is
    rolled back: `forget` is to be called then."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made: dict[_Shape, Pair] = {}
        self._used: set[_Shape] = set()
        self._filled: set[Relation] = set()
        self._left: list[Relation] = []

    @property
    def left(self) -> bool:
        """Whether there may be any in the session."""
        return bool(self._made or self._left)

    @property
    def full(self) -> bool:
        """Whether this transaction has used as many as it should."""
        return len(self._used) >= MOST

    def open(self, target: Relation, columns: Sequence[str], keys: Sequence[str]) -> Pair:
        """Those of a table, with these columns, made where they are not there."""
        shape = target, tuple(columns), tuple(keys)
        self._used.add(shape)
        if (pair := self._made.get(shape)) is not None:
            return pair
        if len(self._made) >= MOST:
            self.forget()
        if self._left:
            self._execute(f"DROP TABLE IF EXISTS {', '.join(map(str, self._left))}")
            self._left.clear()
        pair = self._made[shape] = Pair(*(Relation(None, f"disync_stage_{next(_NUMBERS)}") for _ in range(2)))
        self._execute(sql.create_stage(pair.rows, target, columns))
        self._execute(sql.create_stage(pair.keys, target, keys))
        return pair

    def empty(self, stage: Relation) -> None:
        """Have nothing of this transaction in it; something is to come."""
        if stage in self._filled:
            self._execute(f"TRUNCATE {stage}")
        self._filled.add(stage)

    def committed(self) -> None:
        """All are empty after every commit."""
        self._used.clear()
        self._filled.clear()

    def forget(self) -> None:
        """None of them is what it was; those that are there are dropped before another one is made."""
        self._left += [stage for pair in self._made.values() for stage in pair]
        self._made.clear()
        self._filled.clear()

    def _execute(self, statement: str) -> None:
        self._connection.execute(statement.encode())
