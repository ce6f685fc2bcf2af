"""The sinks of a stream, opened and brought to one place.

A run that died between their commits has left some of them a step behind the others; a run with another number of them
has left some that are no more. Which keys each of them had is not kept anywhere, nor need it be: the changes from the
place of the one that is furthest behind up to that of the furthest are all written once more, in one transaction. They
are written by key, so what was there already comes to what it was, and nobody sees anything in between.

The order fences off earlier runs that may still be at work. The first sink's checkpoint is claimed before it is looked
which others there are; those are claimed; then it is made sure that the first is still ours, before any row is written.
So of a run that came so far nobody who comes later misses a sink, and one that did not has written nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Protocol

import structlog

from disync.engine.fan import Fan, Ways, part_of
from disync.engine.plan import Pipeline
from disync.model.connector import ChangeReader, Sink, Writer
from disync.model.data import Batch, Dirty, Event, Idle, Position, SchemaChange, Unread
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Checkpoint, Split

log = structlog.get_logger()

SILENT_SECONDS = 30.0
"""For how long a log may give nothing before it has not got what the furthest sink has read."""


class Host(Protocol):
    """The run that this is a part of."""

    @property
    def epoch(self) -> int: ...
    @property
    def halted(self) -> bool: ...
    def admit(self, size: int) -> None: ...
    def mapped(self, batch: Batch) -> Batch: ...
    def latest(self, held: Checkpoint | None, saved: Checkpoint | None) -> Checkpoint | None: ...
    def first(self, stream: Split) -> Checkpoint: ...


class Reunion:
    """Of one stream. `saved`: where the store says that it is."""

    def __init__(self, host: Host, pipeline: Pipeline, stream: Split, saved: Checkpoint | None) -> None:
        self._host = host
        self._pipeline = pipeline
        self._stream = stream
        self._saved = saved
        self._sinks: dict[str, Sink] = {}
        self._behind = Position("")
        """The place of the sink that is furthest behind, while they are brought to one."""

    def open(self) -> tuple[Sink, Checkpoint | None] | None:
        """What takes the stream's rows, and where it goes on; None where the run was halted meanwhile."""
        try:
            found = self._opened()
        except BaseException:
            self._close(self._sinks)
            raise
        if found is None:
            self._close(self._sinks)
        return found

    def _opened(self) -> tuple[Sink, Checkpoint | None] | None:
        lead = self._open(self._stream.id)
        held = lead.last()
        # Rows that do not come in the format of reader and writer are not parted.
        wanted = self._pipeline.writer.writers if self._pipeline.format else 1
        if (held is not None and held.done) or (wanted == 1 and not lead.parts()):
            return lead, self._host.latest(held, self._saved)
        at = held or self._saved or self._host.first(self._stream)
        _claim(lead, at, self._host.epoch)
        live = [at, *self._others(lead, at, wanted)]
        together = self._together(lead, live)
        if together is None:
            return None
        latest = self._host.latest(together, self._saved)
        assert latest is not None, "there is a place"
        return self._fanned(lead, latest, wanted, {mark.split for mark in live if mark.position == latest.position})

    def _open(self, split: str) -> Sink:
        lead = self._stream.id if split != self._stream.id else ""
        self._sinks[split] = sink = self._pipeline.writer.open(replace(self._stream, id=split, lead=lead))
        return sink

    def _others(self, lead: Sink, at: Checkpoint, wanted: int) -> Iterator[Checkpoint]:
        """Claim all others there are, and those there shall be, which begin where the first one is: from now on whoever
        looks sees them. Where each one is."""
        ids = [part_of(self._stream, number) for number in range(1, wanted)]
        for split in dict.fromkeys([*ids, *lead.parts()]):
            sink = self._open(split)
            mark = sink.last()
            if mark is None or mark.done:
                mark = Checkpoint(split, at.position, self._host.epoch)
            _claim(sink, mark, self._host.epoch)
            yield mark

    def _together(self, lead: Sink, live: list[Checkpoint]) -> Checkpoint | None:
        """Where all of them are; the rows that are not in all of them yet are durable then."""
        if len({mark.position for mark in live}) > 1:
            return self._once_more(lead, *self._ends([mark.position for mark in live]))
        _claim(lead, live[0], self._host.epoch)  # still ours
        refused = [*live[0].refused]
        known = {(row.table, row.row) for row in refused}  # by which the step was written once more
        refused += [row for mark in live[1:] for row in mark.refused if (row.table, row.row) not in known]
        return replace(live[0], refused=tuple(refused))

    def _fanned(self, lead: Sink, latest: Checkpoint, wanted: int, there: set[str]) -> tuple[Sink, Checkpoint]:
        ids = [part_of(self._stream, number) for number in range(wanted)]
        for split, sink in self._sinks.items():
            if sink is not lead and not (split in ids and split in there):
                sink.flush(Checkpoint(split, latest.position, self._host.epoch, done=split not in ids))
        self._close({split: sink for split, sink in self._sinks.items() if split not in ids})
        if wanted == 1:
            return lead, latest
        writer, routes = self._pipeline.writer, self._pipeline.routes
        free = {writer.place(route.target) for route in routes if not route.merged and route.dml is None}
        return Fan([(split, self._sinks[split]) for split in ids], Ways(writer.place, free)), latest

    def _ends(self, places: list[Position]) -> tuple[Position, Position]:
        """The place that is furthest behind, and the furthest."""
        reader = self._pipeline.reader
        assert isinstance(reader, ChangeReader), "only a log comes in streams"
        first = [one for one in places if all(one == other or reader.passed(other, one) for other in places)]
        last = [one for one in places if all(one == other or reader.passed(one, other) for other in places)]
        if not first or not last:
            raise BadConfig(
                f"The sinks of {self._stream.id} stand at places that cannot be compared: {', '.join(places)}. Set "
                "the position by hand (UpdateDISyncCheckpoint), to one that none of them has passed."
            )
        return first[0], last[0]

    def _once_more(self, lead: Sink, behind: Position, ahead: Position) -> Checkpoint | None:
        """Write all changes in between, in one transaction; None where the run was halted."""
        self._behind = behind
        log.info("sinks are brought to one place", stream=self._stream.id, behind=behind, ahead=ahead)
        reader = self._pipeline.reader
        assert isinstance(reader, ChangeReader), "only a log comes in streams"
        unread: list[Dirty] = []
        place = self._read(lead, behind, ahead, unread)
        if not self._host.halted and not reader.passed(place, ahead):
            # In the log of a server that has replaced the other what was read may lie between what was not.
            place = self._read(lead, place, ahead, unread, bounded=False)
        if self._host.halted:
            return None
        new = Checkpoint(self._stream.id, place, self._host.epoch, refused=tuple(unread))
        return replace(new, refused=(*unread, *lead.flush(new)))

    def _read(
        self, lead: Sink, behind: Position, ahead: Position, unread: list[Dirty], bounded: bool = True
    ) -> Position:
        """Write what comes, up to the first place that is not before the furthest: to the reader, or as it compares
        them. A change of the schema that lies before a place which a sink has reached was followed; one
        that does not must not be passed over."""
        reader = self._pipeline.reader
        assert isinstance(reader, ChangeReader), "only a log comes in streams"
        stream = replace(self._stream, format=self._pipeline.format, until=ahead if bounded else None)
        place, inside, heard = behind, False, time.monotonic()
        with closing(_generator(reader.changes(stream, behind))) as events:
            for event in events:
                if self._host.halted:
                    break
                if isinstance(event, Batch):
                    inside = event.position == place
                elif event.position != place:
                    inside = False
                self._take(lead, event, ahead)
                if isinstance(event, Unread):
                    unread += event.rows
                if not isinstance(event, Idle) or event.position != place:
                    heard = time.monotonic()
                place = event.position
                if not bounded and not inside and reader.passed(place, ahead):
                    return place
                if time.monotonic() - heard > SILENT_SECONDS:
                    raise Unreachable(f"The log ends at {place}, before {ahead}, up to which it was read already.")
        if not bounded and not self._host.halted:
            raise Unreachable(f"The log ends at {place}, before {ahead}, up to which it was read already.")
        return place

    def _take(self, lead: Sink, event: Event, ahead: Position) -> None:
        if isinstance(event, Batch):
            self._host.admit(event.size)
            mapped = self._host.mapped(event)
            if mapped.count:
                lead.write(mapped)
        elif isinstance(event, SchemaChange) and not self._followed(event, ahead):
            raise BadConfig(
                f"The sinks of {self._stream.id} are to be brought to one place, and in the log of the server that "
                f"answers now {event.kind} of {event.before.name or event.after.name} lies between changes that they "
                "have: it may not have been followed. Set the position by hand (UpdateDISyncCheckpoint) to "
                f"{self._behind}: all is then read from there, and it is followed."
            )

    def _followed(self, change: SchemaChange, ahead: Position) -> bool:
        """In the log of another server what nobody has read yet may lie between what was."""
        reader = self._pipeline.reader
        return isinstance(reader, ChangeReader) and reader.passed(ahead, change.position)

    def _close(self, sinks: dict[str, Sink]) -> None:
        for sink in sinks.values():
            sink.close()


