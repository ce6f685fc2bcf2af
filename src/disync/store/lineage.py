"""Rows of `lineage`, and those of `event` that tell of the life of a run, as whoever traces lineage asks for them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from disync.store.schema import event, file, installation, instance, lineage, workspace


@dataclass(frozen=True, slots=True)
class Life:
    """The run that an event belongs to: `start`, the event with which it began, None where that is not kept any more;
    `ended`: whether another event before this one has ended it."""

    start: Any
    ended: bool


def put(db: Connection, file_id: int, at_ms: int, flows: str) -> None:
    changed = db.execute(update(lineage).where(lineage.c.file_id == file_id).values(at_ms=at_ms, flows=flows))
    if changed.rowcount == 0:
        db.execute(insert(lineage).values(file_id=file_id, at_ms=at_ms, flows=flows))


def get(db: Connection, file_id: int) -> Any:
    return db.execute(select(lineage).where(lineage.c.file_id == file_id)).one_or_none()


def forget(db: Connection, file_id: int) -> None:
    db.execute(delete(lineage).where(lineage.c.file_id == file_id))


def newest(db: Connection) -> int:
    """The id of the last event there is."""
    return int(db.execute(select(func.max(event.c.id))).scalar_one() or 0)


def waiting(db: Connection, after: int, types: Collection[str]) -> int:
    """How many events of these types there are behind an id."""
    found = select(func.count()).select_from(event).where(event.c.id > after, event.c.type.in_(types))
    return int(db.execute(found).scalar_one())


def behind(db: Connection, after: int, types: Collection[str], until_ms: int, most: int) -> Sequence[Any]:
    """Events of these types behind an id, in their order, that are not younger than `until_ms`."""
    wanted = select(event).where(event.c.id > after, event.c.type.in_(types), event.c.at_ms <= until_ms)
    return db.execute(wanted.order_by(event.c.id).limit(most)).all()


def life(db: Connection, row: Any, start: str, ends: Collection[str]) -> Life:
    of_task = event.c.file_id == row.file_id
    begun = select(event).where(of_task, event.c.type == start, event.c.id <= row.id)
    first = db.execute(begun.order_by(event.c.id.desc()).limit(1)).one_or_none()
    since = first.id if first is not None else 0
    ended = select(event.c.id).where(of_task, event.c.type.in_(ends), event.c.id > since, event.c.id < row.id)
    return Life(first, db.execute(ended.limit(1)).first() is not None)


def task(db: Connection, file_id: int) -> Any:
    """name, solution_id, started_ms, the workspace's `identifier` and the id of this `installation`; None where the
    task is not there any more."""
    columns = (file.c.name, file.c.solution_id, instance.c.started_ms, workspace.c.identifier, installation.c.id)
    query = select(*columns[:-1], columns[-1].label("installation")).join(
        workspace, workspace.c.id == file.c.workspace_id
    )
    query = query.outerjoin(instance, instance.c.file_id == file.c.id).join(
        installation, installation.c.id.is_not(None)
    )
    return db.execute(query.where(file.c.id == file_id, ~file.c.deleted)).one_or_none()


def name(db: Connection, file_id: int) -> str:
    """Of a file, deleted or not."""
    return str(db.execute(select(file.c.name).where(file.c.id == file_id)).scalar_one())
