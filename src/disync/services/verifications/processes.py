"""The processes in which verifications run: one is started for each that was asked for, and ends with the server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from disync.engine.runners.local import ending
from disync.services.clock import now_ms
from disync.services.verifications.holding import end, failed
from disync.services.verifications.verifications import START_SECONDS
from disync.store import verifications as rows
from disync.store.database import Store

log = structlog.get_logger()

STOP_SECONDS = 1.0
"""Such a process has nothing to flush: SIGTERM ends it at once."""

_STOPPED = "The server was stopped before it had ended. Start it again."


@dataclass(frozen=True, slots=True)
class _Child:
    verification_id: int
    holder: str
    process: subprocess.Popen[bytes]


class Processes:
    """A runner beside those of the workers. `command` starts a process, given `--id` and `--holder`."""

    def __init__(self, store: Store, command: Sequence[str]) -> None:
        self._store = store
        self._command = list(command)
        self._children: list[_Child] = []

    def tend(self) -> list[tuple[str, str]]:
        """Start a process for each verification that waits, and write down how those ended that could not say so
        themselves. None of them holds a run, so none is told of."""
        try:
            self._reap()
            self._begin()
        except Exception:
            log.exception("verifications cannot be looked after")
        return []

    def stop(self, within: float) -> None:
        """End them all; what they were at says that the server was stopped."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        deadline = time.monotonic() + min(within, STOP_SECONDS)
        for child in self._children:
            try:
                child.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        for child in self._children:
            try:
                end(self._store, child.verification_id, child.holder, failed(_STOPPED))
            except Exception:
                # The lease says it too, a little later.
                log.exception("the end of a verification cannot be kept", verification=child.verification_id)
        self._children.clear()

    def _reap(self) -> None:
        ended = [child for child in self._children if child.process.poll() is not None]
        for child in ended:
            self._children.remove(child)
            why = f"Its process ended before it was done: {ending(child.process.returncode)}. Start it again."
            end(self._store, child.verification_id, child.holder, failed(why))

    def _begin(self) -> None:
        with self._store.read() as db:
            waiting = rows.waiting(db, now_ms())
        for verification_id in waiting:
            holder = f"{os.uname().nodename}-{os.getpid()}-{verification_id}"
            with self._store.write() as db:
                now = now_ms()
                taken = rows.claim(db, verification_id, holder, now, now + int(START_SECONDS * 1000))
            if taken:
                self._start(verification_id, holder)

    def _start(self, verification_id: int, holder: str) -> None:
        command = [*self._command, "--id", str(verification_id), "--holder", holder]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        except OSError as error:
            end(self._store, verification_id, holder, failed(f"Its process could not be started: {error.strerror}."))
            return
        self._children.append(_Child(verification_id, holder, process))
        log.info("verification begins", verification=verification_id, pid=process.pid)
