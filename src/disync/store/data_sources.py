"""Rows of `data_source`; their content is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from disync.store.schema import data_source


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(data_source).values(**values).returning(data_source.c.id)).scalar_one())


def get(db: Connection, source_id: int) -> Any:
    return db.execute(select(data_source).where(data_source.c.id == source_id)).one_or_none()


def named(db: Connection, workspace_id: int, name: str) -> list[Any]:
    """The data sources of a name, that of production before that of development. The name may come out of a task's
    JSON: there are none for one that no database could hold."""
    if "\0" in name:
        return []
    query = select(data_source).where(data_source.c.workspace_id == workspace_id, data_source.c.name == name)
    return list(db.execute(query.order_by(data_source.c.env.desc())))


def change(db: Connection, source_id: int, **values: Any) -> None:
    db.execute(update(data_source).where(data_source.c.id == source_id).values(**values))


def remove(db: Connection, source_id: int) -> bool:
    return db.execute(delete(data_source).where(data_source.c.id == source_id)).rowcount == 1


def page(db: Connection, where: Sequence[ColumnElement[bool]], offset: int, limit: int) -> tuple[int, list[Any]]:
    query = select(data_source).where(*where)
    total = db.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    return total, list(db.execute(query.order_by(data_source.c.id).offset(offset).limit(limit)))


def sealed(db: Connection) -> list[Any]:
    """Every data source's sealed content, to seal them anew."""
    return list(db.execute(select(data_source)))
