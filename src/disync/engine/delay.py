"""How old the target is, as seen by one stream: the delay of a task is that of its stream that is furthest behind."""

from __future__ import annotations

import time
from collections.abc import Iterable

FRESH_MS = 5000
"""A reader tells at least once a second that its log has ended; one that has been silent for so long may be stuck."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Delay:
    """Told by the thread of a stream, asked by any other. All is in ms since 1970, by the source's clock as far as the
    source tells it: a clock that is wrong makes a delay that is."""

    __slots__ = ("_as_of", "_at_end")

    def __init__(self) -> None:
        self._as_of: int | None = None
        self._at_end = False

    def took(self) -> None:
        """There is something that is not durable yet."""
        self._at_end = False

    def durable(self, time_ms: int | None) -> None:
        """All that happened in the source until then is durable; nothing is known where that is not told."""
        if time_ms:
            self._as_of = time_ms

    def ended(self) -> None:
        """The log has been read to its end, and all of it is durable."""
        self._as_of, self._at_end = _now_ms(), True

    def ms(self) -> int | None:
        """How old the last change is that is durable; 0 when nothing is pending, None where it is not known."""
        if self._as_of is None:
            return None
        age = max(0, _now_ms() - self._as_of)
        return 0 if self._at_end and age < FRESH_MS else age


def longest(delays: Iterable[Delay]) -> int | None:
    known = [ms for delay in delays if (ms := delay.ms()) is not None]
    return max(known, default=None)
