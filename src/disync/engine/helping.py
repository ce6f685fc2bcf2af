"""Parts of other workers' full loads that this worker reads: see lending.py for the side of the run that has the task.

A seat reads the parts that it is given, one at a time, by a reader and a writer of its own, and says what became of
each. It decides nothing: what goes wrong here is read once more by the run that has the task, and goes wrong there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from disync.engine.ahead import Ahead
from disync.engine.delay import Delay
from disync.engine.lease import Clock
from disync.engine.ledger import Ledger
from disync.engine.lending import Back, Returned, shapes_of
from disync.engine.plan import PARALLEL, Pipeline, plan
from disync.engine.saving import catch_up, save
from disync.engine.split_run import SplitRun
from disync.model.connector import Sink
from disync.model.data import Batch, Dirty, Position, SchemaChange, Table
from disync.model.errors import DISyncError, Fenced
from disync.model.run import Checkpoint, Split, Tally, Task

log = structlog.get_logger()

MOST_SEATS = PARALLEL
"""That a worker takes at once."""

ASK_SECONDS = 1.0
"""Between two looks of a worker for a run that wants help: it costs the store as much as the look for runs to take."""

LOOK_SECONDS = 0.1
"""Between two looks of a seat that has nothing to read."""

HOLD_SECONDS = 2.0
"""Parts that were given so long ago and are not begun go back: somebody else may be idle."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """A seat that a worker has taken in the run of a task, which knows its tables in these `shapes`."""

    task: Task
    seat: str
    shapes: str


class Help(Protocol):
    """What a worker asks that helps others."""

    def sit(self, worker: str) -> Sitting | None:
        """Take a seat in a run that has one free; None: there is none."""

    def hold(self, worker: str) -> Set[str]:
        """Keep the worker's seats for LEASE_SECONDS more; those that are still wanted. It must leave all others."""

    def given(self, sitting: Sitting) -> Sequence[Split]:
        """The parts to read, but for those given back."""

    def give_back(self, sitting: Sitting, returned: Returned) -> None: ...

    def refuse(self, sitting: Sitting) -> None:
        """This worker is not to sit in that run any more."""

    def leave(self, sitting: Sitting) -> None:
        """Nobody reads there any more; what was given and not read goes back."""

    def ledger(self, sitting: Sitting) -> Ledger:
        """As of the run itself; it raises Fenced when the seat is given up, too."""


class Helping:
    """`worker`: its name. `most`: so many seats it takes at once, in all tasks together."""

    def __init__(self, worker: str, help: Help, most: int = MOST_SEATS) -> None:
        self._worker = worker
        self._help = help
        self._most = most
        self.read = 0
        """Parts that were read to their end."""
        self._lease = Clock()
        self._seats: dict[str, _Seat] = {}
        self._ask_at = 0.0

    def tend(self, free: bool) -> None:
        """Keep the seats that are wanted, and take one where some run has one, if this worker is `free`. Called at
        every tick of the worker."""
        if self._seats:
            before = time.monotonic()
            wanted = self._help.hold(self._worker)
            self._lease.renewed(before)
            for name, seat in list(self._seats.items()):
                if name not in wanted:
                    seat.stop()
        before = time.monotonic()
        if free and len(self._seats) < self._most and (sitting := self._ask()):
            self._lease.renewed(before)
            seat = self._seats[sitting.seat] = _Seat(sitting, self._help, self._lease, self._left)
            seat.start()

    def _ask(self) -> Sitting | None:
        """Who has found a seat may find another one at once."""
        now = time.monotonic()
        if now < self._ask_at:
            return None
        sitting = self._help.sit(self._worker)
        self._ask_at = 0.0 if sitting else now + ASK_SECONDS
        return sitting

    @property
    def sits(self) -> bool:
        return bool(self._seats)

    def stop(self, within: float) -> None:
        """Let every seat flush and leave."""
        seats = list(self._seats.values())
        for seat in seats:
            seat.stop()
        deadline = time.monotonic() + within
        for seat in seats:
            seat.thread.join(max(0.0, deadline - time.monotonic()))

    def _left(self, sitting: Sitting) -> None:
        seat = self._seats.pop(sitting.seat, None)
        self.read += seat.read if seat is not None else 0


