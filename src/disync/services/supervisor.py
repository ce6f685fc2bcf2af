"""The supervisor: sees to it that what is wanted runs.

Workers take work by themselves; the supervisor keeps the workers alive, and frees the runs of those that have died: at
once when it saw its own worker end, by the lease when a worker elsewhere fell silent. Each freed run is a failover.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from disync.services.dispatch import StoreDispatch

log = structlog.get_logger()

TICK_SECONDS = 0.2

THIN_SECONDS = 20.0
"""Between two times that samples are thinned."""


class Runner(Protocol):
    """Where workers live: processes here, actors on a cluster."""

    def tend(self) -> list[tuple[str, str]]: ...

    def stop(self, within: float) -> None: ...


class Supervisor:
    """`runners` in the order in which they are to stop: those which host runs first."""

    def __init__(self, runners: Sequence[Runner], dispatch: StoreDispatch) -> None:
        self._runners = runners
        self._dispatch = dispatch
        self._stop = threading.Event()
        self._thin_at = 0.0
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """When this returns, the processes have been started."""
        self._look()
        self._thread.start()

    def stop(self, within: float) -> None:
        """Stop the workers; they flush and let go of their runs, which stay wanted and go on at the next start."""
        self._stop.set()
        self._thread.join(within)
        for runner in self._runners:
            runner.stop(within)

    def _watch(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            try:
                self._look()
            except Exception:
                log.exception("the supervisor met an error and goes on")

    def _look(self) -> None:
        for runner in self._runners:
            for name, ending in runner.tend():
                log.warning("process died", name=name, ending=ending)
                self._dispatch.worker_died(name, f"worker {name}: {ending}")
        self._dispatch.free_lapsed()
        if time.monotonic() >= self._thin_at:
            self._thin_at = time.monotonic() + THIN_SECONDS
            self._dispatch.thin()
