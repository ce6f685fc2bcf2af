"""Rows that wait to be handed on, as Arrow: those of whole transactions apart from those of the one being read.

What is compiled (`native.changelog.LogRows`) holds rows in the same way, as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from arro3.core import RecordBatch

from disync.connectors.mysql.binlog.rows import Change, Row
from disync.connectors.mysql.plans import Plan
from disync.model.data import record_batch


@dataclass(slots=True)
class _Rows:
    rows: list[Row] = field(default_factory=list)
    ops: list[str] = field(default_factory=list)
    whole: int = 0

    def take(self, count: int) -> tuple[list[Row], str]:
        rows, ops = self.rows[:count], self.ops[:count]
        del self.rows[:count], self.ops[:count]
        self.whole = 0
        return rows, "".join(ops)


@dataclass(slots=True)
class ArrowRows:
    """Rows by table, each table's in the order of the log. `count` rows of `size` bytes in the log are held, `whole` of
    them of ended transactions."""

    tables: dict[Plan, _Rows] = field(default_factory=dict)
    count: int = 0
    whole: int = 0
    size: int = 0

    def add(self, plan: Plan, changes: Sequence[Change], size: int) -> None:
        held = self.tables.setdefault(plan, _Rows())
        held.rows.extend(change.row for change in changes)
        held.ops.extend(change.op for change in changes)
        self.count += len(changes)
        self.size += size

    def end_transaction(self) -> None:
        """All rows held are of ended transactions from now on."""
        for held in self.tables.values():
            held.whole = len(held.rows)
        self.whole = self.count

    def take(self, whole: bool) -> list[tuple[Plan, RecordBatch, bytes]]:
        """Of each table that has some: its plan, rows and ops; of ended transactions only, or all of them."""
        found = []
        for plan, held in self.tables.items():
            if count := held.whole if whole else len(held.rows):
                rows, ops = held.take(count)
                found.append((plan, record_batch(plan.table, rows), ops.encode()))
        self.tables = {plan: held for plan, held in self.tables.items() if held.rows}
        self.count = sum(len(held.rows) for held in self.tables.values())
        self.size = self.size if self.count else 0
        self.whole = 0
        return found
