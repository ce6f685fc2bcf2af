"""Hands runs out to workers, over the store. See engine/dispatch.py and engine/ledger.py for what is promised."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.engine.dispatch import LEASE_SECONDS, Hold
from disync.engine.pace import backoff, exhausted
from disync.model import ddl
from disync.model.data import Dirty
from disync.model.errors import BadConfig, DISyncError, Fenced, TaskError
from disync.model.job import Job, parse
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Limits, Split, Start, Tally, Task
from disync.services.clock import now_ms
from disync.services.project_configs import Pair, in_force
from disync.services.solutions import nodes
from disync.store import checkpoints, deployments, instances, solutions
from disync.store import dirty as refused_rows
from disync.store.database import Store

Resolve = Callable[[Connection, int, Sequence[str]], Mapping[str, Mapping[str, Any]]]
"""(connection, workspace id, data source names) → the content of each that exists."""

LONGEST_MESSAGE = 4000
LONGEST_ROW = 256 * 1024
"""Characters of a refused row that is kept whole."""
LONGEST_VALUE = 4096
"""And of each of its values where it is longer. No key is."""

RENEW_SECONDS = 1.0
"""Leases are written this often; what is wanted is read at every tick."""


class StoreDispatch:
    def __init__(self, store: Store, resolve: Resolve) -> None:
        self._store = store
        self._resolve = resolve
        self._renewed: dict[str, float] = {}

    def claim(self, worker: str) -> Task | None:
        with self._store.read() as db:
            candidates = instances.claimable(db, now_ms())
        for file_id in candidates:
            with self._store.write() as db:
                now = now_ms()
                if instances.claim(db, file_id, worker, now, now + int(LEASE_SECONDS * 1000)):
                    task = self._task(db, file_id)
                    if task is not None:
                        return task
        return None

    def _task(self, db: Connection, file_id: int) -> Task | None:
        """The claimed run as plain data; a task that can no longer be built is stopped, with the reason."""
        row = instances.get(db, file_id)
        deployed = deployments.get(db, file_id)
        assert row is not None
        try:
            if deployed is None:
                raise BadConfig("The task is no longer deployed.")
            job = parse(deployed.content)
            names = [name for step in job.steps for name, _ in step.data_sources]
            sources = self._resolve(db, deployed.workspace_id, names)
            dirty = job.setting.dirty if row.dirty_limit is None else row.dirty_limit
            begins, limits, owner = _start(row), _limits(row, dirty), instances.owner(db, file_id)
            policies = _policies(db, deployed.workspace_id, job, row.ddl)
            return Task(
                file_id,
                deployed.name,
                row.epoch,
                deployed.content,
                sources,
                begins,
                limits,
                owner,
                policies,
                confirmed=row.confirmed_ms is not None,
                isolates=solutions.of_task(db, file_id) is not None,
            )
        except DISyncError as error:
            _stop_for_good(db, file_id, row.epoch, str(error))
            return None

    def renew(self, worker: str, running: Set[Hold]) -> Set[Hold]:
        due = time.monotonic() - self._renewed.get(worker, 0.0) >= RENEW_SECONDS
        with self._store.read() as db:
            rows = instances.held(db, worker)
        fresh = [r for r in rows if not r.running and Hold(r.file_id, r.epoch) in running]
        if rows and (due or fresh):
            with self._store.write() as db:
                instances.renew(db, worker, now_ms() + int(LEASE_SECONDS * 1000))
                for row in fresh:
                    instances.mark_running(db, row.file_id, row.epoch)
                rows = instances.held(db, worker)
            self._renewed[worker] = time.monotonic()
        return {Hold(r.file_id, r.epoch) for r in rows if r.desired == "RUN" and r.recalled != r.epoch}

    def finish(self, task: Task, error: TaskError | None) -> None:
        cause = _storable(f"{error.code}: {error}") if error is not None else ""
        with self._store.write() as db:
            if error is None:
                self._ended(db, task)
            elif not error.retry:
                _stop_for_good(db, task.id, task.epoch, cause)
            else:
                _fail_over(db, task.id, task.epoch, cause)

    def _ended(self, db: Connection, task: Task) -> None:
        row = instances.get(db, task.id)
        if row is None:
            return
        marks = checkpoints.of_task(db, task.id)
        values: dict[str, Any] = {"lease_until_ms": 0}
        if row.desired == "STOP":
            values["stopped_ms"] = now_ms()
        elif marks and all(mark.done for mark in marks.values()):
            values |= {"desired": "STOP", "stopped_ms": now_ms(), "message": None}
        instances.release(db, task.id, task.epoch, **values)

    def ledger(self, task: Task) -> StoreLedger:
        return StoreLedger(self._store, task)

    # What the supervisor says.

    def worker_died(self, worker: str, reason: str) -> None:
        with self._store.write() as db:
            for row in instances.held(db, worker):
                _fail_over(db, row.file_id, row.epoch, reason)

    def free_lapsed(self) -> None:
        with self._store.read() as db:
            rows = instances.lapsed(db, now_ms())
        for row in rows:
            with self._store.write() as db:
                current = instances.get(db, row.file_id)
                if current is not None and current.epoch == row.epoch and current.lease_until_ms < now_ms():
                    _fail_over(db, row.file_id, row.epoch, f"worker {row.worker} fell silent")


class StoreLedger:
    """The durable memory of one run: every call first makes sure that no newer run has taken over."""

    def __init__(self, store: Store, task: Task) -> None:
        self._store = store
        self._task = task
        self._cut: set[str] = set()
        """The parts of the full load: the rows of each are counted."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._store.read() as db:
            return checkpoints.of_task(db, self._task.id)

    def load(self) -> Sequence[Split]:
        with self._store.read() as db:
            found = checkpoints.load_of_task(db, self._task.id)
        self._cut |= {split.id for split in found}
        return found

    def begin(self, checkpoints_: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        now = now_ms()
        with self._store.read() as db:
            planned = nodes.planned(db, self._task, load)
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put_load(db, self._task.id, load)
            for mark in checkpoints_:
                checkpoints.put(db, self._task.id, mark, now)
            if planned is not None:
                nodes.follow(db, *planned, anew=not self._cut)
        self._cut |= {split.id for split in load}

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put(db, self._task.id, checkpoint, now_ms())
            if tally.rows_written and checkpoint.split in self._cut:
                solutions.wrote(db, self._task.id, checkpoint.split, tally.rows_written)
            refused_rows.keep(db, self._task.id, [_kept(row, row not in checkpoint.refused) for row in dirty], now_ms())
            refused = _count(db, self._task.id, tally)
            # The limit bounds how many there are to be counted one by one.
            if dirty and self._task.limits.dirty is not None:
                refused = refused_rows.since_start(db, self._task.id)
            return refused

    def join(self, stream: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.join(db, self._task.id, stream)

    def leave(self, tables: Set[str]) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.leave(db, self._task.id, tables)
            nodes.leave(db, self._task.id, tables)

    def left(self) -> Set[str]:
        with self._store.read() as db:
            return checkpoints.left(db, self._task.id)

    def fail(self, tables: Set[str], reason: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.fail(db, self._task.id, tables, _storable(reason), now_ms())

    def failed(self) -> Mapping[str, str]:
        with self._store.read() as db:
            return checkpoints.failed(db, self._task.id)

    def asked(self) -> Sequence[Kept]:
        with self._store.read() as db:
            return refused_rows.asked(db, self._task.id)

    def settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        with self._store.write() as db:
            self._guard(db)
            for row, reason in outcomes.items():
                refused_rows.settle(db, row, None if reason is None else _storable(reason))
            _count(db, self._task.id, tally)

    def _guard(self, db: Connection) -> None:
        if not instances.is_current(db, self._task.id, self._task.epoch):
            raise Fenced("A newer run of this task has taken over.")


def _count(db: Connection, file_id: int, tally: Tally) -> int:
    return instances.count(db, file_id, (tally.rows_read, tally.bytes_read), tally.rows_written, tally.rows_dirty)


def _kept(row: Dirty, read: bool) -> tuple[Dirty, bool]:
    """The row as the store takes it, and whether it is whole: of a very large one the long values are cut, and of one
    that could not be read, some are only shown."""
    cut = replace(row, reason=_storable(row.reason))
    if len(row.row) <= LONGEST_ROW:
        return cut, read
    named = msgspec.json.decode(row.row)
    short = {k: v[:LONGEST_VALUE] if isinstance(v, str) else v for k, v in named.items()}
    return replace(cut, row=msgspec.json.encode(short).decode()), False


def _storable(text: str) -> str:
    """A text from outside as every store takes it, and short enough to be read."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_MESSAGE]


def _start(row: Any) -> Start:
    return Start(row.start_at or "earliest", row.start_time_ms or 0)


def _policies(db: Connection, workspace_id: int, job: Job, start_param: str | None) -> ddl.Policies:
    """StartParam over the task's own setting over the workspace's over the built-in."""
    given = ddl.read(msgspec.json.decode(start_param or "{}"), "StartParam.ddlMarkMap")
    pair = Pair(job.target.type.lower(), job.source.type.lower())
    return {**in_force(db, workspace_id, pair), **job.setting.ddl, **given}


def _limits(row: Any, dirty: int | None) -> Limits:
    default = Limits()
    count, minutes = row.failover_count, row.failover_minutes
    return Limits(
        default.failovers if count is None else count,
        default.failover_minutes if minutes is None else minutes,
        dirty,
    )


def _fail_over(db: Connection, file_id: int, epoch: int, reason: str) -> None:
    """Free the run so that it goes on elsewhere, or stop the task for good when the failover rule says so."""
    row = instances.get(db, file_id)
    if row is None or row.epoch != epoch or row.worker is None:
        return
    if row.desired == "STOP":
        instances.release(db, file_id, epoch, lease_until_ms=0, stopped_ms=now_ms())
        return
    now, limits = now_ms(), _limits(row, None)
    instances.add_failover(db, file_id, epoch, now, reason)
    recent = instances.failovers_since(db, file_id, max(row.started_ms or 0, now - limits.failover_minutes * 60_000))
    if exhausted(limits, recent, now):
        _stop_for_good(
            db, file_id, epoch, f"{len(recent)} failovers within {limits.failover_minutes} minutes; the last: {reason}"
        )
        return
    until = now + int(backoff(len(recent) - 1) * 1000)
    instances.release(db, file_id, epoch, lease_until_ms=until, message=reason)


def _stop_for_good(db: Connection, file_id: int, epoch: int, message: str) -> None:
    instances.release(db, file_id, epoch, desired="STOP", lease_until_ms=0, stopped_ms=now_ms(), message=message)
