"""Rows of `user` and `access_key`: who calls, and the sealed secrets that prove it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from disync.store.quick import Quick
from disync.store.schema import access_key, user

_FIND = """
SELECT k.secret, k.active, u.id, u.name, u.root
FROM access_key k JOIN "user" u ON u.id = k.user_id
WHERE k.lookup = ?
"""


def find(quick: Quick, lookup: str) -> tuple[Any, ...] | None:
    """(sealed secret, active, user id, user name, root) of a key."""
    return quick.one(_FIND, (lookup,))


def add_user(db: Connection, user_id: str, name: str, root: bool = False) -> None:
    db.execute(insert(user).values(id=user_id, name=name, root=root))


def get_user(db: Connection, user_id: str) -> Any:
    return db.execute(select(user).where(user.c.id == user_id)).one_or_none()


def users(db: Connection) -> list[Any]:
    return list(db.execute(select(user).order_by(user.c.id)))


def root_user(db: Connection) -> Any:
    return db.execute(select(user).where(user.c.root).order_by(user.c.id).limit(1)).one_or_none()


def add(db: Connection, **values: Any) -> None:
    db.execute(insert(access_key).values(**values))


def get(db: Connection, lookup: str) -> Any:
    return db.execute(select(access_key).where(access_key.c.lookup == lookup)).one_or_none()


def change(db: Connection, lookup: str, **values: Any) -> bool:
    return db.execute(update(access_key).where(access_key.c.lookup == lookup).values(**values)).rowcount == 1


def listed(db: Connection) -> list[Any]:
    """All of each key but its secret."""
    columns = [column for column in access_key.c if column is not access_key.c.secret]
    return list(db.execute(select(*columns).order_by(access_key.c.created_ms, access_key.c.lookup)))


def roots(db: Connection) -> list[str]:
    """The active keys of users who may do everything."""
    found = select(access_key.c.lookup).join(user, user.c.id == access_key.c.user_id)
    return list(db.execute(found.where(user.c.root, access_key.c.active)).scalars())


def sealed(db: Connection) -> list[Any]:
    """Every key's sealed secret, to seal them anew."""
    return list(db.execute(select(access_key.c.lookup, access_key.c.secret)))
