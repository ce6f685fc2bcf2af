"""One stream's changes, parted by key over several sinks that are at work side by side.

Each has a checkpoint of its own in the target, under an id of its own, and commits its own rows with it. They are all
flushed to one place, and none is written to again before all are there; a crash in between leaves some at that place
and the others at the one before, which whoever comes next makes good (`reunion`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Set
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from queue import SimpleQueue
from random import getrandbits
from typing import Any
from zlib import crc32

from disync.model.connector import Sink
from disync.model.data import Batch, Dirty, Encoded, SchemaChange, Table
from disync.model.errors import BadConfig
from disync.model.run import Checkpoint, Split
from disync.native import rows

HOLD_SECONDS = 15.0
"""After how long a sink that gets no rows, while others do, is told to hold what it has."""


def part_of(stream: Split, number: int) -> str:
    """The id of a sink of this stream. The first has the stream's own, so that one sink alone finds its checkpoint."""
    return f"{stream.id}/{number}" if number else stream.id


class Hand:
    """A sink, and the thread that does one thing after the other for it. What fails is raised to whoever comes next."""

    def __init__(self, split: str, sink: Sink) -> None:
        self.split, self.sink = split, sink
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._last: Future[Any] | None = None
        self._given = time.monotonic()
        threading.Thread(target=self._work, name=f"hand-{split}", daemon=True).start()

    def give(self, call: Callable[[], Any]) -> None:
        """Have something done, once what was given before is: one thing waits at most."""
        self.wait()
        self._given = time.monotonic()
        self._last = Future()
        self._calls.put((self._last, call))

    def hold(self) -> None:
        """See to it that the sink loses nothing while there is nothing for it."""
        if time.monotonic() - self._given >= HOLD_SECONDS and (self._last is None or self._last.done()):
            self.give(self.sink.hold)

    def wait(self) -> Any:
        """What came of the last thing that was given; None where it has been asked for."""
        last, self._last = self._last, None
        return last.result() if last is not None else None

    def end(self) -> None:
        with suppress(BaseException):
            self.wait()
        self._calls.put(None)
        self.sink.close()

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            _done(*given)
            del given  # with the rows that it was about


def _done(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Ways:
    """`place`: where a table of the target is. `free`: the places of those that one table of the source alone is
    written to, change by change: the rows of all others go to one sink, whatever the target says."""

    place: Callable[[Table], str]
    free: Set[str]


@dataclass(frozen=True, slots=True)
class _Way:
    """Of a table: the one sink that has all of its rows; None: by the key, whose columns are in these `places`."""

    sink: int | None
    places: tuple[int, ...] = ()
    compared: tuple[str, ...] = ()


class Fan(Sink):
    """`sinks`: by their ids, the stream's own first, all at one place."""

    keeps_checkpoint = True

    def __init__(self, sinks: Sequence[tuple[str, Sink]], ways: Ways) -> None:
        self._hands = [Hand(split, sink) for split, sink in sinks]
        self._lead = self._hands[0]
        self._place, self._free = ways.place, set(ways.free)
        self._ways: dict[Table, _Way] = {}
        self._known: dict[str, _Way] = {}
        """By the place of the table: one that is written in several shapes goes one way in all of them."""
        self._seed = getrandbits(64)

    def write(self, batch: Batch) -> None:
        self._write(batch)
        for hand in self._hands:
            hand.hold()

    def _write(self, batch: Batch) -> None:
        way = self._way(batch.table)
        if way.sink is not None:
            hand = self._hands[way.sink]
            hand.give(partial(hand.sink.write, batch))
            return
        assert isinstance(batch.rows, Encoded) and batch.ops is not None, "a stream's rows come in the shared format"
        lines, count = batch.rows.buffers[0], len(self._hands)
        parts = rows.part(lines, batch.ops, way.places, way.compared, count, self._seed)
        for hand, (some, ops) in zip(self._hands, parts, strict=True):
            if ops:
                part = replace(batch, rows=Encoded(batch.rows.format, (some,), len(ops)), ops=ops)
                hand.give(partial(hand.sink.write, part))

    def alter(self, change: SchemaChange) -> None:
        """Rows before it are durable everywhere: the first sink follows it, and the others look anew."""
        self._all([(hand, hand.sink.forget) for hand in self._hands[1:]])
        self._all([(self._lead, partial(self._lead.sink.alter, change))])
        self._ways.clear()
        self._known.clear()
        for one in (change, *change.together):
            if one.before.name != one.after.name or one.kind.upper().startswith("CREATE"):
                # Another table may have come to this place: whether it is alone there the next run knows.
                self._free -= {self._place(one.before), self._place(one.after)}

    def last(self) -> Checkpoint | None:
        return self._lead.sink.last()

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        """All of them are there, or nothing is promised of any."""
        calls: list[tuple[Hand, Callable[[], list[Dirty]]]] = [
            (hand, partial(hand.sink.flush, replace(checkpoint, split=hand.split, refused=())))
            for hand in self._hands[1:]
        ]
        first = self._lead, partial(self._lead.sink.flush, checkpoint)
        if checkpoint.done:  # by what the first one says nobody looks at the others any more
            return [*self._all(calls), *self._all([first])]
        return self._all([first, *calls])

    def close(self) -> None:
        for hand in self._hands:
            hand.end()

    def _all(self, calls: Sequence[tuple[Hand, Callable[[], Any]]]) -> list[Dirty]:
        """Side by side; returns when all have ended, with what they return together, or raises one's error."""
        error: BaseException | None = None
        found: list[Dirty] = []
        for hand, call in calls:
            try:
                hand.give(call)
            except BaseException as one:
                error = error or one
        for hand, _ in calls:
            try:
                found += hand.wait() or ()
            except BaseException as one:
                error = error or one
        if error is not None:
            raise error
        return found

    def _way(self, table: Table) -> _Way:
        found = self._ways.get(table)
        if found is None:
            found = self._ways[table] = self._found(table)
        return found

    def _found(self, table: Table) -> _Way:
        place = self._place(table)
        known = self._known.get(place)
        if known is not None and known.sink is not None:
            return known
        self._lead.give(partial(self._lead.sink.parting, table))
        parting = self._lead.wait()
        if parting.places and place in self._free:
            way = _Way(None, parting.places, parting.compared)
        else:
            way = _Way(0 if parting.bound else crc32(place.encode(errors="replace")) % len(self._hands))
        if known is not None and way.sink is not None:
            raise BadConfig(
                f"{place} is written by several sessions, by its key, and a table has come to it whose rows must not "
                "be. Start the task again; or write with one session (writerConcurrent 1).",
                [table.name],
            )
        return self._known.setdefault(place, way) if known is None else way
