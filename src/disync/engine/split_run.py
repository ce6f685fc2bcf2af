"""The loop over one split's events, in one thread: see task.py for the order that it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Protocol

from disync.engine import pace
from disync.engine.delay import Delay
from disync.engine.pace import FlushPace
from disync.model.connector import Sink
from disync.model.data import Batch, Dirty, Event, Idle, Position, SchemaChange, Unread
from disync.model.errors import TaskError
from disync.model.run import Checkpoint, Split, Tally


class Host(Protocol):
    """The run that this is a part of."""

    @property
    def epoch(self) -> int: ...
    @property
    def halted(self) -> bool: ...
    def admit(self, size: int) -> None: ...
    def mapped(self, batch: Batch) -> Batch: ...
    def followed(self, change: SchemaChange) -> SchemaChange | None: ...
    def altered(self, change: SchemaChange) -> None: ...
    def save(self, checkpoint: Checkpoint, sink: Sink, tally: Tally) -> None: ...
    def acknowledge(self, split: Split, upto: Position) -> None: ...
    def reached(self, split: Split, position: Position) -> None: ...
    def delay_of(self, split: Split) -> Delay: ...
    def split_ended(self, split: Split, sink: Sink) -> None: ...
    def sources(self, targets: Set[str]) -> frozenset[str]: ...


class SplitRun:
    def __init__(self, run: Host, split: Split, sink: Sink, after: Position | None) -> None:
        self._run = run
        self._split = split
        self._sink = sink
        self._pace = FlushPace(
            pace.KEPT_ROWS if sink.keeps_checkpoint else pace.FLUSH_ROWS,
            pace.FLUSH_BYTES if split.endless else pace.LOAD_BYTES,
        )
        self._tally = Tally()
        self._unread: list[Dirty] = []
        self._position = self._saved = after or Position("")
        self._delay = run.delay_of(split)
        self._time: int | None = None
        """When what was taken last happened in the source, as far as that is known."""
        self._inside = False
        """Whether rows have been written that lie beyond `_position`: the source is inside a transaction. They are
        not committed before it ends: after a crash they come again, and must not be there already."""

    def take_all(self, events: Iterator[Event]) -> None:
        for event in events:
            self._take(event)
            if (self._pace.due or isinstance(event, Idle)) and not self._inside:
                self._commit()
                if isinstance(event, Idle) and self._split.endless and not self._split.until:
                    if event.time is None:
                        self._delay.ended()
                    self._run.reached(self._split, self._position)
            if self._run.halted:
                break
        if self._run.halted or self._split.until:
            if not self._inside:
                self._commit()
        else:
            self._commit(done=True)
            with self._told():
                self._run.split_ended(self._split, self._sink)

    def _take(self, event: Event) -> None:
        match event:
            case Batch():
                self._delay.took()
                self._write(event)
                self._time = event.time
            case SchemaChange():
                # Rows before the change keep the old shape: they are durable before the target's shape changes.
                self._commit(again=bool(event.together))
                if (change := self._run.followed(event)) is not None:
                    with self._told():
                        self._sink.alter(change)
                    self._run.altered(event)
            case Unread():
                self._delay.took()
                self._unread += event.rows
                self._tally += Tally(rows_read=len(event.rows), rows_written=len(event.rows))
            case Idle():
                self._time = event.time
        if event.position != self._position and not isinstance(event, Batch):
            self._inside = False  # told that what was written is whole
        self._position = event.position

    def _write(self, batch: Batch) -> None:
        enters = batch.position == self._position
        if not self._inside and (enters or not self._pace.fits(batch.count)):
            self._commit()
        self._inside = enters
        self._run.admit(batch.size)
        mapped = self._run.mapped(batch)
        if mapped.count:
            with self._told():
                self._sink.write(mapped)
        self._pace.wrote(batch.table.name, batch.count, batch.size)
        self._tally += Tally(rows_read=batch.changes, bytes_read=batch.size, rows_written=mapped.changes)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What a sink says of its tables is said of the source's."""
        try:
            yield
        except TaskError as error:
            error.tables = self._run.sources(error.tables)
            raise

    def _commit(self, done: bool = False, again: bool = False) -> None:
        """`again`: though there may be nothing new, so that the target has the position whatever was before."""
        if self._position == self._saved and not done and not again:
            return
        unread, self._unread = tuple(self._unread), []
        checkpoint = Checkpoint(self._split.id, self._position, self._run.epoch, done, unread)
        with self._told():
            self._run.save(checkpoint, self._sink, self._tally)
        self._run.acknowledge(self._split, self._position)
        self._delay.durable(self._time)
        self._saved = self._position
        self._tally = Tally()
        self._pace.flushed()
