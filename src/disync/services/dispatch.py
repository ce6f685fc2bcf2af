"""Hands runs out to workers, over the store. See engine/dispatch.py and engine/ledger.py for what is promised."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.engine.dispatch import Hold, Renewed
from disync.engine.lease import LEASE_SECONDS
from disync.engine.pace import backoff, exhausted
from disync.model import ddl
from disync.model.errors import BadConfig, BegunAnew, DISyncError, Fenced, TaskError
from disync.model.job import Job, parse
from disync.model.run import Limits, Start, Task
from disync.services import happening
from disync.services.clock import now_ms
from disync.services.happening import Kind
from disync.services.ledger import StoreLedger, storable
from disync.services.lending import StoreDesk, StoreHelp
from disync.services.project_configs import Pair, in_force
from disync.services.turns import Turns
from disync.store import checkpoints, deployments, instances, samples, solutions
from disync.store.database import Store
from disync.store.instances import Carried
from disync.store.samples import Count
from disync.store.shares import ALL, Share

Resolve = Callable[[Connection, int, Sequence[str]], Mapping[str, Mapping[str, Any]]]
"""(connection, workspace id, data source names) → the content of each that exists."""


RENEW_SECONDS = 1.0
"""Leases are written this often; what is wanted is read at every tick."""

MANY_RUNS = 1000
LOOK_SECONDS = 1.0
"""Where so many runs are held, what the workers carry is read this often, since it takes reading them all."""


class StoreDispatch:
    """`share`: the runs that it hands out. `traced`: as of StoreLedger."""

    def __init__(self, store: Store, resolve: Resolve, share: Share = ALL, traced: bool = False) -> None:
        self._store = store
        self._resolve = resolve
        self._share = share
        self._traced = traced
        self._turns = Turns()
        self._carried: Sequence[Carried] = ()
        self._looked = 0.0
        self._renewed: dict[str, float] = {}
        self._counts: dict[int, tuple[int, Count]] = {}
        """By task: the epoch of its run, and its counters at the last sample."""

    def claim(self, worker: str) -> Task | None:
        with self._store.read() as db:
            room = self._share.room
            left = room if room == math.inf else room - instances.load_of(db, worker, now_ms())
            free = instances.claimable(db, now_ms(), self._share, left)
            carried = self._all_carried(db) if free and self._share.only is None else ()
        for file_id in self._turns.of(worker, free, carried, time.monotonic()):
            with self._store.write() as db:
                now = now_ms()
                if instances.claim(db, file_id, worker, now, now + int(LEASE_SECONDS * 1000)):
                    task = self._task(db, file_id)
                    if task is not None:
                        return task
        return None

    def _all_carried(self, db: Connection) -> Sequence[Carried]:
        many = sum(each.runs for each in self._carried) >= MANY_RUNS
        if not many or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._carried, self._looked = instances.carried(db, now_ms()), time.monotonic()
        return self._carried

    def _task(self, db: Connection, file_id: int) -> Task | None:
        """The claimed run; a task that can no longer be built is stopped, with the reason."""
        try:
            return self._build(db, file_id)
        except DISyncError as error:
            row = instances.get(db, file_id)
            _stop_for_good(db, file_id, row.epoch, str(error))
            return None

    def _build(self, db: Connection, file_id: int) -> Task:
        """The run that somebody has of a task, as plain data."""
        row = instances.get(db, file_id)
        deployed = deployments.get(db, file_id)
        if deployed is None:
            raise BadConfig("The task is no longer deployed.")
        job = parse(deployed.content)
        names = [name for step in job.steps for name, _ in step.data_sources]
        dirty = job.setting.dirty if row.dirty_limit is None else row.dirty_limit
        return Task(
            file_id,
            deployed.name,
            row.epoch,
            deployed.content,
            self._resolve(db, deployed.workspace_id, names),
            _start(row),
            _limits(row, dirty),
            instances.owner(db, file_id),
            _policies(db, deployed.workspace_id, job, row.ddl),
            confirmed=row.confirmed_ms is not None,
            isolates=solutions.of_task(db, file_id) is not None,
        )

    def renew(self, worker: str, running: Set[Hold], begun: Set[Hold] = frozenset()) -> Renewed:
        due = time.monotonic() - self._renewed.get(worker, 0.0) >= RENEW_SECONDS
        with self._store.read() as db:
            rows = instances.held(db, worker)
        fresh = [r for r in rows if not r.running and Hold(r.file_id, r.epoch) in running]
        hosted = running | begun
        ended = [r.file_id for r in rows if Hold(r.file_id, r.epoch) not in hosted]
        if len(rows) > len(ended) and (due or fresh):
            with self._store.write() as db:
                instances.renew(db, worker, now_ms() + int(LEASE_SECONDS * 1000), but=ended)
                for row in fresh:
                    instances.mark_running(db, row.file_id, row.epoch)
                    happening.tell(db, row.file_id, Kind.RUN, worker=worker, epoch=row.epoch)
                rows = instances.held(db, worker)
            self._renewed[worker] = time.monotonic()
        held = {Hold(r.file_id, r.epoch): r for r in rows}
        wanted = {hold for hold, r in held.items() if r.desired == "RUN" and r.recalled != r.epoch}
        return Renewed(wanted, hosted - held.keys())

    def sample(self, delays: Mapping[Hold, int | None], memory_bytes: int) -> None:
        with self._store.read() as db:
            rows = {row.file_id: row for row in instances.of(db, [hold.task_id for hold in delays])}
        now, found = now_ms(), []
        for hold, delay in delays.items():
            row = rows.get(hold.task_id)
            if row is None or row.epoch != hold.epoch:
                continue
            count = Count(now, row.rows_read, row.bytes_read, row.rows_written, row.rows_dirty)
            epoch, before = self._counts.get(hold.task_id, (None, count))
            if epoch == hold.epoch:
                found.append(samples.Sample(hold.task_id, count, before, delay, memory_bytes))
            self._counts[hold.task_id] = hold.epoch, count
        if found:
            with self._store.write() as db:
                samples.add(db, found)

    def thin(self) -> None:
        """Keep of the samples what is to be kept. Called now and then, by whoever supervises."""
        with self._store.write() as db:
            self._store.alone(db, "samples")
            samples.thin(db, now_ms())

    def finish(self, task: Task, error: TaskError | None) -> None:
        cause = storable(f"{error.code}: {error}") if error is not None else ""
        with self._store.write() as db:
            if error is None:
                self._ended(db, task)
            elif isinstance(error, Fenced) and not isinstance(error, BegunAnew):
                _overtake(db, task, error)
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
            happening.tell(db, task.id, Kind.END, "It was stopped; all that was read is written.", epoch=task.epoch)
        elif marks and all(mark.done for mark in marks.values()):
            values |= {"desired": "STOP", "stopped_ms": now_ms(), "message": None}
            happening.tell(db, task.id, Kind.END, "All that was there is read and written.", epoch=task.epoch)
        instances.release(db, task.id, task.epoch, **values)

    def ledger(self, task: Task) -> StoreLedger:
        return StoreLedger(self._store, task, self._traced)

    def desk(self, task: Task) -> StoreDesk:
        return StoreDesk(self._store, task)

    @property
    def help(self) -> StoreHelp:
        return StoreHelp(self._store, self._build, self._share)

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
    happening.tell(db, file_id, Kind.FAILOVER, reason, epoch=epoch, worker=row.worker)
    recent = instances.failovers_since(db, file_id, max(row.started_ms or 0, now - limits.failover_minutes * 60_000))
    if exhausted(limits, recent, now):
        _stop_for_good(
            db, file_id, epoch, f"{len(recent)} failovers within {limits.failover_minutes} minutes; the last: {reason}"
        )
        return
    until = now + int(backoff(len(recent) - 1) * 1000)
    instances.release(db, file_id, epoch, lease_until_ms=until, message=reason)


def _overtake(db: Connection, task: Task, error: Fenced) -> None:
    """Nothing to do where a newer run is known of. A run that has ended since its lease was late is made up for. Else
    the store was put back to an older state than the target's."""
    if not error.epoch:
        _fail_over(db, task.id, task.epoch, str(error))
    elif error.epoch > task.epoch and instances.outrun(db, task.id, task.epoch, error.epoch):
        reason = (
            f"the target was written by run {error.epoch}, and the store knew of none after {task.epoch}: it is older "
            "than the target. The task goes on from where the target is."
        )
        _fail_over(db, task.id, error.epoch, reason)


def _stop_for_good(db: Connection, file_id: int, epoch: int, message: str) -> None:
    values = {"lease_until_ms": 0, "stopped_ms": now_ms(), "message": message}
    if instances.release(db, file_id, epoch, desired="STOP", **values):
        happening.tell(db, file_id, Kind.FAIL, message, epoch=epoch)
