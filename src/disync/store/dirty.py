"""Rows of `dirty`: what the targets refused, and what was asked to be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from disync.model.data import Dirty
from disync.model.kept import Kept
from disync.store.schema import dirty, instance

REFUSED, ASKED, REPLAYED = "refused", "asked", "replayed"

REPAIR = "verify"
"""The position of a row that nobody refused: a comparison found it to differ, and it is to be written again."""


def keep(db: Connection, file_id: int, rows: Sequence[tuple[Dirty, bool]], now_ms: int) -> None:
    """Keep rows; the second of each pair says whether the row is whole."""
    values = [
        {
            "file_id": file_id,
            "table_name": row.table,
            "row": row.row,
            "reason": row.reason,
            "position": row.position,
            "at_ms": now_ms,
            "whole": whole,
        }
        for row, whole in rows
    ]
    if values:
        db.execute(insert(dirty), values)


def of_task(db: Connection, file_id: int) -> Sequence[Any]:
    return db.execute(select(dirty).where(dirty.c.file_id == file_id).order_by(dirty.c.id)).all()


def page(db: Connection, file_id: int, table: str | None, offset: int, limit: int) -> tuple[int, list[Any]]:
    """(how many in all, this page) of the rows of a task, or of one of its tables, the newest first."""
    wanted = _of(file_id, table)
    total = db.execute(select(func.count()).select_from(dirty).where(*wanted)).scalar_one()
    found = select(dirty).where(*wanted).order_by(dirty.c.id.desc()).offset(offset).limit(limit)
    return total, list(db.execute(found))


def ask(db: Connection, file_id: int, table: str | None, request: int) -> int:
    """Ask for the replay of what is refused, of all tables or of one; how many rows that are."""
    asked = db.execute(
        update(dirty).where(*_of(file_id, table), dirty.c.state == REFUSED).values(state=ASKED, request=request)
    )
    return asked.rowcount


def repair(db: Connection, file_id: int, rows: Sequence[tuple[str, str, str]], request: int, now_ms: int) -> None:
    """Ask for rows to be written again that were not refused: (the source's table, the key as JSON, why)."""
    values = [
        {
            "file_id": file_id,
            "table_name": table,
            "row": key,
            "reason": reason,
            "position": REPAIR,
            "at_ms": now_ms,
            "state": ASKED,
            "request": request,
            "whole": False,
        }
        for table, key, reason in rows
    ]
    if values:
        db.execute(insert(dirty), values)


def of_request(db: Connection, file_id: int, request: int) -> Sequence[Any]:
    return db.execute(select(dirty).where(dirty.c.file_id == file_id, dirty.c.request == request)).all()


def repaired(db: Connection, file_id: int, request: int) -> None:
    """Forget what a request has mended."""
    db.execute(
        delete(dirty).where(
            dirty.c.file_id == file_id,
            dirty.c.request == request,
            dirty.c.position == REPAIR,
            dirty.c.state == REPLAYED,
        )
    )


def asked(db: Connection, file_id: int) -> list[Kept]:
    """In the order of their requests, then of their ids."""
    rows = db.execute(
        select(dirty).where(dirty.c.file_id == file_id, dirty.c.state == ASKED).order_by(dirty.c.request, dirty.c.id)
    )
    return [Kept(r.id, r.request, r.table_name, r.row, r.whole) for r in rows]


def settle(db: Connection, id_: int, reason: str | None) -> None:
    """A row that was asked for is replayed, or refused again for `reason`."""
    values = {"state": REPLAYED} if reason is None else {"state": REFUSED, "reason": reason}
    db.execute(update(dirty).where(dirty.c.id == id_, dirty.c.state == ASKED).values(**values))


def drop(db: Connection, file_id: int, table: str | None, states: Sequence[str]) -> int:
    """Forget rows in these states; how many they were."""
    return db.execute(delete(dirty).where(*_of(file_id, table), dirty.c.state.in_(states))).rowcount


def since_start(db: Connection, file_id: int) -> int:
    """Rows refused since the task was started that were not replayed since; not those that are being repaired."""
    started = select(instance.c.started_ms).where(instance.c.file_id == file_id).scalar_subquery()
    refused = or_(dirty.c.state == REFUSED, and_(dirty.c.state == ASKED, dirty.c.position != REPAIR))
    query = select(func.count()).where(dirty.c.file_id == file_id, refused, dirty.c.at_ms >= started)
    return int(db.execute(query).scalar_one())


def drop_unread(db: Connection, file_id: int, table: str) -> None:
    """Forget what could not even be read of a table of the source."""
    named = dirty.c.table_name == table
    db.execute(delete(dirty).where(dirty.c.file_id == file_id, named, dirty.c.state != ASKED))


def forget(db: Connection, file_id: int) -> None:
    db.execute(delete(dirty).where(dirty.c.file_id == file_id))


def _of(file_id: int, table: str | None) -> list[Any]:
    """The rows of a task, or those of one of its tables, whose schema may be left out."""
    if table is None:
        return [dirty.c.file_id == file_id]
    named = dirty.c.table_name
    return [dirty.c.file_id == file_id, or_(named == table, named.endswith(f".{table}", autoescape=True))]
