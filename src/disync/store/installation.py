"""The one row of `installation`: what tells this store from every other that may write into the same targets."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from disync.store.schema import installation


def ensure(db: Connection, new_id: str) -> str:
    """The id of this installation: `new_id` if it had none."""
    there = found(db)
    if there is None:
        db.execute(insert(installation).values(id=new_id))
    return there or new_id


def found(db: Connection) -> str | None:
    """Its id, if it has one."""
    return db.execute(select(installation.c.id)).scalar_one_or_none()
