"""Rows of `checkpoint` and `load_split`: how far a task is durable in its target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from disync.model.data import Position, Table
from disync.model.run import Checkpoint, Split
from disync.store.schema import checkpoint, load_split


def of_task(db: Connection, file_id: int) -> dict[str, Checkpoint]:
    rows = db.execute(select(checkpoint).where(checkpoint.c.file_id == file_id))
    return {r.split: Checkpoint(r.split, Position(r.position), r.epoch, bool(r.done)) for r in rows}


def put(db: Connection, file_id: int, mark: Checkpoint, now_ms: int) -> None:
    values: dict[str, Any] = {"position": mark.position, "epoch": mark.epoch, "done": mark.done, "updated_ms": now_ms}
    changed = db.execute(
        update(checkpoint).where(checkpoint.c.file_id == file_id, checkpoint.c.split == mark.split).values(**values)
    )
    if changed.rowcount == 0:
        db.execute(insert(checkpoint).values(file_id=file_id, split=mark.split, **values))


def forget(db: Connection, file_id: int) -> None:
    """The task begins anew at its next start."""
    db.execute(delete(checkpoint).where(checkpoint.c.file_id == file_id))
    db.execute(delete(load_split).where(load_split.c.file_id == file_id))


def put_load(db: Connection, file_id: int, splits: Sequence[Split]) -> None:
    rows = [
        {"file_id": file_id, "split": s.id, "number": n, "table_name": s.table.name, "at": s.at, "bounds": s.bounds}
        for n, s in enumerate(splits)
    ]
    if rows:
        db.execute(insert(load_split), rows)


def load_of_task(db: Connection, file_id: int) -> list[Split]:
    """The cuts of the task's full load, in their order; of each one's table only the name."""
    rows = db.execute(select(load_split).where(load_split.c.file_id == file_id).order_by(load_split.c.number))
    return [Split(r.split, Table(r.table_name), r.at, bounds=r.bounds) for r in rows]
