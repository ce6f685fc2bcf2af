"""Whether a checkpoint says more than is true: it is held against what the source's log has behind it."""

from __future__ import annotations

import time
from collections.abc import Callable

from eye import Rows
from truth import Difference

from disync.engine.plan import Pipeline, plan
from disync.model.connector import ChangeReader
from disync.model.data import Batch, Encoded, Position, rows_of
from disync.model.errors import TaskError
from disync.model.run import Split, Task
from disync.services.dispatch import StoreDispatch

GONE_SECONDS = 10.0
"""The server needs a moment to see that its clients have died."""

_SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'disync'"


class Witness:
    """Reads what ledger and target hold. Every transaction of the source counts `tick` up, so that a place in the log
    is a number of ticks: all that come before it must be in the target, and once the load is over, none more."""

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
        ((tick,),) = self._source(f"SELECT n FROM {self._name}.tick")
        return int(tick)

    def tick_there(self) -> int:
        """-1 while there is none."""
        if not self._there:
            ((self._there,),) = self._target(f"SELECT to_regclass('{self._name}.tick') IS NOT NULL")
        rows = self._target(f"SELECT coalesce(max(n), -1) FROM {self._name}.tick") if self._there else []
        return int(rows[0][0]) if rows else -1

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
                known, held = self._ledger.checkpoints()[stream.id], pipeline.writer.open(stream).last()
                if known != held:
                    raise Difference(f"The task has stopped: the ledger has {known}, the target {held}")
        finally:
            pipeline.close()

    def _hold(self, pipeline: Pipeline) -> None:
        stream = pipeline.streams(self._ledger.load())[0]  # tables that have come may still have others of their own
        shown = self.tick_there()
        known = self._ledger.checkpoints().get(stream.id)
        held = pipeline.writer.open(stream).last()
        for whose, mark in (("target", held), ("ledger", known)):
            if mark is None or (mark is known and held is not None and mark.position == held.position):
                continue
            said = self._tick_at(pipeline, stream, mark.position)
            if said is not None and shown < said:
                raise Difference(f"The {whose}'s checkpoint says {said} ticks, and the target holds {shown}: {mark}")
            if mark is held and said is not None and self._overlap is not None and self._overlap <= said < shown:
                raise Difference(f"The target holds {shown} ticks, and its checkpoint says {said}: {mark}")

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
