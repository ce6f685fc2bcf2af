"""Rows of `resource_group`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from disync.store.schema import deployment, resource_group

DEFAULT = "group_default"


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


def tag(db: Connection, identifier: str, tags: str) -> bool:
    """Whether there is such a group."""
    return (
        db.execute(update(resource_group).where(resource_group.c.identifier == identifier).values(tags=tags)).rowcount
        == 1
    )


def tell(db: Connection, offers: Mapping[str, Mapping[str, Any]], now_ms: int) -> None:
    """What a cluster offers now: `nodes`, `cpus` and `memory_bytes` by group. A group that it no longer offers has no
    node, and is forgotten where it was only known from there and no deployed task names it."""
    told = resource_group.c.nodes.is_not(None)
    none = {"nodes": 0, "cpus": 0.0, "memory_bytes": 0}
    db.execute(
        update(resource_group).where(told | (resource_group.c.identifier == DEFAULT)).values(seen_ms=now_ms, **none)
    )
    for identifier, values in offers.items():
        one = resource_group.c.identifier == identifier
        if db.execute(update(resource_group).where(one).values(seen_ms=now_ms, **values)).rowcount == 0:
            add(db, identifier=identifier, name=identifier, created_ms=now_ms, seen_ms=now_ms, **values)
    named_ = select(deployment.c.resource_group).where(deployment.c.resource_group.is_not(None))
    gone = (resource_group.c.nodes == 0) & (resource_group.c.identifier != DEFAULT)
    db.execute(delete(resource_group).where(gone, resource_group.c.identifier.not_in(named_)))
