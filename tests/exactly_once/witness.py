"""Whether a checkpoint says more than is true: it is held against what the source's log has behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from eye import Rows
from truth import Difference

from disync.engine.plan import Pipeline, plan
from disync.model.connector import ChangeReader
from disync.model.data import Batch, Encoded, Position, rows_of
from disync.model.errors import TaskError
from disync.model.run import Checkpoint, Split, Task
from disync.services.dispatch import StoreDispatch

GONE_SECONDS = 10.0
"""The server needs a moment to see that its clients have died."""

_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'disync%'"


class Witness:
    """Reads what ledger and target hold. Every transaction of the source counts `tick` up, so that a place in the log
    is a number of ticks: all that come before it must be in the target, and once the load is over, none more. Where
    several sessions write, several rows count, and each of them must show what one of the checkpoints says."""

    def __init__(
        self,
        name: str,
        dispatch: StoreDispatch,
        task_id: int,
        source: Callable[[str], Rows],
        target: Callable[[str], Rows],
    ) -> None:
        self._name = name
        self._ledger = dispatch.ledger(Task(task_id, name, 0, "", {}))
        self._source, self._target = source, target
        self._overlap: int | None = None
        self._loaded = self._there = False

    @property
    def loaded(self) -> bool:
        """Whether the load is over, by the ledger."""
        if not self._loaded:
            done = {split for split, mark in self._ledger.checkpoints().items() if mark.done}
            splits = self._ledger.load()
            self._loaded = bool(splits) and all(split.id in done for split in splits)
            if self._loaded:
                self._overlap = self.tick_here()  # up to here rows may have been read by the load already
        return self._loaded

    def tick_here(self) -> int:
        ((tick,),) = self._source(f"SELECT max(n) FROM {self._name}.tick")
        return int(tick)

    def tick_there(self) -> int:
        """Up to where all is there; -1 while there is none."""
        return min(self._shown())

    def _shown(self) -> set[int]:
        if not self._there:
            ((self._there,),) = self._target(f"SELECT to_regclass('{self._name}.tick') IS NOT NULL")
        rows = self._target(f"SELECT max(n) FROM {self._name}.tick GROUP BY id") if self._there else []
        return {int(n) for (n,) in rows} or {-1}

    def examine(self, task: Task) -> None:
        """A run has just died. Raises Difference."""
        if not self.loaded:
            return  # then a checkpoint of the log says nothing yet
        deadline = time.monotonic() + GONE_SECONDS
        while self._target(_SESSIONS)[0][0]:
            if time.monotonic() > deadline:
                raise TimeoutError("sessions of a dead run are still there")
            time.sleep(0.002)
        pipeline = plan(task)
        try:
            self._hold(pipeline)
        finally:
            pipeline.close()

    def examine_end(self, task: Task) -> None:
        """The task has stopped in good order, and the source is still: all three must be at one place."""
        pipeline = plan(task)
        try:
            self._hold(pipeline)
            for stream in pipeline.streams(self._ledger.load()):
                known, held = self._ledger.checkpoints()[stream.id], _held(pipeline, stream)
                if any(known != replace(mark, split=known.split) for mark in held):
                    raise Difference(f"The task has stopped: the ledger has {known}, the target {held}")
        finally:
            pipeline.close()

    def _hold(self, pipeline: Pipeline) -> None:
        stream = pipeline.streams(self._ledger.load())[0]  # tables that have come may still have others of their own
        shown, held = self._shown(), _held(pipeline, stream)
        said = {self._tick_at(pipeline, stream, place) for place in {mark.position for mark in held}}
        known = self._ledger.checkpoints().get(stream.id)
        if known is not None and known.position not in {mark.position for mark in held}:
            self._hold_up("ledger", {self._tick_at(pipeline, stream, known.position)}, shown, known)
        self._hold_up("target", said, shown, held)
        ticks = {tick for tick in said if tick is not None}
        if said and ticks == said and self._overlap is not None and self._overlap <= min(ticks) and not shown <= ticks:
            raise Difference(f"The target holds {max(shown)} ticks, and its checkpoint says {ticks}: {shown}, {held}")

    def _hold_up(self, whose: str, said: set[int | None], shown: set[int], marks: object) -> None:
        ticks = [tick for tick in said if tick is not None]
        if ticks and min(shown) < min(ticks):
            least = min(ticks)
            raise Difference(f"The {whose}'s checkpoint says {least} ticks, and the target holds {min(shown)}: {marks}")

    def _tick_at(self, pipeline: Pipeline, stream: Split, position: Position) -> int | None:
        """How many ticks the log has up to there: one less than the first that comes behind. None where rows follow
        whose table has been altered since, so that they are past reading: then the place is long behind."""
        self._source(f"UPDATE {self._name}.tick SET n = n + 1")  # so that one comes
        assert isinstance(pipeline.reader, ChangeReader)
        try:
            for event in pipeline.reader.changes(stream, position):
                if isinstance(event, Batch) and event.table.name == "tick":
                    assert not isinstance(event.rows, Encoded), "a split of no format is read as Arrow"
                    names = (column.name for column in event.table.columns)
                    row = dict(zip(names, rows_of(event.rows)[0], strict=True))
                    return int(row["n"]) - (0 if event.ops is not None and event.ops[:1] == b"B" else 1)
        except TaskError as error:
            if error.retry:
                raise
            return None
        raise AssertionError("the log ended")


def _held(pipeline: Pipeline, stream: Split) -> list[Checkpoint]:
    """The checkpoints of all sinks that write the stream."""
    lead = pipeline.writer.open(stream)
    sinks = [lead, *(pipeline.writer.open(replace(stream, id=split)) for split in lead.parts())]
    return [mark for sink in sinks if (mark := sink.last()) is not None]
