"""Rows of `resource_group`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, or_, select

from disync.store.schema import resource_group


def add(db: Connection, **values: Any) -> None:
    db.execute(insert(resource_group).values(**values))


def named(db: Connection, identifier: str) -> Any:
    """None also for a name that comes out of a task's JSON and that no database could hold."""
    if "\0" in identifier:
        return None
    return db.execute(select(resource_group).where(resource_group.c.identifier == identifier)).one_or_none()


def listed(db: Connection, kind: int | None, keyword: str | None) -> list[Any]:
    query = select(resource_group)
    if kind is not None:
        query = query.where(resource_group.c.type == kind)
    if keyword:
        columns = (resource_group.c.name, resource_group.c.identifier)
        query = query.where(or_(*(column.icontains(keyword, autoescape=True) for column in columns)))
    return list(db.execute(query.order_by(resource_group.c.id)))
