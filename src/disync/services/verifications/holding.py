"""A verification that this process carries out: its lease, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection

from disync.engine.verify import Progress
from disync.model.errors import TaskError
from disync.services import happening
from disync.services.clock import now_ms
from disync.services.happening import Kind
from disync.services.verifications.course import Course
from disync.services.verifications.outcome import Outcome, State
from disync.store import verifications as rows
from disync.store.database import Store

log = structlog.get_logger()

LEASE_SECONDS = 20.0
RENEW_SECONDS = 2.0
"""Between two renewals of a lease, by a clock: a single statement over a large table may take longer than a lease."""


_LOST = (
    "The verification is no longer carried out here: it was stopped, its task was deleted, or its lease was not "
    "renewed in time."
)


class Lost(TaskError):
    """The lease has ended: others take it that this verification has failed, or was stopped."""

    retry = False


class Holding:
    """Renews the lease and saves the course until it is left. `lost` is called once, by the thread that renews, when
    the lease can no longer be relied on; whoever compares meets `Lost` at the next `tell`."""

    def __init__(self, store: Store, verification_id: int, holder: str, lost: Callable[[], None]) -> None:
        self._store = store
        self._id, self._holder = verification_id, holder
        self._lost = lost
        self._gone = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"verification-{verification_id}", daemon=True)
        self.course = Course()

    def __enter__(self) -> Holding:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def tell(self, now: Progress) -> None:
        if self._gone:
            raise Lost(_LOST)
        self.course.tell(now)

    def confirm(self, db: Connection) -> None:
        """Raise Lost unless it is still had in this transaction: what is written in it is written for nobody else."""
        if not _renewed(db, self._id, self._holder):
            raise Lost(_LOST)

    def _keep(self) -> None:
        until = time.monotonic() + LEASE_SECONDS
        while not self._over.wait(RENEW_SECONDS) and not self._gone:
            at = time.monotonic()
            try:
                held = renew(self._store, self._id, self._holder, **self.course.take())
                until = at + LEASE_SECONDS if held else at
            except Exception:
                log.exception("cannot reach the store", verification=self._id)
            if time.monotonic() >= until:
                log.warning("the lease of a verification has ended: it is given up", verification=self._id)
                self._gone = True
                self._lost()


def renew(store: Store, verification_id: int, holder: str, **more: Any) -> bool:
    """Have it for LEASE_SECONDS more; False where the lease has ended before."""
    with store.write() as db:
        return _renewed(db, verification_id, holder, **more)


def _renewed(db: Connection, verification_id: int, holder: str, **more: Any) -> bool:
    now = now_ms()
    return rows.hold(db, verification_id, holder, now, until_ms=now + int(LEASE_SECONDS * 1000), **more)


def end(store: Store, verification_id: int, holder: str, found: Outcome) -> None:
    """Write down what came of it, unless somebody else has, or the lease has ended."""
    with store.write() as db:
        row, now = rows.get(db, verification_id), now_ms()
        if row is not None and rows.hold(db, verification_id, holder, now, ended_ms=now, **found.values):
            told = {"verification": verification_id, "state": str(found.state)}
            happening.tell(db, row.file_id, Kind.VERIFY, found.message, **told)


def failed(message: str, course: Course | None = None) -> Outcome:
    return Outcome(State.FAIL, message, course.tables if course is not None else ())
