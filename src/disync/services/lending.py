"""Where a run and the workers that help it meet, over the store. See engine/lending.py and engine/helping.py for what
is promised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from hashlib import sha256
from secrets import token_hex

import msgspec
import structlog
from sqlalchemy import Connection

from disync.engine.helping import Sitting
from disync.engine.lease import LEASE_SECONDS
from disync.engine.lending import Back, Returned
from disync.model.errors import DISyncError, Fenced
from disync.model.job import parse
from disync.model.run import Split, Task
from disync.services.clock import now_ms
from disync.services.ledger import StoreLedger, storable
from disync.services.masking import masked
from disync.store import instances, lending
from disync.store.database import Store
from disync.store.shares import Share

log = structlog.get_logger()

RENEW_SECONDS = 1.0
"""Seats are renewed this often; what is wanted is read at every tick."""


class StoreDesk:
    def __init__(self, store: Store, task: Task) -> None:
        self._store = store
        self._task = task

    def open(self, seats: int, shapes: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            lending.open_(db, self._task.id, self._task.epoch, seats, f"{_mark(self._task)} {shapes}")

    def shut(self) -> None:
        with self._store.write() as db:
            self._guard(db)
            lending.shut(db, self._task.id)

    def lend(self, parts: Mapping[str, str]) -> None:
        with self._store.write() as db:
            self._guard(db)
            lending.lend(db, self._task.id, parts)

    def look(self) -> tuple[Set[str], Sequence[Returned]]:
        now = now_ms()
        with self._store.read() as db:
            seats = {row.seat: row.lease_until_ms for row in lending.seats(db, self._task.id)}
            rows = lending.lent_out(db, self._task.id)
        silent = {seat for seat, until_ms in seats.items() if until_ms < now}
        taken = seats.keys() - silent
        # A part may have been given to a seat that was being left.
        over = [row for row in rows if row.back or row.seat not in taken]
        if over or silent:
            with self._store.write() as db:
                self._guard(db)
                lending.take_back(db, self._task.id, [row.split for row in over], silent)
        return taken, [Returned(row.split, Back(row.back or Back.LEFT), row.reason) for row in over]

    def close(self) -> None:
        with self._store.write() as db:
            self._guard(db)
            lending.close(db, self._task.id)

    def _guard(self, db: Connection) -> None:
        if not instances.is_current(db, self._task.id, self._task.epoch):
            raise Fenced("A newer run of this task has taken over.")


def _mark(task: Task) -> str:
    """Two that have it alike read the same rows, and write them to the same place. The store is no place for what tells
    of secrets."""
    job = parse(task.code)
    kinds = {name: step.type for step in job.steps for name, _ in step.data_sources}
    sources = {name: masked(kinds.get(name, ""), content) for name, content in sorted(task.sources.items())}
    told = msgspec.json.encode((task.code, sources, task.owner, task.start, task.confirmed, task.isolates))
    return sha256(told).hexdigest()


class StoreHelp:
    """`share`: whose runs are helped; `build` makes the run of a task that somebody else has."""

    def __init__(self, store: Store, build: Callable[[Connection, int], Task | None], share: Share) -> None:
        self._store = store
        self._build = build
        self._share = share
        self._renewed: dict[str, float] = {}
        self._strange: dict[int, int] = {}
        """By task: the epoch of a run whose task, or tables, are not those of now."""

    def sit(self, worker: str) -> Sitting | None:
        with self._store.read() as db:
            open_ = lending.open_to(db, worker, now_ms(), self._share)
        for file_id, epoch in open_:
            if self._strange.get(file_id) == epoch:
                continue
            seat = token_hex(8)
            with self._store.write() as db:
                until_ms = now_ms() + int(LEASE_SECONDS * 1000)
                if lending.sit(db, file_id, seat, worker, until_ms, self._share.devoted):
                    task = self._task(db, file_id)
                    # What is deployed now may be another task than the one that the run was built from.
                    mark, _, shapes = lending.mark(db, file_id, epoch).partition(" ")
                    if task is not None and task.epoch == epoch and mark == _mark(task):
                        return Sitting(task, seat, shapes)
                    lending.leave(db, file_id, seat, Back.LEFT)
                    self._strange[file_id] = epoch
        return None

    def _task(self, db: Connection, file_id: int) -> Task | None:
        try:
            return self._build(db, file_id)
        except DISyncError as error:  # the run that has it is told by itself
            log.warning("a task cannot be helped", task=file_id, error=str(error))
            return None

    def hold(self, worker: str) -> Set[str]:
        if time.monotonic() - self._renewed.get(worker, 0.0) >= RENEW_SECONDS:
            with self._store.write() as db:
                lending.renew(db, worker, now_ms() + int(LEASE_SECONDS * 1000))
            self._renewed[worker] = time.monotonic()
        with self._store.read() as db:
            return {row.seat for row in lending.held(db, worker)}

    def given(self, sitting: Sitting) -> Sequence[Split]:
        with self._store.read() as db:
            return lending.given(db, sitting.task.id, sitting.seat)

    def give_back(self, sitting: Sitting, returned: Returned) -> None:
        with self._store.write() as db:
            reason = storable(returned.reason)
            lending.give_back(db, sitting.task.id, sitting.seat, returned.split, returned.back, reason)

    def refuse(self, sitting: Sitting) -> None:
        self._strange[sitting.task.id] = sitting.task.epoch

    def leave(self, sitting: Sitting) -> None:
        with self._store.write() as db:
            lending.leave(db, sitting.task.id, sitting.seat, Back.LEFT)

    def ledger(self, sitting: Sitting) -> StoreLedger:
        return _SeatLedger(self._store, sitting)


class _SeatLedger(StoreLedger):
    """The run's memory, for one of its helpers: it speaks for the run as long as it has its seat."""

    def __init__(self, store: Store, sitting: Sitting) -> None:
        super().__init__(store, sitting.task)
        self._seat = sitting.seat
        self.load()  # the rows of each part are counted

    def _guard(self, db: Connection) -> None:
        super()._guard(db)
        if not lending.sits(db, self._task.id, self._seat):
            raise Fenced("This seat was given up.")
