"""Tables that come to a task, and leave it, while it goes on.

What comes is loaded and then followed by a stream of its own, from the place where the source's stream stands, so that
the others go on. When both streams have been read to the end of the log, the run ends in good order, and the next one
begins by reading both to one place: from there on one stream tells of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count

import structlog

from disync.engine.ledger import Ledger
from disync.engine.plan import Pipeline
from disync.model.connector import ChangeReader
from disync.model.data import Position, SchemaChange, Table
from disync.model.ddl import Policy
from disync.model.errors import BadConfig
from disync.model.run import Checkpoint, Split, Start, Task

log = structlog.get_logger()

_COMES = count(1)
"""A table may come, fail and come again in one epoch: what a target keeps of its first load counts no more then."""


TOLD = "told:"
"""So begins the id of the split of a table that is not loaded, since the log tells all of it."""

EMPTIED = "emptied"
"""The split of whoever empties tables: a target that keeps checkpoints knows by it which run did that last."""


class Joining:
    def __init__(self, pipeline: Pipeline, task: Task, ledger: Ledger) -> None:
        self._pipeline = pipeline
        self._task = task
        self._ledger = ledger

    def require_kept(self, load: Sequence[Split], checkpoints: Mapping[str, Checkpoint]) -> None:
        """Raise BadConfig where the target does not hold what it was loaded with, of whichever tables: to follow them
        from here on would leave a gap that nobody sees."""
        ended = self._pipeline.writer.ended()
        if ended is None:
            return
        loaded = [split for split in load if _done(split, checkpoints) and not split.id.startswith(TOLD)]
        lost = sorted({split.table.name for split in loaded if split.id not in ended})
        if lost:
            more = f" and {len(lost) - 1} more tables" if len(lost) > 1 else ""
            raise BadConfig(
                f"The target does not hold any more that {lost[0]}{more} was loaded: it was emptied, or put back to an "
                "older state. Put it back to a newer one; or terminate the task, deploy it and start it, so that it "
                "begins anew.",
                lost,
            )

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

    def renamed(self, load: Sequence[Split], checkpoints: Mapping[str, Checkpoint]) -> None:
        """Forget the tables of which a column got another name while they were loaded, so that they are loaded anew:
        the target has the old name until the load is over, and what is read from now on has only the new one."""
        reader = self._pipeline.reader
        if not isinstance(reader, ChangeReader) or not (self._follows("RENAMECOLUMN") and self._follows("ADDCOLUMN")):
            return
        main, found = self._pipeline.streams(())[0].id, set[str]()
        waiting = {split.table.name: split.stream for split in load if not _done(split, checkpoints)}
        for stream in {*waiting.values()}:
            tables = [table for table in self._pipeline.tables if waiting.get(table.name) == stream]
            if begun := checkpoints.get(stream or main):
                found |= reader.renamed(tables, begun.position)
        if found and self._pipeline.writer.appends:
            raise BadConfig(
                f"A column of {min(found)} got another name while the table was loaded: the rows that are not loaded "
                "yet have it, and the target has not. Terminate the task, deploy it and start it, so that it begins "
                "anew, into an empty table.",
                found,
            )
        if found:
            log.warning("columns got other names: loaded anew", task=self._task.id, tables=sorted(found))
            self._ledger.leave(found)

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
            reader.came(come, begun.position, self._follows("RENAMETABLE"))
            if isinstance(reader, ChangeReader) and begun and not doubtful
            else frozenset()
        )
        told -= self._ledger.left()  # these are emptied
        wanted = [table for table in come if table.name not in told]
        for table in come:
            if table.name in told:
                self.belongs(table)
        if wanted and self._pipeline.writer.appends:
            names = [table.name for table in wanted]
            log.warning("tables that have come are not loaded, only followed", task=self._task.id, tables=names)
            return
        if wanted:
            self._begin(wanted, stream if begun else None, begun)

    def belongs(self, table: Table) -> Split:
        """Remember a table of which the log tells all: nothing of it is to be loaded."""
        split = Split(f"{TOLD}{table.name}@{self._task.epoch}", table)
        self._ledger.begin([Checkpoint(split.id, Position(""), self._task.epoch, done=True)], [split])
        return split

    def require_targets(self, load: Sequence[Split], checkpoints: Mapping[str, Checkpoint]) -> None:
        """A table that was loaded and has lost its target must not be made anew, empty, without a word; but one that
        the log tells of from its first row on will be."""
        begun = {split.table.name for split in load if split.id in checkpoints}
        routes = [route for route in self._pipeline.routes if route.source.name in begun]
        lost = {table.name for table in self._pipeline.writer.missing([route.target for route in routes])}
        gone = [route for route in routes if route.target.name in lost]
        if gone and isinstance(self._pipeline.reader, ChangeReader):
            place = checkpoints.get(self._pipeline.streams(())[0].id)
            sources = [route.source for route in gone]
            told = self._pipeline.reader.came(sources, place.position, True) if place else frozenset()
            gone = [route for route in gone if route.source.name not in told]
        if gone:
            raise BadConfig(
                f"{self._pipeline.writer.place(gone[0].target)}, into which {gone[0].source.name} was loaded, is not "
                "there any more. Have it loaded again (RetryDISyncTables), or begin the task anew.",
                [route.source.name for route in gone],
            )

    def require_empty(self, tables: Sequence[Table]) -> None:
        """Rows of a table without a key must not be loaded beside those of an earlier load, or of somebody else: nobody
        could tell which of them are there twice."""
        names = {table.name for table in tables}
        routes = [r for r in self._pipeline.routes if r.source.name in names and not r.target.keys]
        lost = {table.name for table in self._pipeline.writer.filled([route.target for route in routes])}
        filled = [route for route in routes if route.target.name in lost]
        if filled:
            raise BadConfig(
                f"{self._pipeline.writer.place(filled[0].target)} holds rows already, and {filled[0].source.name} is "
                "to be loaded and has no key: what is there would be there twice. Empty it and start the task again, "
                "give the table a key, or set `writeMode` to insert, which appends.",
                [route.source.name for route in filled],
            )

    def loads_anew(self, change: SchemaChange) -> bool:
        """Whether the table of a change that left it with rows unknown is forgotten: the next run finds it new, and
        loads it. Where rows are only appended that would have them twice."""
        if not change.unknown or not self._pipeline.loads or self._pipeline.writer.appends:
            return False
        self._ledger.leave({change.after.name})
        log.info("a table has come with rows that it had", task=self._task.id, table=change.after.name)
        return True

    def _begin(self, tables: Sequence[Table], stream: Split | None, begun: Checkpoint | None) -> None:
        names, epoch = {table.name for table in tables}, self._task.epoch
        mark = f"@{epoch}.{next(_COMES)}"
        own = f"{stream.id}{mark}" if stream else ""
        back = [table for table in tables if table.name in self._ledger.left()]
        if stream:
            self.require_empty([table for table in tables if table not in back])
        first = [Checkpoint(own, self._place(begun.position, bool(back)), epoch)] if own and begun else []
        self._empty(back)
        splits = [
            replace(split, id=f"{split.id}{mark}", stream=own)
            for split in self._pipeline.load()
            if split.table.name in names
        ]
        log.info("tables have come", task=self._task.id, tables=sorted(names))
        self._ledger.begin(first, splits)

    def _place(self, begun: Position, back: bool) -> Position:
        """Where tables are followed from. What the log says of one that comes back is of its rows before: it is passed
        over up to here and now."""
        reader = self._pipeline.reader
        if not back or not isinstance(reader, ChangeReader):
            return begun
        return reader.seek(self._pipeline.streams(())[0], Start("latest"))

    def _empty(self, tables: Sequence[Table]) -> None:
        """The target's rows go, its columns follow, as far as they follow at all: nobody will tell of them later."""
        if not tables:
            return
        self._fence(tables)
        sink = self._pipeline.writer.open(Split(EMPTIED, tables[0]))
        try:
            # A run that was replaced meanwhile must not empty what the next one has loaded.
            sink.flush(Checkpoint(EMPTIED, Position(""), self._task.epoch, done=True))
            for table in tables:
                for kind in ("TRUNCATETABLE", *filter(self._follows, ("ADDCOLUMN", "MODIFYCOLUMN"))):
                    change = SchemaChange(table, table, kind, "it comes back to the task", Position(""))
                    mapped = self._pipeline.transform.change(change)
                    if mapped is not None and kind == "ADDCOLUMN":  # any column may be new
                        mapped = replace(mapped, before=replace(mapped.before, columns=()))
                    if mapped is not None:
                        sink.alter(mapped)
        finally:
            sink.close()

    def _fence(self, tables: Sequence[Table]) -> None:
        """Another worker may have rows in its hands of a load before, which must not come after the table was emptied:
        what is ended in the target is written no more."""
        if not self._pipeline.writer.shared:
            return
        ended = self._pipeline.writer.ended() or frozenset()
        for part in self._ledger.parts_left({table.name for table in tables}):
            if part in ended or part.startswith(TOLD):
                continue
            sink = self._pipeline.writer.open(Split(part, Table(part)))
            try:
                held = sink.last()
                sink.flush(Checkpoint(part, held.position if held else Position(""), self._task.epoch, done=True))
            finally:
                sink.close()

    def _follows(self, kind: str) -> bool:
        return self._task.ddl.get(kind, Policy.WARNING) is Policy.NORMAL


def _done(split: Split, checkpoints: Mapping[str, Checkpoint]) -> bool:
    return split.id in checkpoints and checkpoints[split.id].done
