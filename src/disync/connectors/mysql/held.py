"""Rows that wait to be handed on: those of whole transactions apart from those of the one that is being read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from disync.connectors.mysql.binlog.rows import Change, Row
from disync.model.data import Batch, Position, Table, record_batch


@dataclass(slots=True)
class Held:
    """Rows by table, each table's in the order of the log. `size`: bytes they took in the log."""

    tables: dict[Table, tuple[list[Row], list[str]]] = field(default_factory=dict)
    count: int = 0
    size: int = 0

    def add(self, table: Table, changes: Sequence[Change], size: int) -> None:
        rows, ops = self.tables.setdefault(table, ([], []))
        rows.extend(change.row for change in changes)
        ops.extend(change.op for change in changes)
        self.count += len(changes)
        self.size += size

    def absorb(self, other: Held) -> None:
        for table, (rows, ops) in other.tables.items():
            mine = self.tables.setdefault(table, ([], []))
            mine[0].extend(rows)
            mine[1].extend(ops)
        self.count += other.count
        self.size += other.size
        other.clear()

    def clear(self) -> None:
        self.tables.clear()
        self.count = self.size = 0

    def batches(self, before: Position, after: Position) -> Iterator[Batch]:
        """A batch for each table; only the last one's position is `after`. Nothing is held any more."""
        held = list(self.tables.items())
        self.clear()
        for place, (table, (rows, ops)) in enumerate(held):
            position = after if place == len(held) - 1 else before
            yield Batch(table, record_batch(table, rows), "".join(ops).encode(), position)
