"""Tables that come to a task, and leave it, while it goes on.

What comes is loaded and then followed by a stream of its own, from the place where the source's stream stands, so that
the others go on. When both streams have been read to the end of the log, the run ends in good order, and the next one
begins by reading both to one place: from there on one stream tells of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from disync.engine.ledger import Ledger
from disync.engine.plan import Pipeline
from disync.model.connector import ChangeReader
from disync.model.data import Position, SchemaChange, Table
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Checkpoint, Split, Task

log = structlog.get_logger()


class Joining:
    def __init__(self, pipeline: Pipeline, task: Task, ledger: Ledger) -> None:
        self._pipeline = pipeline
        self._task = task
        self._ledger = ledger

    def leave(self, load: Sequence[Split], checkpoints: Mapping[str, Checkpoint]) -> bool:
        """Forget the tables that are no longer selected or no longer in the source; a log tells what became of them.
        Returns whether some of them were not loaded to their end."""
        there = {table.name for table in self._pipeline.tables}
        gone = {split.table.name for split in load if split.table.name not in there}
        waiting = sorted(s.table.name for s in load if s.table.name in gone and not _done(s, checkpoints))
        if waiting and not isinstance(self._pipeline.reader, ChangeReader):
            raise BadConfig(
                f"Table {waiting[0]} was to be loaded and is not in the source any more. "
                "Terminate the task, deploy it again and start it: it then begins with the tables there are."
            )
        if gone:
            log.warning("tables have left the task", task=self._task.id, tables=sorted(gone), not_loaded=waiting)
            self._ledger.leave(gone)
        return bool(waiting)

    def come(self, load: Sequence[Split], checkpoints: Mapping[str, Checkpoint], doubtful: bool = False) -> None:
        """Cut the tables that have come since the task began. Those of which the log itself tells all are only
        followed; if it is `doubtful` that they are, as one may have been another whose load was not done, all are
        loaded. One that was in the task before is emptied: what was deleted meanwhile nobody tells."""
        known, reader = {split.table.name for split in load}, self._pipeline.reader
        come = [table for table in self._pipeline.tables if table.name not in known]
        follows = isinstance(reader, ChangeReader)
        if not come or (follows and not self._pipeline.loads):
            return
        stream = self._pipeline.streams(())[0] if follows else None
        begun = checkpoints.get(stream.id) if stream else None
        told = (
            reader.came(come, begun.position)
            if isinstance(reader, ChangeReader) and begun and not doubtful
            else frozenset()
        )
        wanted = [table for table in come if table.name not in told]
        for table in come:
            if table.name in told:
                self.belongs(table)
        if wanted and self._pipeline.writer.appends:
            names = [table.name for table in wanted]
            log.warning("tables that have come are not loaded, only followed", task=self._task.id, tables=names)
            return
        if wanted:
            self._begin(wanted, f"{stream.id}@{self._task.epoch}" if stream and begun else "", begun)

    def belongs(self, table: Table) -> Split:
        """Remember a table of which the log tells all: nothing of it is to be loaded."""
        split = Split(f"told:{table.name}@{self._task.epoch}", table)
        self._ledger.begin([Checkpoint(split.id, Position(""), self._task.epoch, done=True)], [split])
        return split

    def require_loaded(self, change: SchemaChange, load: Sequence[Split]) -> None:
        """A table that is selected by its new name may have had rows under the old one."""
        if change.kind != "CREATETABLE" or change.statement.lstrip()[:6].upper() == "CREATE":
            return
        if self._pipeline.loads and change.after.name not in {split.table.name for split in load}:
            raise Unreachable(f"{change.after.name} has come with rows that it had; the run begins anew to load them.")

    def _begin(self, tables: Sequence[Table], stream: str, begun: Checkpoint | None) -> None:
        names, epoch = {table.name for table in tables}, self._task.epoch
        self._empty([table for table in tables if table.name in self._ledger.left()])
        splits = [
            replace(split, id=f"{split.id}@{epoch}", stream=stream)
            for split in self._pipeline.load()
            if split.table.name in names
        ]
        first = [Checkpoint(stream, begun.position, epoch)] if stream and begun else []
        log.info("tables have come", task=self._task.id, tables=sorted(names))
        self._ledger.begin(first, splits)

    def _empty(self, tables: Sequence[Table]) -> None:
        if not tables:
            return
        sink = self._pipeline.writer.open(Split(f"emptied@{self._task.epoch}", tables[0]))
        try:
            for table in tables:
                change = SchemaChange(table, table, "TRUNCATETABLE", "it comes back to the task", Position(""))
                mapped = self._pipeline.transform.change(change)
                if mapped is not None:
                    sink.alter(mapped)
        finally:
            sink.close()


def _done(split: Split, checkpoints: Mapping[str, Checkpoint]) -> bool:
    return split.id in checkpoints and checkpoints[split.id].done
