"""Rows of `solution`, and what the rows of its real-time task tell about its load."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, case, func, insert, select, update

from disync.store.schema import checkpoint, deployment, file, load_split, solution, user

_CHUNK = 500
"""Names in one statement: stores bound how many values it may have."""


def add(db: Connection, **values: Any) -> None:
    db.execute(insert(solution).values(**values))


def change(db: Connection, file_id: int, **values: Any) -> None:
    db.execute(update(solution).where(solution.c.file_id == file_id).values(**values))


def get(db: Connection, file_id: int, lock: bool = False) -> Any:
    """The solution with its file and its creator, deleted ones too; None if there never was one of this id."""
    columns = (file.c.id, file.c.workspace_id, file.c.name, file.c.content, file.c.deleted, file.c.version)
    place = (file.c.folder_id, file.c.business_id, file.c.owner_id, file.c.task_param)
    query = select(
        solution,
        *columns,
        *place,
        file.c.resource_group,
        file.c.cu,
        user.c.name.label("creator"),
        deployment.c.deployed_ms,
    )
    query = query.join(file, file.c.id == solution.c.file_id).join(user, user.c.id == file.c.owner_id)
    query = query.outerjoin(deployment, deployment.c.file_id == solution.c.realtime_id)
    query = query.where(solution.c.file_id == file_id)
    return db.execute(query.with_for_update(of=file) if lock else query).one_or_none()


def of_task(db: Connection, realtime_id: int) -> Any:
    """The solution that owns a real-time task; None for a task of its own."""
    query = select(solution, file.c.name).join(file, file.c.id == solution.c.file_id)
    return db.execute(query.where(solution.c.realtime_id == realtime_id)).one_or_none()


def realtime_of(db: Connection, file_id: int) -> int | None:
    """The real-time task of a solution; None for the file of anything else."""
    return db.scalar(select(solution.c.realtime_id).where(solution.c.file_id == file_id))


def of_workspace(db: Connection, workspace_id: int) -> list[Any]:
    """(id, name, content) of every solution, its real-time task's text as its content."""
    realtime = file.alias("realtime")
    query = select(file.c.id, file.c.name, realtime.c.content).join(solution, solution.c.file_id == file.c.id)
    query = query.join(realtime, realtime.c.id == solution.c.realtime_id)
    return list(db.execute(query.where(file.c.workspace_id == workspace_id, ~file.c.deleted).order_by(file.c.id)))


# What it owns.


def nodes(db: Connection, solution_id: int) -> dict[str, Any]:
    """Its batch nodes by the table they load: (id, name, content)."""
    query = select(file.c.id, file.c.name, file.c.table_name, file.c.content)
    query = query.where(file.c.solution_id == solution_id, file.c.table_name.is_not(None), ~file.c.deleted)
    return {row.table_name: row for row in db.execute(query)}


def node_names(db: Connection, solution_id: int, tables: Collection[str]) -> dict[str, str]:
    """The names of the nodes of a few tables."""
    query = select(file.c.table_name, file.c.name).where(file.c.solution_id == solution_id, ~file.c.deleted)
    return {row.table_name: row.name for row in db.execute(query.where(file.c.table_name.in_(list(tables))))}


def taken(db: Connection, workspace_id: int, names: Collection[str]) -> set[str]:
    """Those of the names that a file of the workspace has."""
    found: set[str] = set()
    listed = list(names)
    for start in range(0, len(listed), _CHUNK):
        some = listed[start : start + _CHUNK]
        query = select(file.c.name).where(file.c.workspace_id == workspace_id, file.c.name.in_(some), ~file.c.deleted)
        found |= set(db.execute(query).scalars())
    return found


