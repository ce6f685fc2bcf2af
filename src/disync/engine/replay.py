"""Rows that the target refused, written again once they or the target were mended.

It is done when a run begins, before any log is followed. A source with keys is asked for the rows as they are now,
which is not before the place where the log will be taken up; what the log says of them since comes afterwards, in its
order. So no value that was replayed can outlive a newer one. It may be done twice: a crash in the middle repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Protocol

import structlog

from disync.engine.ledger import Ledger
from disync.engine.pairs import keys_of
from disync.engine.plan import Pipeline
from disync.engine.reunion import fence
from disync.model import kept
from disync.model.connector import Sink
from disync.model.data import Batch, Dirty, Table
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.model.table_mapping import Route
from disync.model.types import Kind

log = structlog.get_logger()

SPLIT = "replay"
"""The split under which a target that keeps checkpoints keeps how far this has come."""
CHUNK_ROWS = 500

_IN_THE_SOURCE = "(source)"
_NO_TABLE = "no table of the source is written there any more, or several are, and the row does not tell which"
_NO_ROW = "the source cannot be asked for this row, nor does it come back as it was kept: mend the target, and drop it"


class Host(Protocol):
    """The run that this is a part of."""

    @property
    def halted(self) -> bool: ...

    def admit(self, size: int) -> None: ...

    def changes_by_key(self, table: Table) -> None: ...


class Replay:
    def __init__(self, host: Host, pipeline: Pipeline, task: Task, ledger: Ledger) -> None:
        self._host = host
        self._task = task
        self._pipeline = pipeline
        self._ledger = ledger
        self._again = 0
        self._routes = pipeline.routes

    def go(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Replay all rows that are asked for, or those there was time for until the run was halted."""
        rows = self._ledger.asked()
        if not rows:
            return
        log.info("replay of refused rows begins", task=self._task.id, rows=len(rows))
        self._fence(checkpoints)
        sink = self._pipeline.writer.open(Split(SPLIT, Table(SPLIT)))
        try:
            rows = self._without_the_last(rows, sink.last())
            for start in range(0, len(rows), CHUNK_ROWS):
                if self._host.halted:
                    return
                self._chunk(rows[start : start + CHUNK_ROWS], sink)
            log.info("replay of refused rows ends", task=self._task.id, refused_again=self._again)
        finally:
            sink.close()

    def _fence(self, checkpoints: Mapping[str, Checkpoint]) -> None:
        """Make the target take nothing more from an earlier run that does not know yet that it is over: whatever the
        target holds of the log was written before the source is asked."""
        for stream in self._pipeline.streams(()):
            fence(self._pipeline.writer, stream, checkpoints.get(stream.id), self._task.epoch)

    def _without_the_last(self, rows: Sequence[Kept], last: Checkpoint | None) -> Sequence[Kept]:
        """A row that was appended when an earlier run died: the target says what came of it, before it comes twice."""
        row = next((row for row in rows if last is not None and row.position == last.position and not last.done), None)
        if row is None or last is None:
            return rows
        self._settle({row.id: last.refused[0].reason if last.refused else None}, Tally(rows_read=1, rows_written=1))
        return [other for other in rows if other is not row]

    def _chunk(self, rows: Sequence[Kept], sink: Sink) -> None:
        """What is asked of the source goes together, and one by one only where some of it is refused: then it is not
        told which. What is written as it was kept goes one by one, so that nothing is appended twice."""
        by_position = {row.position: row for row in rows}
        outcomes: dict[int, str | None] = dict.fromkeys((row.id for row in rows), _NO_ROW)
        together: list[Batch] = []
        for batch in self._batches(rows, outcomes):
            if batch.ops is None:
                row = by_position[batch.position]
                del outcomes[row.id]
                self._one(row, batch, sink, done=False)
            else:
                together.append(batch)
        tally = Tally()
        if together:
            refused = self._flush(together, sink)
            for batch in together:
                row = by_position[batch.position]
                if refused:
                    self._one(row, batch, sink, done=True)
                    del outcomes[row.id]
                else:
                    outcomes[row.id] = None
                    tally += Tally(rows_read=1, bytes_read=batch.size, rows_written=1)
        self._settle(outcomes, tally)

    def _one(self, row: Kept, batch: Batch, sink: Sink, done: bool) -> None:
        refused = self._flush([batch], sink, done)
        reason = refused[0].reason if refused else None
        self._settle({row.id: reason}, Tally(rows_read=1, bytes_read=batch.size, rows_written=0 if refused else 1))

    def _flush(self, batches: Sequence[Batch], sink: Sink, done: bool = True) -> Sequence[Dirty]:
        """Write, and make it durable; what was refused. `done`: it may be written again by a run that comes after."""
        for batch in batches:
            self._host.admit(batch.size)
            sink.write(self._pipeline.transform.batch(batch, again=True))
        return sink.flush(Checkpoint(SPLIT, batches[-1].position, self._task.epoch, done))

    def _settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        self._ledger.settle(outcomes, tally)
        self._again += sum(reason is not None for reason in outcomes.values())

    def _batches(self, rows: Sequence[Kept], outcomes: dict[int, str | None]) -> Iterator[Batch]:
        for name, group in groupby(sorted(rows, key=lambda row: row.table), key=lambda row: row.table):
            of_table = list(group)
            table = source_of(name, self._routes)
            if table is None:
                outcomes.update(dict.fromkeys((row.id for row in of_table), _NO_TABLE))
            elif not self._pipeline.writer.adds_only:
                self._host.changes_by_key(table)
                yield from self._pipeline.reader.reread(asked_by(name, table, self._routes), of_table)
            elif not any(column.kind is Kind.BYTES for column in table.columns):
                # Such a target keeps bytes as the text they are, if they are any: they might come back as others.
                yield from kept.stored(table, of_table)


def of_source(table: Table) -> str:
    """A name for rows of a source's table that no target has refused (`source_of`)."""
    return f"{table.name} {_IN_THE_SOURCE}"


def asked_by(name: str, table: Table, routes: Sequence[Route]) -> Table:
    """The source's table with the key by which its rows are named: that of the target where no target has refused
    them."""
    route = next((route for route in routes if route.source is table), None)
    return replace(table, keys=keys_of(route)) if route is not None and name == of_source(table) else table


def source_of(name: str, routes: Sequence[Route]) -> Table | None:
    """The source's table that is written as `name`: a target may put its schema before it, or rename the only one. Of a
    target of several tables nobody knows which of them a row came from."""
    named, _, where = name.rpartition(" ")
    if where == _IN_THE_SOURCE:
        return next((route.source for route in routes if route.source.name == named), None)
    behind = [route for route in routes if name == route.target.name or name.endswith(f".{route.target.name}")]
    if behind:
        route = max(behind, key=lambda route: len(route.target.name))
        return None if route.merged else route.source
    return routes[0].source if len(routes) == 1 else None
