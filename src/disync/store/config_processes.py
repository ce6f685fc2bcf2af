"""Rows of `config_process`: texts of tasks that are made in the background."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from disync.store.schema import config_process


def add(db: Connection, **values: Any) -> int:
    return int(db.execute(insert(config_process).values(**values).returning(config_process.c.id)).scalar_one())


def get(db: Connection, process_id: int) -> Any:
    return db.execute(select(config_process).where(config_process.c.id == process_id)).one_or_none()


def claim(db: Connection, process_id: int, now_ms: int, until_ms: int) -> bool:
    """Take it up until then; False if somebody has it, or it is done."""
    wanted = (config_process.c.id == process_id, config_process.c.state == "run", config_process.c.until_ms < now_ms)
    return db.execute(update(config_process).where(*wanted).values(until_ms=until_ms)).rowcount == 1


def finish(db: Connection, process_id: int, **values: Any) -> None:
    """Its outcome, unless another was faster."""
    wanted = (config_process.c.id == process_id, config_process.c.state == "run")
    db.execute(update(config_process).where(*wanted).values(**values))


def forget(db: Connection, before_ms: int) -> None:
    """Those that were begun before then."""
    db.execute(delete(config_process).where(config_process.c.created_ms < before_ms))
