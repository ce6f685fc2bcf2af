"""Rows of `project_config`: a workspace's own DDL policies, by the kinds of target and source ("" for every source)."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from disync.store.schema import project_config as table


def get(db: Connection, workspace_id: int, target: str, source: str) -> str | None:
    """The JSON text that was stored."""
    query = select(table.c.config).where(
        table.c.workspace_id == workspace_id, table.c.target == target, table.c.source == source
    )
    return db.execute(query).scalar_one_or_none()


def put(db: Connection, workspace_id: int, target: str, source: str, config: str) -> None:
    mine = (table.c.workspace_id == workspace_id) & (table.c.target == target) & (table.c.source == source)
    if db.execute(update(table).where(mine).values(config=config)).rowcount == 0:
        db.execute(insert(table).values(workspace_id=workspace_id, target=target, source=source, config=config))