def fence(writer: Writer, stream: Split, saved: Checkpoint | None, epoch: int) -> None:
    """Have the target take nothing more of this stream from runs before this one."""
    sink = writer.open(stream)
    try:
        held = sink.last() or saved
        if held is not None:
            _claim(sink, held, epoch)
            _each(writer, stream, sink.parts(), lambda mark: replace(mark, epoch=epoch))
    finally:
        sink.close()


def retire(writer: Writer, stream: Split, sink: Sink, epoch: int) -> None:
    """What the other sinks of a stream have read counts no more."""
    _each(writer, stream, sink.parts(), lambda mark: replace(mark, epoch=epoch, done=True, refused=()))


def _each(writer: Writer, stream: Split, parts: Iterable[str], new: Callable[[Checkpoint], Checkpoint]) -> None:
    for split in parts:
        sink = writer.open(replace(stream, id=split))
        try:
            if (mark := sink.last()) is not None:
                sink.flush(new(mark))
        finally:
            sink.close()


def _claim(sink: Sink, mark: Checkpoint, epoch: int) -> None:
    """Write the checkpoint that a sink has, or is to have, as this run's."""
    sink.flush(replace(mark, epoch=epoch, chosen=None))


def _generator(events: Iterator[Event]) -> Generator[Event, None, None]:
    yield from events
