"""A worker's own clock on what it holds, and what it has lost of that."""

from __future__ import annotations

import time
from typing import Protocol

LEASE_SECONDS = 10.0
"""How long what a worker holds stays its own without being renewed. A worker that cannot renew stops before that."""


class Lease(Protocol):
    @property
    def valid(self) -> bool: ...


class Clock:
    """`valid` turns false well before another worker may take over."""

    def __init__(self) -> None:
        self._until = 0.0

    def renewed(self, at: float) -> None:
        """`at`: when the store was asked, by `time.monotonic`."""
        self._until = at + LEASE_SECONDS * 0.7

    @property
    def valid(self) -> bool:
        return time.monotonic() < self._until


class Held:
    """One run's part of a worker's lease: it may be lost to another worker while the rest is renewed."""

    def __init__(self, clock: Lease) -> None:
        self._clock = clock
        self._lost = False

    def lose(self) -> None:
        self._lost = True

    @property
    def valid(self) -> bool:
        return not self._lost and self._clock.valid
