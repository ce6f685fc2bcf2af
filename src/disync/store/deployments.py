"""Rows of `deployment`: the copy of a task that runs, as it was when it was deployed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from disync.store.schema import deployment, file


def put(db: Connection, file_id: int, **values: Any) -> None:
    """Make this the copy that runs, in place of an earlier one."""
    if db.execute(update(deployment).where(deployment.c.file_id == file_id).values(**values)).rowcount == 0:
        db.execute(insert(deployment).values(file_id=file_id, **values))


def get(db: Connection, file_id: int) -> Any:
    """The copy, with the workspace of its file; None if the task is not deployed."""
    return db.execute(_all().where(deployment.c.file_id == file_id)).one_or_none()


def remove(db: Connection, file_id: int) -> bool:
    return db.execute(delete(deployment).where(deployment.c.file_id == file_id)).rowcount == 1


def of_workspace(db: Connection, workspace_id: int) -> list[Any]:
    return list(db.execute(_all().where(file.c.workspace_id == workspace_id).order_by(file.c.id)))


def _all() -> Select[Any]:
    query = select(deployment, file.c.workspace_id).join(file, file.c.id == deployment.c.file_id)
    return query.where(~file.c.deleted)
