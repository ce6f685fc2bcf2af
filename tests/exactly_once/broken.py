"""Engines and targets that break the order on purpose: the trial must find each of them out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from crash import Gate, gated
from host import Part

from disync.engine.plan import Pipeline
from disync.engine.task import Run
from disync.model.connector import ChangeReader, Sink, Writer
from disync.model.data import Batch, Dirty, Position, SchemaChange, Table
from disync.model.run import Checkpoint, Split, Tally


class SavesFirst(Run):
    """The position is in the store before the rows are in the target."""

    def save(self, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None:
        self._ledger.save(checkpoint, [], tally)
        sink.flush(checkpoint)


class AcksFirst(Run):
    """The source may forget what the store does not yet know to be durable."""

    def save(self, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None:
        if isinstance(self._pipeline.reader, ChangeReader):
            self._pipeline.reader.ack(Split(checkpoint.split, Table(checkpoint.split)), checkpoint.position)
        super().save(checkpoint, sink, tally)


class ApartSink(Sink):
    """Rows and checkpoint are committed one after the other, in two transactions."""

    keeps_checkpoint = True

    def __init__(self, inner: Sink, rows_first: bool) -> None:
        self._inner, self._rows_first = inner, rows_first
        self._held: list[Batch] = []
        self._before: Position | None = None

    def write(self, batch: Batch) -> None:
        self._held.append(batch)

    def alter(self, change: SchemaChange) -> None:
        self._inner.alter(change)

    def last(self) -> Checkpoint | None:
        found = self._inner.last()
        self._before = found.position if found else None
        return found

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        if not self._rows_first:
            self._inner.flush(checkpoint)
        for batch in self._held:
            self._inner.write(batch)
        self._held.clear()
        if self._rows_first and self._before is not None:
            self._inner.flush(replace(checkpoint, position=self._before, done=False))
        self._before = checkpoint.position
        return self._inner.flush(checkpoint)

    def close(self) -> None:
        self._inner.close()


class ApartWriter(Writer):
    def __init__(self, inner: Writer, rows_first: bool) -> None:
        self._inner, self._rows_first = inner, rows_first

    def check(self) -> list[str]:
        return self._inner.check()

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        self._inner.prepare(tables)

    def open(self, split: Split) -> Sink:
        return ApartSink(self._inner.open(split), self._rows_first)

    def close(self) -> None:
        self._inner.close()


class Hasty(Part):
    run = SavesFirst


class Forgetful(Part):
    run = AcksFirst


class Apart(Part):
    def __init__(self, rows_first: bool) -> None:
        self._rows_first = rows_first

    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        behind = gated(pipeline, gate)
        return replace(behind, writer=ApartWriter(behind.writer, self._rows_first))
