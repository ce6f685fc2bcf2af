"""Parts of a full load that other workers read: the side of the run that has the task.

Nothing rests on what a helper says. Whatever comes back is taken up by this run like any part: its target tells whether
it is done, and from where it is read on. Nor does anything rest on a helper being gone: a target that is written by
several workers refuses what was not read behind its last checkpoint (`Writer.shared`). So a helper may die, freeze or
be late, and what is told here is only about time.

As many parts are read at once, by all together, as the task has channels (`setting.speed.concurrent`): a seat that
another worker has taken is one channel less here. Those who are there for nothing else may take them all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

import structlog

from disync.model.data import Table
from disync.model.run import Split

log = structlog.get_logger()

LOOK_SECONDS = 0.25
"""Between two looks at what has come back."""

LEAST_DEPTH, MOST_DEPTH = 2, 64
"""Parts that a seat is given at once: one to read and one that waits; more where it has read them all at each look."""


class Back(StrEnum):
    """What became of a part: read to its end, not begun or not ended, or not to be read by that helper."""

    DONE = "done"
    LEFT = "left"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Returned:
    """`reason`: of one that FAILED."""

    split: str
    back: Back
    reason: str = ""


def shapes_of(tables: Sequence[Table]) -> str:
    """A part is read alike by those who have it alike."""
    return sha256(repr(sorted(tables, key=lambda table: table.name)).encode(errors="replace")).hexdigest()


class Desk(Protocol):
    """Where a run meets its helpers. Raises Fenced when a newer run has taken over."""

    def open(self, seats: int, shapes: str) -> None:
        """So many parts may be read elsewhere at once, by those who see the tables in these `shapes`, and the last of
        them only by those who have no runs of their own. What was lent before, by an earlier run of the same epoch that
        could not close, is forgotten."""

    def shut(self) -> None:
        """No seat is to be taken any more; those that are stay."""

    def lend(self, parts: Mapping[str, str]) -> None:
        """`parts`: the seat of each split."""

    def look(self) -> tuple[Set[str], Sequence[Returned]]:
        """The seats that are taken, and what has come back; each part once. The seat of a worker that has fallen silent
        is given up, and comes back with what it had."""

    def close(self) -> None:
        """Whoever still reads for this run must stop."""


@dataclass(slots=True)
class _Seat:
    lent: set[str] = field(default_factory=set)
    depth: int = LEAST_DEPTH


class Lending:
    """`channels`: how many parts are read at once, here and elsewhere. `wake` is called when there is news. Without a
    `desk` nothing is lent."""

    def __init__(self, desk: Desk | None, channels: int, wake: Callable[[], object]) -> None:
        self._desk = desk
        self._channels = channels
        self._wake = wake
        self._lock = threading.Lock()
        self._seats: dict[str, _Seat] = {}
        self._lent: dict[str, Split] = {}
        self._back: list[tuple[Split, Returned]] = []
        self._closed = False
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, parts: int, tables: Sequence[Table]) -> None:
        """There are so many parts to read, of `tables` as this run knows them."""
        if self._desk is None or not 1 < self._channels < parts:
            return
        if not self._said(lambda desk: desk.open(self._channels, shapes_of(tables))):
            return
        self._thread = threading.Thread(target=self._watch, name="lending", daemon=True)
        self._thread.start()

    @property
    def seats(self) -> Set[str]:
        """Those that are taken."""
        return self._seats.keys()

    @property
    def out(self) -> bool:
        """Whether something is lent, or has come back and not been taken up. Nothing is seen between the two."""
        with self._lock:
            return bool(self._lent or self._back)

    def room(self, excess: int) -> int:
        """How many more parts may be lent. `excess`: how many more are read here than this run's own channels."""
        with self._lock:
            busy = [seat for seat in self._seats.values() if seat.lent]
            free = max(0, len(self._seats) - len(busy) - excess) * LEAST_DEPTH
            return free + sum(max(0, seat.depth - len(seat.lent)) for seat in busy)

    def lend(self, splits: Sequence[Split], excess: int) -> None:
        """Give these to whoever has least. `excess`: as of `room`."""
        parts: dict[str, str] = {}
        with self._lock:
            for split in splits:
                name = self._least(excess)
                if name is None:  # who had room has left meanwhile
                    self._back.append((split, Returned(split.id, Back.LEFT)))
                    continue
                self._seats[name].lent.add(split.id)
                parts[split.id] = name
                self._lent[split.id] = split
        if parts and not self._said(lambda desk: desk.lend(parts)):
            # Nobody is woken: they would be lent again at once, again and again, until the store is back.
            self._seen(set(self._seats), [Returned(split, Back.LEFT) for split in parts])

    def _least(self, excess: int) -> str | None:
        """The seat that has least; one that has nothing only while there is a channel for it."""
        busy = [name for name, seat in self._seats.items() if seat.lent]
        among = self._seats if len(busy) + excess < len(self._seats) else busy
        return min(among, key=lambda name: len(self._seats[name].lent), default=None)

    def returned(self, *back: Back) -> list[tuple[Split, Returned]]:
        """What has come back in one of these ways; each once."""
        with self._lock:
            found = [each for each in self._back if each[1].back in back]
            self._back = [each for each in self._back if each[1].back not in back]
        return found

    def none_left(self) -> None:
        """All parts are given out: nobody need take a seat any more."""
        if self._thread is not None and not self._closed:
            self._closed = self._said(lambda desk: desk.shut())

    def end(self) -> None:
        """The run is over. What is still lent is another run's to read."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
            self._said(lambda desk: desk.close())

    def _said(self, what: Callable[[Desk], None]) -> bool:
        """Whether the desk has taken it. The store may be away for a moment: a run goes on without help, and its lease
        decides for how long."""
        try:
            assert self._desk is not None, "without one nothing is begun"
            what(self._desk)
        except Exception as error:
            log.warning("helpers cannot be told", error=str(error))
            return False
        return True

    def _watch(self) -> None:
        assert self._desk is not None, "only then it is begun"
        while not self._over.wait(LOOK_SECONDS):
            try:
                if self._seen(*self._desk.look()):
                    self._wake()
            except Exception as error:
                log.warning("cannot see what helpers do", error=str(error))
            if self._closed and not self._lent and not self._seats:
                return

    def _seen(self, seats: Set[str], returned: Sequence[Returned]) -> bool:
        """Whether there is news."""
        with self._lock:
            news = bool(returned) or seats != self._seats.keys()
            for each in returned:
                split = self._lent.pop(each.split, None)
                if split is not None:
                    self._back.append((split, each))
            came = {each.split for each in returned}
            left = {each.split for each in returned if each.back is Back.LEFT}
            for seat in self._seats.values():
                if seat.lent & left:
                    seat.depth = LEAST_DEPTH
                elif seat.lent and seat.lent <= came:
                    seat.depth = min(MOST_DEPTH, seat.depth * 2)
                seat.lent -= came
            self._seats = {name: self._seats.get(name, _Seat()) for name in seats}
        return news
