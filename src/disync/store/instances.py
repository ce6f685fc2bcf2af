"""Rows of `instance` and `failover`: what is wanted of each deployed task, and who runs it.

A run is held by `worker` until `lease_until_ms` under `epoch`. Every statement that speaks for a run names its epoch,
and touches nothing when a newer one exists.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, literal_column, select, update

from disync.store.resource_groups import DEFAULT
from disync.store.schema import (
    deployment,
    failover,
    file,
    free,
    installation,
    instance,
    lending,
    lent,
    resource_group,
    seat,
    solution,
)
from disync.store.shares import Share, served


def get(db: Connection, file_id: int) -> Any:
    return db.execute(select(instance).where(instance.c.file_id == file_id)).one_or_none()


def of(db: Connection, file_ids: Collection[int]) -> Sequence[Any]:
    return db.execute(select(instance).where(instance.c.file_id.in_(file_ids))).all()


def put(db: Connection, file_id: int, **values: Any) -> None:
    """Insert the row, or update these columns of it."""
    changed = db.execute(update(instance).where(instance.c.file_id == file_id).values(**values))
    if changed.rowcount == 0:
        db.execute(insert(instance).values(file_id=file_id, **values))


def owner(db: Connection, file_id: int) -> str:
    """The name under which targets keep the checkpoints of the task as it began last."""
    begun = select(instance.c.beginning).where(instance.c.file_id == file_id).scalar_subquery()
    row = db.execute(select(installation.c.id, begun.label("beginning"))).one()
    return f"{row.id}/{file_id}/{row.beginning or 0}"


def remove(db: Connection, file_id: int) -> None:
    for table in (failover, lent, seat, lending):
        db.execute(delete(table).where(table.c.file_id == file_id))
    db.execute(delete(instance).where(instance.c.file_id == file_id))


LEAST_CU = 0.5
"""What a task takes that does not say how much."""


class Free(NamedTuple):
    """A run that nobody holds, and the group whose workers may take it."""

    file_id: int
    group: str


class Carried(NamedTuple):
    """What a worker holds of one group, in CUs."""

    worker: str
    group: str
    cu: float
    runs: int


# Written out, since PostgreSQL takes two parameters for two expressions, and would not group by this.
_SERVED = case(
    (deployment.c.resource_group.in_(select(resource_group.c.identifier)), deployment.c.resource_group),
    else_=literal_column(f"'{DEFAULT}'"),
)


_CU = func.coalesce(deployment.c.cu, LEAST_CU)


def claimable(db: Connection, now_ms: int, share: Share, room: float = math.inf) -> list[Free]:
    """Tasks of this share that should run and that nobody holds, those which wait longest first. `room`: the most CUs
    of one."""
    room = min(room, share.most)
    fits: list[ColumnElement[bool]] = [] if room == math.inf else [room >= _CU]
    if share.only is not None:  # what has another size by now is for somebody else
        fits.append(_CU == share.most)  # noqa: SIM300 - a clause, as its type says
    rows = db.execute(
        select(instance.c.file_id, _SERVED)
        .outerjoin(deployment, deployment.c.file_id == instance.c.file_id)
        .where(free, instance.c.lease_until_ms <= now_ms, served(share), *fits)
        .order_by(instance.c.lease_until_ms)
        .limit(8)
    )
    return [Free(*row) for row in rows]


def load_of(db: Connection, worker: str, now_ms: int) -> float:
    """What a worker holds under leases that have not run out, in CUs."""
    return sum(each.cu for each in carried(db, now_ms, instance.c.worker == worker))


def carried(db: Connection, now_ms: int, *of: ColumnElement[bool]) -> list[Carried]:
    """What all workers hold, or one of them, whose leases have not run out."""
    query = select(instance.c.worker, _SERVED, func.sum(_CU), func.count())
    query = query.select_from(instance).outerjoin(deployment, deployment.c.file_id == instance.c.file_id)
    query = query.where(instance.c.worker.is_not(None), instance.c.lease_until_ms > now_ms, *of)
    return [Carried(*row) for row in db.execute(query.group_by(instance.c.worker, _SERVED))]


GROUP = func.coalesce(func.nullif(deployment.c.resource_group, ""), DEFAULT)
"""Of deployments on a cluster: where they run."""


def waiting(db: Connection) -> Sequence[Any]:
    """Tasks that should run and that nobody holds: `file_id`, `message`, the `group` in which they are to run, `cu`."""
    query = select(instance.c.file_id, instance.c.message, GROUP.label("group"), _CU.label("cu")).select_from(instance)
    return db.execute(query.outerjoin(deployment, deployment.c.file_id == instance.c.file_id).where(free)).all()


def large(db: Connection, cu: float) -> Sequence[Any]:
    """Tasks that take more CUs than this, of which somebody has the run, or should: `file_id`, `group`, `cu`."""
    query = select(instance.c.file_id, GROUP.label("group"), deployment.c.cu).select_from(instance)
    query = query.join(deployment, deployment.c.file_id == instance.c.file_id)
    wanted = (instance.c.desired == "RUN") | instance.c.worker.is_not(None)
    return db.execute(query.where(wanted, deployment.c.cu > cu).order_by(instance.c.file_id)).all()


def say(db: Connection, file_id: int, message: str | None) -> None:
    """Why a task waits. It stays unsaid if the task no longer does."""
    db.execute(update(instance).where(instance.c.file_id == file_id, free).values(message=message))


def claim(db: Connection, file_id: int, worker: str, now_ms: int, until_ms: int) -> bool:
    """Take the run under the next epoch; False when another worker was faster or it is no longer wanted."""
    taken = db.execute(
        update(instance)
        .where(
            instance.c.file_id == file_id,
            free,
            instance.c.lease_until_ms <= now_ms,
        )
        .values(worker=worker, epoch=instance.c.epoch + 1, lease_until_ms=until_ms, running=False)
    )
    return taken.rowcount == 1


def renew(db: Connection, worker: str, until_ms: int, but: Collection[int]) -> None:
    """Extend every lease of the worker but those of these tasks."""
    ours = instance.c.worker == worker
    if but:
        ours = ours & instance.c.file_id.not_in(but)
    db.execute(update(instance).where(ours).values(lease_until_ms=until_ms))


def held(db: Connection, worker: str) -> Sequence[Any]:
    return db.execute(
        select(instance.c.file_id, instance.c.epoch, instance.c.desired, instance.c.running, instance.c.recalled).where(
            instance.c.worker == worker
        )
    ).all()


def recall(db: Connection, file_id: int) -> None:
    """Ask whatever run holds the task to end, so that the next one begins."""
    db.execute(update(instance).where(instance.c.file_id == file_id).values(recalled=instance.c.epoch))


def mark_running(db: Connection, file_id: int, epoch: int) -> None:
    db.execute(
        update(instance)
        .where(instance.c.file_id == file_id, instance.c.epoch == epoch, instance.c.worker.is_not(None))
        .values(running=True, message=None)
    )


def outrun(db: Connection, file_id: int, epoch: int, newer: int) -> bool:
    """The run of this epoch is from now on the one of a newer. False when it was no longer held under `epoch`."""
    held_so = (instance.c.file_id == file_id) & (instance.c.epoch == epoch) & instance.c.worker.is_not(None)
    return db.execute(update(instance).where(held_so).values(epoch=newer)).rowcount == 1


def release(db: Connection, file_id: int, epoch: int, **values: Any) -> bool:
    """Let go of the run; `values` says what becomes of the task. False when it was no longer held under `epoch`."""
    freed = db.execute(
        update(instance)
        .where(instance.c.file_id == file_id, instance.c.epoch == epoch, instance.c.worker.is_not(None))
        .values(worker=None, running=False, **values)
    )
    return freed.rowcount == 1


def lapsed(db: Connection, now_ms: int) -> Sequence[Any]:
    """Runs whose worker has not renewed in time."""
    return db.execute(
        select(instance.c.file_id, instance.c.epoch, instance.c.worker).where(
            instance.c.worker.is_not(None), instance.c.lease_until_ms < now_ms
        )
    ).all()


def is_current(db: Connection, file_id: int, epoch: int) -> bool:
    """Whether a run under `epoch` still speaks for the task. Locks the row until the transaction ends."""
    row = db.execute(
        select(instance.c.epoch, instance.c.worker).where(instance.c.file_id == file_id).with_for_update()
    ).one_or_none()
    return row is not None and row.epoch == epoch and row.worker is not None


def count(db: Connection, file_id: int, read: tuple[int, int], written: int, dirty: int) -> int:
    """Add to the task's counters; `read` is (rows, bytes). Returns its refused rows in all."""
    db.execute(
        update(instance)
        .where(instance.c.file_id == file_id)
        .values(
            rows_read=instance.c.rows_read + read[0],
            bytes_read=instance.c.bytes_read + read[1],
            rows_written=instance.c.rows_written + written,
            rows_dirty=instance.c.rows_dirty + dirty,
        )
    )
    return int(db.execute(select(instance.c.rows_dirty).where(instance.c.file_id == file_id)).scalar_one())


