"""Rows of `session`: who is signed in at the console."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from disync.store.quick import Quick
from disync.store.schema import session

_FIND = """
SELECT s.key_id, s.created_ms, s.seen_ms, k.lookup, k.active, u.id, u.name, u.root
FROM session s JOIN access_key k ON k.lookup = s.lookup JOIN "user" u ON u.id = k.user_id
WHERE s.token = ?
"""
_SEEN = "UPDATE session SET seen_ms = ? WHERE token = ?"
_REMOVE = "DELETE FROM session WHERE token = ?"


def find(quick: Quick, token: str) -> tuple[Any, ...] | None:
    """(sealed key id, created, last seen, the key's lookup, active, user id, user name, root) of a session."""
    return quick.one(_FIND, (token,))


def see(quick: Quick, token: str, now_ms: int) -> None:
    quick.change(_SEEN, (now_ms, token))


def remove(quick: Quick, token: str) -> bool:
    return quick.change(_REMOVE, (token,)) == 1


def add(db: Connection, **values: Any) -> None:
    db.execute(insert(session).values(**values))


def prune(db: Connection, created_ms: int, seen_ms: int) -> None:
    """Forget those made before the one time, or seen last before the other."""
    db.execute(delete(session).where(or_(session.c.created_ms < created_ms, session.c.seen_ms < seen_ms)))


def keep(db: Connection, lookup: str, most: int) -> None:
    """Of a key's sessions only the newest."""
    newest = select(session.c.token).where(session.c.lookup == lookup).order_by(session.c.created_ms.desc())
    mine = session.c.lookup == lookup
    db.execute(delete(session).where(mine, session.c.token.not_in(newest.limit(most))))


def clear(db: Connection) -> None:
    db.execute(delete(session))
