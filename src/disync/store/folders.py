"""Rows of `business` and `folder`. A folder's path is canonical here: services.paths makes it so."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from disync.store.schema import business, file, folder


def add_business(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(business).values(**values).returning(business.c.id)).scalar_one())


def remove_business(db: Connection, business_id: int, other_folder: str) -> bool:
    """A flow with its folders, unless a file is in it; rows of deleted files go to the other folder."""
    if db.execute(select(file.c.id).where(file.c.business_id == business_id, ~file.c.deleted).limit(1)).first():
        return False
    other = select(folder.c.business_id).where(folder.c.id == other_folder).scalar_subquery()
    moved = update(file).where(file.c.business_id == business_id)
    db.execute(moved.values(folder_id=other_folder, business_id=other))
    db.execute(delete(folder).where(folder.c.business_id == business_id))
    db.execute(delete(business).where(business.c.id == business_id))
    return True


def business_named(db: Connection, workspace_id: int, name: str) -> Any:
    query = select(business).where(business.c.workspace_id == workspace_id, business.c.name == name)
    return db.execute(query).one_or_none()


def business_page(
    db: Connection, workspace_id: int, keyword: str | None, offset: int, limit: int
) -> tuple[int, list[Any]]:
    query = select(business).where(business.c.workspace_id == workspace_id)
    if keyword:
        query = query.where(business.c.name.icontains(keyword, autoescape=True))
    return _page(db, query.order_by(business.c.id), offset, limit)


def add(db: Connection, **values: Any) -> None:
    db.execute(insert(folder).values(**values))


def at(db: Connection, workspace_id: int, path: str) -> Any:
    query = select(folder).where(folder.c.workspace_id == workspace_id, folder.c.path == path)
    return db.execute(query).one_or_none()


def children(db: Connection, workspace_id: int, parent: str, offset: int, limit: int) -> tuple[int, list[Any]]:
    query = select(folder).where(folder.c.workspace_id == workspace_id, folder.c.parent == parent)
    return _page(db, query.order_by(folder.c.path), offset, limit)


def _page(db: Connection, query: Select[Any], offset: int, limit: int) -> tuple[int, list[Any]]:
    total = db.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()
    return total, list(db.execute(query.offset(offset).limit(limit)))
