"""Rows of `verification`: comparisons that were asked for, and what came of them.

One that runs belongs to its holder until its lease ends. Whatever speaks for it names the holder and the time, and
touches nothing where the lease has ended before: then it has failed, and stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from disync.store.schema import verification

RUN = "RUN"

_table = verification.c
_SHORT = [column for column in _table if column.name != "report"]


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(verification).values(**values).returning(_table.id)).scalar_one())


def get(db: Connection, id_: int) -> Any:
    return db.execute(select(verification).where(_table.id == id_)).one_or_none()


def page(db: Connection, file_id: int, offset: int, limit: int) -> tuple[int, list[Any]]:
    """How many a task has, and some of them without their reports, the newest first."""
    total = db.execute(select(func.count()).select_from(verification).where(_table.file_id == file_id)).scalar_one()
    query = select(*_SHORT).where(_table.file_id == file_id).order_by(_table.id.desc())
    return total, list(db.execute(query.offset(offset).limit(limit)))


def running(db: Connection, now_ms: int) -> Sequence[Any]:
    """The id and the task of each that runs or is about to."""
    return db.execute(select(_table.id, _table.file_id).where(*_alive(now_ms)).order_by(_table.id)).all()


def waiting(db: Connection, now_ms: int) -> list[int]:
    """Those that nobody has taken up yet."""
    return list(db.execute(select(_table.id).where(*_alive(now_ms), _table.holder == "").order_by(_table.id)).scalars())


def claim(db: Connection, id_: int, holder: str, now_ms: int, until_ms: int) -> bool:
    """Take one up; False where another was faster."""
    query = update(verification).where(_table.id == id_, *_alive(now_ms), _table.holder == "")
    return db.execute(query.values(holder=holder, until_ms=until_ms)).rowcount == 1


def hold(db: Connection, id_: int, holder: str, now_ms: int, **values: Any) -> bool:
    """Change one that a holder still has; False where it has not."""
    query = update(verification).where(_table.id == id_, *_alive(now_ms), _table.holder == holder)
    return db.execute(query.values(**values)).rowcount == 1


def stop(db: Connection, id_: int, now_ms: int, **values: Any) -> bool:
    """Change one that waits or runs, whoever has it; False where it does not."""
    return db.execute(update(verification).where(_table.id == id_, *_alive(now_ms)).values(**values)).rowcount == 1


def prune(db: Connection, file_id: int, kept: int, now_ms: int) -> None:
    """Of those of a task that have ended, keep the newest."""
    ended = [_table.file_id == file_id, (_table.state != RUN) | (_table.until_ms < now_ms)]
    oldest = select(_table.id).where(*ended).order_by(_table.id.desc()).offset(kept).limit(1).scalar_subquery()
    db.execute(delete(verification).where(*ended, _table.id <= oldest))


def forget(db: Connection, file_id: int) -> None:
    db.execute(delete(verification).where(_table.file_id == file_id))


def _alive(now_ms: int) -> list[ColumnElement[bool]]:
    return [_table.state == RUN, _table.until_ms >= now_ms]
