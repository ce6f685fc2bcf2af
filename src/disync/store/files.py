"""Rows of `file`: what was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, insert, select, update

from disync.store.quick import Quick
from disync.store.schema import deployment, file, folder

# One statement for the three questions of GetDISyncTask: is there such a workspace, may this user read it, what is
# the file. The file is looked up without its workspace, so that another workspace's file can be told from none.
_READ = """
SELECT m.role, f.workspace_id, f.file_type, f.content
FROM workspace w
LEFT JOIN member m ON m.workspace_id = w.id AND m.user_id = ?
LEFT JOIN file f ON f.id = ? AND NOT f.deleted
WHERE w.id = ?
"""


def content(quick: Quick, user_id: str, file_id: int, workspace_id: int) -> tuple[Any, ...] | None:
    """(role, the file's workspace, file type, content); None if there is no such workspace."""
    return quick.one(_READ, (user_id, file_id, workspace_id))


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(file).values(**values).returning(file.c.id)).scalar_one())


def get(db: Connection, file_id: int) -> Any:
    return db.execute(select(file).where(file.c.id == file_id, ~file.c.deleted)).one_or_none()


def locked(db: Connection, file_id: int) -> Any:
    """As `get`, and nobody else changes the row until this transaction ends."""
    return db.execute(select(file).where(file.c.id == file_id, ~file.c.deleted).with_for_update()).one_or_none()


def named(db: Connection, workspace_id: int, name: str) -> int | None:
    query = select(file.c.id).where(file.c.workspace_id == workspace_id, file.c.name == name, ~file.c.deleted)
    return db.execute(query).scalar_one_or_none()


def change(db: Connection, file_id: int, **values: Any) -> None:
    db.execute(update(file).where(file.c.id == file_id).values(**values))


def listing() -> Select[Any]:
    """Every column of a file, its folder's path, and when it was deployed."""
    columns = (file, folder.c.path.label("folder_path"), deployment.c.deployed_ms)
    query = select(*columns).join(folder, folder.c.id == file.c.folder_id)
    return query.outerjoin(deployment, deployment.c.file_id == file.c.id).where(~file.c.deleted)


def listed(db: Connection, file_id: int) -> Any:
    return db.execute(listing().where(file.c.id == file_id)).one_or_none()


def page(db: Connection, where: Sequence[ColumnElement[bool]], offset: int, limit: int) -> tuple[int, list[Any]]:
    query = listing().where(*where)
    total = db.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return total, list(db.execute(query.order_by(file.c.id).offset(offset).limit(limit)))


def of_type(db: Connection, workspace_id: int, file_type: int) -> list[Any]:
    """(id, name, content) of every file of a type."""
    query = select(file.c.id, file.c.name, file.c.content).where(
        file.c.workspace_id == workspace_id, file.c.file_type == file_type, ~file.c.deleted
    )
    return list(db.execute(query.order_by(file.c.id)))
