"""Whether a task is at work while its ends are compared, and how far its target is: what is still on its way there must
not count as a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from contextlib import closing
from typing import Any, TypeAlias

from disync.engine.plan import Pipeline
from disync.model.compare import Key, Method, Pair, Row, plain_key
from disync.model.connector import ChangeReader
from disync.model.data import Batch, Encoded, Event, Position, rows_of
from disync.model.errors import Unreachable
from disync.model.run import Checkpoint, Split

WAIT_SECONDS = 60.0
"""How long what a source holds now may take to its target."""

LOG_SECONDS = 60.0
"""How long the log is read from where the target is."""

_LOOK_SECONDS = 0.05

Saved: TypeAlias = Callable[[], Mapping[str, Checkpoint]]
"""The task's checkpoints as the store has them, for a target that keeps none."""

Change: TypeAlias = tuple[str, Key, tuple[Any, ...] | None]
"""(op, plain key, the row's values in a pair's columns; None where the log does not have them all)"""


class Tide:
    """`running`: whether somebody is running the task, so that what the log holds comes to the target. `stream`: the
    log, of a source that has one."""

    def __init__(self, pipeline: Pipeline, running: bool, saved: Saved, seconds: float = WAIT_SECONDS) -> None:
        self._writer = pipeline.writer
        self._reader = pipeline.reader if isinstance(pipeline.reader, ChangeReader) else None
        self._streams = pipeline.streams(())
        self._saved = saved
        self._seconds = seconds
        self.running = running and self._reader is not None
        self.stream: Split | None = self._streams[0] if len(self._streams) == 1 else None

    def flow(self) -> None:
        """Return when all that has happened in the source until now is in the target. At once where no task runs.

        Unreachable where that takes too long.
        """
        if not self.running or self._reader is None:
            return
        marks = [(stream, self._reader.mark(stream)) for stream in self._streams]
        deadline = time.monotonic() + self._seconds
        for stream, mark in marks:
            while not self._is_past(self._reader, stream, mark):
                if time.monotonic() > deadline:
                    raise Unreachable(
                        f"The task did not come as far as {mark} within {self._seconds:.0f} s; the target is at "
                        f"{self._held(stream) or 'no place yet'}. Is it running, and does it keep up? Verify it again "
                        "when it does, or give it more time (--wait)."
                    )
                time.sleep(_LOOK_SECONDS)

    def begun(self, stream: Split | None) -> Position:
        """Where the store says that a stream is: where it began, as long as the target has no checkpoint of it."""
        saved = self._saved().get(stream.id) if stream is not None else None
        return saved.position if saved is not None else Position("")

    def behind(self) -> bool:
        """Whether the log holds something that the target has not got yet, or that cannot be told."""
        if self._reader is None:
            return False
        reader = self._reader
        return not all(self._is_past(reader, stream, reader.mark(stream)) for stream in self._streams)

    def before(self, pair: Pair, method: Method, keys: Set[Key], stream: Split, at: Position) -> dict[Key, Row | None]:
        """What rows were at a place in the log, by their plain keys: as they were before the first change that the log
        has of them since, None where they were not there. Rows that nobody changed until now are left out."""
        found: dict[Key, Row | None] = {}
        for batch in self._since(stream, at):
            if batch.table.name == pair.source.name:
                for op, key, values in _changes(batch, pair, method):
                    if key in keys and key not in found:
                        # An update that comes first has brought another row to this key.
                        found[key] = Row(_present(values, pair)) if op in "BD" else None
        return found

    def pending(self, sought: Mapping[str, tuple[Pair, Method, Set[Key]]]) -> dict[str, set[Key]]:
        """Of the plain keys that are sought, by the source's table: those that the log has changes of which the target
        has not got yet."""
        found: dict[str, set[Key]] = {name: set() for name in sought}
        for stream in self._streams:
            after = self._held(stream)
            for batch in self._since(stream, after) if after is not None else ():
                if batch.table.name in sought:
                    pair, method, keys = sought[batch.table.name]
                    found[batch.table.name] |= {key for _, key, _ in _changes(batch, pair, method)} & keys
        return found

    def _since(self, stream: Split, after: Position) -> Iterator[Batch]:
        """The changes from a place on until now. Unreachable where they are too many to be read in LOG_SECONDS."""
        if self._reader is None or self._reader.passed(after, mark := self._reader.mark(stream)):
            return
        deadline = time.monotonic() + LOG_SECONDS
        with closing(_generator(self._reader.changes(stream, after))) as events:
            for event in events:
                if isinstance(event, Batch):
                    yield event
                if self._reader.passed(event.position, mark):
                    return
                if time.monotonic() > deadline:
                    raise Unreachable(f"The log behind {after} is too long to be read in {LOG_SECONDS:.0f} s.")

    def _is_past(self, reader: ChangeReader, stream: Split, mark: Position) -> bool:
        held = self._held(stream)
        return held is not None and reader.passed(held, mark)

    def _held(self, stream: Split) -> Position | None:
        """What the target says counts; a store may be a step behind it."""
        return self._writer.held(stream) or self.begun(stream) or None


def _changes(batch: Batch, pair: Pair, method: Method) -> Iterator[Change]:
    """Each change of a batch of the pair's source; none where it has not the key."""
    places = {column.name: place for place, column in enumerate(batch.table.columns)}
    if isinstance(batch.rows, Encoded) or not set(pair.source.keys) <= set(places):
        return
    names = [column.name for column in pair.source.columns]
    whole = set(names) <= set(places)
    for op, row in zip((batch.ops or b"").decode(), rows_of(batch.rows), strict=True):
        key = plain_key(pair, method, tuple(row[places[name]] for name in pair.source.keys))
        yield op, key, tuple(row[places[name]] for name in names) if whole else None


def _present(values: tuple[Any, ...] | None, pair: Pair) -> tuple[Any, ...]:
    if values is None:
        raise Unreachable(f"The log has rows of {pair.source.name} from before it was altered. Verify it again later.")
    return values


def _generator(events: Iterator[Event]) -> Generator[Event, None, None]:
    yield from events


def unfinished(checkpoints: Mapping[str, Checkpoint], load: Sequence[Split]) -> list[str]:
    """The tables whose full load is not done, or that are still followed by a stream of their own."""
    done = {split for split, checkpoint in checkpoints.items() if checkpoint.done}
    return sorted({split.table.name for split in load if split.id not in done or split.stream})