class _Seat:
    """One seat, in a thread of its own; to the loop of a split it is the run that this is a part of."""

    def __init__(self, sitting: Sitting, help: Help, lease: Clock, left: Callable[[Sitting], object]) -> None:
        self._sitting = sitting
        self._task = replace(sitting.task, seat=sitting.seat)
        self._help = help
        self._ledger = help.ledger(sitting)
        self._lease = lease
        self._left = left
        self._stopping = threading.Event()
        self._pipeline: Pipeline | None = None
        self._whole = False
        """Whether the part that is being read has come to its end."""
        self.read = 0
        self.thread = threading.Thread(target=self._sit, name=f"seat-{sitting.seat}", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._pipeline is not None:
            self._pipeline.reader.close()

    def _sit(self) -> None:
        log.info("a worker helps", task=self._task.id, epoch=self._task.epoch, seat=self._sitting.seat)
        try:
            pipeline = self._pipeline = plan(self._task, frozenset(self._ledger.failed()))
            try:
                pipeline.omit(self._ledger.omitted())
                if shapes_of(pipeline.tables) != self._sitting.shapes:
                    # What the run finds when it reads them itself, and has rules for, would not be noticed here.
                    log.warning("tables were altered since the run began: no help", task=self._task.id)
                    self._help.refuse(self._sitting)
                    return
                self._read_on(pipeline, {table.name: table for table in pipeline.tables})
            finally:
                pipeline.close()
        except Exception as error:
            log.warning("a worker helps no more", task=self._task.id, seat=self._sitting.seat, error=str(error))
        finally:
            try:
                self._help.leave(self._sitting)
            except Exception as error:
                log.warning("a seat is left without a word", seat=self._sitting.seat, error=str(error))
            self._left(self._sitting)

    def _read_on(self, pipeline: Pipeline, tables: dict[str, Table]) -> None:
        while not self._stopping.is_set():
            since = time.monotonic()
            for split in (given := self._help.given(self._sitting)):
                if self._stopping.is_set():
                    return
                returned = Returned(split.id, Back.LEFT)
                if time.monotonic() - since < HOLD_SECONDS:
                    returned = self._part(pipeline, split, tables.get(split.table.name))
                self._help.give_back(self._sitting, returned)
                self.read += returned.back is Back.DONE
            if not given:
                self._stopping.wait(LOOK_SECONDS)

    def _part(self, pipeline: Pipeline, split: Split, table: Table | None) -> Returned:
        if table is None:
            return Returned(split.id, Back.FAILED, f"{split.table.name} is not in the source any more")
        try:
            whole = self._read(pipeline, replace(split, table=table, format=pipeline.format))
        except DISyncError as error:
            return Returned(split.id, Back.FAILED, f"{getattr(error, 'code', '')}: {error}")
        return Returned(split.id, Back.DONE if whole else Back.LEFT)

    def _read(self, pipeline: Pipeline, split: Split) -> bool:
        """Read a part from where the target has it. Whether it is read to its end."""
        self._whole = False
        sink = pipeline.writer.open(split)
        try:
            held = sink.last()  # be it of a newer run: then the first flush is refused
            if held is not None:
                catch_up(self._ledger, held, self._ledger.checkpoint(split.id), self.epoch)
            if held is not None and held.done:
                return True
            after = held.position if held else None
            with Ahead(pipeline.reader.read(split, after), f"ahead-{split.id}") as events:
                SplitRun(self, split, sink, after).take_all(events)
        finally:
            sink.close()
        return self._whole

    # What a SplitRun asks of its run.

    @property
    def epoch(self) -> int:
        return self._task.epoch

    @property
    def halted(self) -> bool:
        return self._stopping.is_set()

    def admit(self, size: int) -> None:
        """A task that keeps a rate lends nothing, so there is none to keep."""
        del size
        if not self._lease.valid:
            raise Fenced("The lease of this seat could not be renewed in time.")

    def mapped(self, batch: Batch) -> Batch:
        assert self._pipeline is not None, "it has read the batch"
        return self._pipeline.transform.batch(batch)

    def save(self, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None:
        """A table may be emptied by the next run as soon as it has its lock: who comes late must not come after it."""
        self.admit(0)
        save(self._task, self._ledger, self._refusing, checkpoint, sink, tally)

    def split_ended(self, split: Split, sink: Sink) -> None:
        """The run that has the task ends it: it makes the key, and begins what follows."""
        self._whole = True

    def delay_of(self, split: Split) -> Delay:
        return Delay()

    def acknowledge(self, split: Split, upto: Position) -> None:
        """Only the source of a stream is told."""

    def sources(self, targets: Set[str]) -> frozenset[str]:
        """The run that has the task meets the error itself, and says it."""
        return frozenset()

    def _refusing(self, rows: Sequence[Dirty]) -> Set[str]:
        return frozenset()

    # And what it asks only for a stream, which is never lent.

    def followed(self, change: SchemaChange) -> SchemaChange | None:
        raise AssertionError("a part of a load tells of no change")

    def altered(self, change: SchemaChange) -> None:
        raise AssertionError("a part of a load tells of no change")

    def reached(self, split: Split, position: Position) -> None:
        raise AssertionError("a part of a load comes to an end")
