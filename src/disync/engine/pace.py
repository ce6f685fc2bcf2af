"""When to flush, how fast to go, and how often a run may fail."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from disync.model.run import Limits

FLUSH_ROWS = 10_000
"""Rows of one split that may be written and not yet checkpointed: also the most that a crash delivers twice."""

KEPT_ROWS = 100_000
"""The same where the target keeps the checkpoint itself: a crash repeats none, so larger steps cost nothing."""

FLUSH_BYTES = 16 << 20
"""And so many bytes, about: what a sink may have to hold of one split."""

LOAD_BYTES = 8 << 20
"""The same of a full load, whose rows a target may take as they come: larger steps would only hold more memory."""

FLUSH_TABLES = 200
"""And of so many tables: a server has room for so many locks, and a transaction holds those of all that it touches."""

FLUSH_SECONDS = 0.5
"""And for how long: the age of the oldest row that is not yet checkpointed."""


@dataclass(slots=True)
class FlushPace:
    """Large steps under load, none held back when the source is idle.

    A checkpoint is due once `most` rows, `most_bytes`, FLUSH_TABLES or FLUSH_SECONDS have gathered. The bound is kept
    from above: `fits` says whether more rows may be written before the next flush.
    """

    most: int = FLUSH_ROWS
    most_bytes: int = FLUSH_BYTES
    clock: Callable[[], float] = time.monotonic
    rows: int = 0
    size: int = 0
    tables: set[str] = field(default_factory=set)
    since: float = 0.0

    def wrote(self, table: str, rows: int, size: int) -> None:
        if self.rows == 0:
            self.since = self.clock()
        self.tables.add(table)
        self.rows += rows
        self.size += size

    @property
    def due(self) -> bool:
        full = self.rows >= self.most or self.size >= self.most_bytes or len(self.tables) >= FLUSH_TABLES
        return self.rows > 0 and (full or self.clock() - self.since >= FLUSH_SECONDS)

    def fits(self, rows: int) -> bool:
        """Whether `rows` more may be written before a flush."""
        return self.rows == 0 or self.rows + rows <= self.most

    def flushed(self) -> None:
        self.rows = self.size = 0
        self.tables.clear()


@dataclass(slots=True)
class Throttle:
    """Keeps a task under `bytes_per_second` (`setting.speed.mbps`, in MB/s, with `throttle: true`); None: no limit."""

    bytes_per_second: float | None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    _free_at: float = field(default=0.0)

    def take(self, size: int) -> None:
        """Wait until `size` bytes may pass. Threads of one task share the rate."""
        if self.bytes_per_second is None:
            return
        now = self.clock()
        start = max(now, self._free_at)
        self._free_at = start + size / self.bytes_per_second
        if start > now:
            self.sleep(start - now)


def backoff(failovers: int) -> float:
    """Seconds to wait before a task that has failed `failovers` times lately runs again.

    It stays under 2 s so that the default rule (more than 100 in 5 minutes) can be reached by a source that stays down.
    """
    return float(min(2.0, 0.1 * 2 ** min(failovers, 10)))


def exhausted(limits: Limits, failovers_ms: list[int], now_ms: int) -> bool:
    """The failover rule: more than `failovers` in the last `failover_minutes`, as in StartParam.failoverLimit."""
    since = now_ms - limits.failover_minutes * 60_000
    return sum(at > since for at in failovers_ms) > limits.failovers
