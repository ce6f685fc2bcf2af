"""Rows of `audit`: the writes that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from disync.store.schema import audit


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(audit).values(**values).returning(audit.c.id)).scalar_one())


def finish(db: Connection, event_id: int, **values: Any) -> None:
    db.execute(update(audit).where(audit.c.id == event_id).values(**values))


def prune(db: Connection, before_ms: int, up_to_id: int) -> None:
    """Forget what happened before a time, and all events up to a number."""
    db.execute(delete(audit).where(or_(audit.c.at_ms < before_ms, audit.c.id <= up_to_id)))


def page(db: Connection, wanted: Sequence[ColumnElement[bool]], offset: int, limit: int) -> tuple[int, list[Any]]:
    """(how many in all, this page), the newest first."""
    total = db.execute(select(func.count()).select_from(audit).where(*wanted)).scalar_one()
    found = select(audit).where(*wanted).order_by(audit.c.id.desc()).offset(offset).limit(limit)
    return total, list(db.execute(found))
