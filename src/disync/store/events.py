"""Rows of `event`: what became of tasks. Of each task the newest ones are kept."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from disync.store.schema import event

KEPT = 1000
"""Events of one task."""


def add(db: Connection, file_id: int, **values: Any) -> None:
    db.execute(insert(event).values(file_id=file_id, **values))
    of_task = event.c.file_id == file_id
    oldest = select(event.c.id).where(of_task).order_by(event.c.id.desc()).offset(KEPT - 1).limit(1).scalar_subquery()
    db.execute(delete(event).where(of_task, event.c.id < oldest))


def told(db: Connection, file_id: int, **values: str) -> bool:
    """Whether an event of the task with these values is there."""
    same = [event.c[name] == value for name, value in values.items()]
    return db.execute(select(event.c.id).where(event.c.file_id == file_id, *same).limit(1)).first() is not None


def page(db: Connection, file_id: int, kind: str | None, offset: int, limit: int) -> tuple[int, list[Any]]:
    """How many there are, and some of them, the newest first."""
    wanted = [event.c.file_id == file_id, *([event.c.type == kind] if kind else [])]
    total = db.execute(select(func.count()).select_from(event).where(*wanted)).scalar_one()
    query = select(event).where(*wanted).order_by(event.c.id.desc())
    return total, list(db.execute(query.offset(offset).limit(limit)))


def forget(db: Connection, file_id: int) -> None:
    db.execute(delete(event).where(event.c.file_id == file_id))
