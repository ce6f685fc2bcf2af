"""Worker processes on this machine: kept alive, told when one has died."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

log = structlog.get_logger()

RESTART_SECONDS = 1.0
"""A worker that dies at once is not started again faster than this."""


@dataclass(slots=True)
class Slot:
    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    @property
    def name(self) -> str:
        """The name under which the worker of this slot holds its runs: unique over hosts and restarts."""
        return f"{os.uname().nodename}-{self.process.pid}" if self.process else ""


_LEAN = {"MALLOC_ARENA_MAX": "2"}
"""Each of the C library's arenas, up to eight for a core, keeps for itself what its threads have given back."""


class LocalRunner:
    """Keeps `count` worker processes running; `command` starts one, and its name comes from its pid."""

    def __init__(self, command: Sequence[str], count: int) -> None:
        self._command = list(command)
        self._slots = [Slot(number) for number in range(count)]

    def tend(self) -> list[tuple[str, str]]:
        """Start what is not running. Returns (worker, how it ended) for each one that has died since the last call."""
        died: list[tuple[str, str]] = []
        for slot in self._slots:
            if slot.process is not None and (code := slot.process.poll()) is not None:
                died.append((slot.name, ending(code)))
                slot.process = None
            if slot.process is None and time.monotonic() - slot.started >= RESTART_SECONDS:
                slot.started = time.monotonic()
                slot.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, env=_LEAN | os.environ)
                log.info("process started", name=slot.name)
        return died

    @property
    def count(self) -> int:
        return len(self._slots)

    @property
    def alive(self) -> int:
        return sum(slot.process is not None and slot.process.poll() is None for slot in self._slots)

    def stop(self, within: float) -> None:
        """SIGTERM, and SIGKILL to those which have not ended `within` seconds."""
        processes = [slot.process for slot in self._slots if slot.process is not None]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + within
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