def add_files(db: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        db.execute(insert(file), rows)


def remove_nodes(db: Connection, solution_id: int, tables: Collection[str], now_ms: int) -> None:
    listed = list(tables)
    for start in range(0, len(listed), _CHUNK):
        some = listed[start : start + _CHUNK]
        query = update(file).where(file.c.solution_id == solution_id, file.c.table_name.in_(some))
        db.execute(query.values(deleted=True, edited_ms=now_ms))


def remove_owned(db: Connection, solution_id: int, now_ms: int) -> None:
    """All files that it owns, at once."""
    query = update(file).where(file.c.solution_id == solution_id, ~file.c.deleted)
    db.execute(query.values(deleted=True, edited_ms=now_ms))


# Its load, told by the rows of its real-time task.


def load(db: Connection, realtime_id: int) -> Any:
    """`parts` the load was cut into and the `tables` they are of, `ended` parts, and `rows` written."""
    query = select(
        func.count().label("parts"),
        func.count(load_split.c.table_name.distinct()).label("tables"),
        func.coalesce(func.sum(_ended), 0).label("ended"),
        func.coalesce(func.sum(load_split.c.rows_written), 0).label("rows"),
    )
    return db.execute(_splits(query, realtime_id)).one()


def tables(db: Connection, realtime_id: int, most: int | None = None) -> list[Any]:
    """The load by table, at most so many: (name, parts, ended, rows, target), those that are not ended first."""
    ended = func.sum(_ended)
    query = select(
        load_split.c.table_name.label("name"),
        func.count().label("parts"),
        ended.label("ended"),
        func.sum(load_split.c.rows_written).label("rows"),
        func.max(load_split.c.target_name).label("target"),
    )
    query = _splits(query, realtime_id).group_by(load_split.c.table_name)
    return list(db.execute(query.order_by(ended == func.count(), load_split.c.table_name).limit(most)))


def gone(db: Connection, realtime_id: int) -> dict[str, str]:
    """The tables that have left the load, those that were left behind included, and where each one went."""
    query = select(load_split.c.table_name, func.max(load_split.c.target_name))
    query = query.where(load_split.c.file_id == realtime_id, load_split.c.gone).group_by(load_split.c.table_name)
    return {name: target for name, target in db.execute(query)}


def follows(db: Connection, realtime_id: int) -> bool:
    """Whether the task has a stream of changes, and not only a load with an end."""
    same = (load_split.c.file_id == checkpoint.c.file_id) & (load_split.c.split == checkpoint.c.split)
    query = select(checkpoint.c.split).outerjoin(load_split, same)
    query = query.where(checkpoint.c.file_id == realtime_id, load_split.c.split.is_(None), ~checkpoint.c.done)
    return db.execute(query.limit(1)).first() is not None


def begun(db: Connection, realtime_id: int) -> bool:
    """Whether the run has ever decided where its streams begin."""
    query = select(checkpoint.c.split).where(checkpoint.c.file_id == realtime_id).limit(1)
    cut = select(load_split.c.split).where(load_split.c.file_id == realtime_id).limit(1)
    return db.execute(query).first() is not None or db.execute(cut).first() is not None


def loaded_tables(db: Connection, realtime_id: int) -> set[str]:
    """Every table of the task whose load was begun."""
    query = select(load_split.c.table_name).where(load_split.c.file_id == realtime_id, ~load_split.c.gone)
    return set(db.scalars(query.distinct()))


_WROTE = (
    update(load_split)
    .where(load_split.c.file_id == bindparam("of"), load_split.c.split == bindparam("part"))
    .values(rows_written=load_split.c.rows_written + bindparam("rows"))
)


def wrote(db: Connection, realtime_id: int, rows: Mapping[str, int]) -> None:
    """Add to the rows that were written of each of these parts."""
    if rows:
        db.execute(_WROTE, [{"of": realtime_id, "part": part, "rows": number} for part, number in rows.items()])


_ended = case((func.coalesce(checkpoint.c.done, False), 1), else_=0)


def _splits(query: Any, realtime_id: int) -> Any:
    same = (checkpoint.c.file_id == load_split.c.file_id) & (checkpoint.c.split == load_split.c.split)
    joined = query.select_from(load_split.outerjoin(checkpoint, same))
    return joined.where(load_split.c.file_id == realtime_id, ~load_split.c.gone)
