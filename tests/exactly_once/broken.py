"""Engines and targets that break the order on purpose: the trial must find each of them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from crash import Gate, gated
from host import Part
from turns import InTurn, Wrapped, opening

from disync.engine.plan import Pipeline
from disync.engine.reunion import Reunion
from disync.engine.task import Run
from disync.model.connector import ChangeReader, Parting, Sink, Writer
from disync.model.data import Batch, Dirty, Encoded, Position, SchemaChange, Table
from disync.model.run import Checkpoint, Split, Tally
from disync.native import rows


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


class CarelessSink(Sink):
    """Once, when it has been at work for a while, it writes the changes of a table so many times."""

    keeps_checkpoint = True
    AFTER = 20

    def __init__(self, inner: Sink, times: int) -> None:
        self._inner, self._times = inner, times
        self._writes = 0

    def write(self, batch: Batch) -> None:
        self._writes += batch.ops is not None
        careless = self._writes > self.AFTER and batch.ops is not None and batch.table.name != "tick"
        for _ in range(self._times if careless else 1):
            self._inner.write(batch)
        self._writes = -1_000_000 if careless else self._writes

    def alter(self, change: SchemaChange) -> None:
        self._inner.alter(change)

    def last(self) -> Checkpoint | None:
        return self._inner.last()

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        return self._inner.flush(checkpoint)

    def close(self) -> None:
        self._inner.close()


class PiecemealSink(Wrapped):
    """Rows of a table without a key are durable before all of them are there, though nobody can go on behind them: a
    load that is read anew should have emptied the table."""

    def __init__(self, inner: Sink, split: Split) -> None:
        super().__init__(inner)
        self._split = split

    def write(self, batch: Batch) -> None:
        super().write(batch)
        if _loads_whole(batch):
            self.flush(Checkpoint(self._split.id, batch.position, epoch=0))


class MergingSink(Wrapped):
    """Of rows that are equal in all they have it takes one."""

    def __init__(self, inner: Sink, _: Split) -> None:
        super().__init__(inner)

    def write(self, batch: Batch) -> None:
        if _loads_whole(batch) and isinstance(batch.rows, Encoded):
            different = tuple(dict.fromkeys(_one_by_one(batch.rows.buffers[0])))
            batch = replace(batch, rows=Encoded(batch.rows.format, (b"".join(different),), len(different)))
        super().write(batch)


def _loads_whole(batch: Batch) -> bool:
    return batch.ops is None and not batch.table.keys


def _one_by_one(lines: bytes) -> Iterator[bytes]:
    while lines:
        one = rows.cut(lines, 1)
        yield lines[:one]
        lines = lines[one:]


class _Forward(Reunion):
    def _once_more(self, lead: Sink, behind: Position, ahead: Position) -> Checkpoint | None:
        new = Checkpoint(self._stream.id, ahead, self._host.epoch)
        lead.flush(new)
        return new


class GoesOnFromTheFurthest(Run):
    """Sinks that are a step behind the furthest pass over that step."""

    def _open(self, split: Split, saved: Checkpoint | None) -> tuple[Sink, Checkpoint | None] | None:
        return _Forward(self, self._pipeline, split, saved).open() if split.endless else super()._open(split, saved)


class ByRow(Wrapped):
    """The changes of one key go to several sinks, by whatever the row holds."""

    def parting(self, table: Table) -> Parting:
        count = len(table.columns)
        return Parting(tuple(range(count)), ("plain",) * count)


class BrokenWriter(Writer):
    """`broken`: what becomes of each sink."""

    def __init__(self, inner: Writer, broken: Callable[[Sink], Sink]) -> None:
        self._inner, self._broken = inner, broken

    @property
    def appends(self) -> bool:
        return self._inner.appends

    def check(self) -> list[str]:
        return self._inner.check()

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        self._inner.prepare(tables)

    def open(self, split: Split) -> Sink:
        return self._broken(self._inner.open(split))

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
        return replace(behind, writer=BrokenWriter(behind.writer, lambda sink: ApartSink(sink, self._rows_first)))


class Careless(Part):
    def __init__(self, times: int) -> None:
        self._times = times

    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        behind = gated(pipeline, gate)
        return replace(behind, writer=BrokenWriter(behind.writer, lambda sink: CarelessSink(sink, self._times)))


class Forward(InTurn):
    run = GoesOnFromTheFurthest


class Scattered(InTurn):
    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        in_turn = super().pipeline(pipeline, gate)
        return replace(in_turn, writer=opening(in_turn.writer, ByRow))


class Loads(Part):
    """`broken`: what becomes of the sinks of a load."""

    def __init__(self, broken: Callable[[Sink, Split], Sink]) -> None:
        self._broken = broken

    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        behind = gated(pipeline, gate)
        writer = behind.writer

        def open_(_: Writer, split: Split) -> Sink:
            sink = writer.open(split)
            return sink if split.endless else self._broken(sink, split)

        return replace(behind, writer=type("Opening", (type(writer),), {"open": open_})())