def add_failover(db: Connection, file_id: int, epoch: int, at_ms: int, reason: str) -> None:
    db.execute(insert(failover).values(file_id=file_id, epoch=epoch, at_ms=at_ms, reason=reason))


def failovers_since(db: Connection, file_id: int, since_ms: int) -> list[int]:
    rows = db.execute(select(failover.c.at_ms).where(failover.c.file_id == file_id, failover.c.at_ms > since_ms))
    return [row.at_ms for row in rows]


def listing(db: Connection, workspace_id: int) -> list[Any]:
    """Every real-time task and solution of a workspace with its run, that of a solution's real-time task; newest first.
    Texts are left out."""
    run = func.coalesce(solution.c.realtime_id, file.c.id)
    columns = (file.c.id, file.c.name, file.c.task_type, file.c.solution_id, file.c.owner_id, file.c.edited_ms)
    query = select(*columns, file.c.resource_group.label("own_group"), run.label("run_id"), instance)
    query = query.add_columns(deployment.c.resource_group, deployment.c.deployed_ms)
    query = query.outerjoin(solution, solution.c.file_id == file.c.id)
    query = query.outerjoin(instance, instance.c.file_id == run).outerjoin(deployment, deployment.c.file_id == run)
    query = query.where(file.c.workspace_id == workspace_id, ~file.c.deleted, file.c.task_type.in_(_RUN_TYPES))
    return list(db.execute(query.order_by(file.c.id.desc())))


def failovers(db: Connection, file_ids: Collection[int]) -> dict[int, int]:
    """How often each of these tasks has failed over since it was started; those that never did are left out."""
    query = select(failover.c.file_id, func.count()).join(instance, instance.c.file_id == failover.c.file_id)
    query = query.where(failover.c.file_id.in_(file_ids), failover.c.at_ms >= instance.c.started_ms)
    return {file_id: count for file_id, count in db.execute(query.group_by(failover.c.file_id))}


_RUN_TYPES = ("DI_REALTIME", "DI_SOLUTION")


def overview(db: Connection) -> Sequence[Any]:
    """Every deployed task that was ever started, with its counters (for /metrics)."""
    failovers = select(func.count()).where(failover.c.file_id == instance.c.file_id).scalar_subquery()
    return db.execute(
        select(instance, file.c.name, file.c.workspace_id, file.c.task_type, failovers.label("failovers"))
        .join(file, file.c.id == instance.c.file_id)
        .where(instance.c.started_ms.is_not(None), ~file.c.deleted)
    ).all()
