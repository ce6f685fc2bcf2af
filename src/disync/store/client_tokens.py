"""Rows of `client_token`: the answer that a request with a token had, for when it comes again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from disync.store.schema import client_token


def claim(db: Connection, key: dict[str, Any], request: str, now_ms: int) -> bool:
    """Take the token; False if it was taken. A second taker waits until the first one's transaction has ended."""
    insert = sqlite.insert if db.dialect.name == "sqlite" else postgresql.insert
    statement = insert(client_token).values(**key, request=request, created_ms=now_ms).on_conflict_do_nothing()
    return db.execute(statement.returning(client_token.c.token)).first() is not None


def locked(db: Connection, key: dict[str, Any]) -> Any:
    """The row of a token that was taken; nobody else changes it until this transaction ends."""
    return db.execute(select(client_token).filter_by(**key).with_for_update()).one()


def finish(db: Connection, key: dict[str, Any], request: str, result: str) -> None:
    db.execute(update(client_token).filter_by(**key).values(request=request, result=result))
