"""Rows of `instance` and `failover`: what is wanted of each deployed task, and who runs it.

A run is held by `worker` until `lease_until_ms` under `epoch`. Every statement that speaks for a run names its epoch,
and touches nothing when a newer one exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from disync.store.schema import failover, file, installation, instance


def get(db: Connection, file_id: int) -> Any:
    return db.execute(select(instance).where(instance.c.file_id == file_id)).one_or_none()


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
    db.execute(delete(failover).where(failover.c.file_id == file_id))
    db.execute(delete(instance).where(instance.c.file_id == file_id))


def claimable(db: Connection, now_ms: int) -> Sequence[int]:
    """Tasks that should run and that nobody holds, those which wait longest first."""
    rows = db.execute(
        select(instance.c.file_id)
        .where(instance.c.desired == "RUN", instance.c.worker.is_(None), instance.c.lease_until_ms <= now_ms)
        .order_by(instance.c.lease_until_ms)
        .limit(8)
    )
    return [row.file_id for row in rows]


def claim(db: Connection, file_id: int, worker: str, now_ms: int, until_ms: int) -> bool:
    """Take the run under the next epoch; False when another worker was faster or it is no longer wanted."""
    taken = db.execute(
        update(instance)
        .where(
            instance.c.file_id == file_id,
            instance.c.desired == "RUN",
            instance.c.worker.is_(None),
            instance.c.lease_until_ms <= now_ms,
        )
        .values(worker=worker, epoch=instance.c.epoch + 1, lease_until_ms=until_ms, running=False)
    )
    return taken.rowcount == 1


def renew(db: Connection, worker: str, until_ms: int) -> Sequence[Any]:
    """Extend every lease of the worker. Returns what `held` does."""
    db.execute(update(instance).where(instance.c.worker == worker).values(lease_until_ms=until_ms))
    return held(db, worker)


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


def overview(db: Connection) -> Sequence[Any]:
    """Every deployed task that was ever started, with its counters (for /metrics)."""
    failovers = select(func.count()).where(failover.c.file_id == instance.c.file_id).scalar_subquery()
    return db.execute(
        select(instance, file.c.name, failovers.label("failovers"))
        .join(file, file.c.id == instance.c.file_id)
        .where(instance.c.started_ms.is_not(None), ~file.c.deleted)
    ).all()
