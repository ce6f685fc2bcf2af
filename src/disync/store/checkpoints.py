"""Rows of `checkpoint`, `load_split`, `failed_table` and `omitted_column`: how far a task is durable in its target,
table by table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, text, update

from disync.model.data import Position, Table
from disync.model.run import Checkpoint, Split
from disync.store.schema import checkpoint, failed_table, load_split, omitted_column

_CHUNK = 500


def of_task(db: Connection, file_id: int) -> dict[str, Checkpoint]:
    rows = db.execute(select(checkpoint).where(checkpoint.c.file_id == file_id))
    return {r.split: _mark(r) for r in rows}


def get(db: Connection, file_id: int, split: str) -> Checkpoint | None:
    of_split = (checkpoint.c.file_id == file_id) & (checkpoint.c.split == split)
    row = db.execute(select(checkpoint).where(of_split)).one_or_none()
    return _mark(row) if row is not None else None


def rows(db: Connection, file_id: int, most: int) -> list[Any]:
    """Those not done first, by their splits; at most so many."""
    wanted = select(checkpoint).where(checkpoint.c.file_id == file_id)
    return list(db.execute(wanted.order_by(checkpoint.c.done, checkpoint.c.split).limit(most)))


_PUT = text("""
INSERT INTO checkpoint (file_id, split, position, epoch, done, updated_ms, chosen)
VALUES (:file_id, :split, :position, :epoch, :done, :updated_ms, :chosen)
ON CONFLICT (file_id, split) DO UPDATE SET position = excluded.position, epoch = excluded.epoch, done = excluded.done,
    updated_ms = excluded.updated_ms, chosen = excluded.chosen
""")


def put(db: Connection, file_id: int, marks: Sequence[Checkpoint], now_ms: int) -> None:
    """Each instead of what was kept of its split."""
    if marks:
        db.execute(_PUT, [_values(mark) | {"file_id": file_id, "updated_ms": now_ms} for mark in marks])


def _values(mark: Checkpoint) -> dict[str, Any]:
    return {name: getattr(mark, name) for name in ("split", "position", "epoch", "done", "chosen")}


def forget(db: Connection, file_id: int) -> None:
    """The task begins anew at its next start."""
    db.execute(delete(checkpoint).where(checkpoint.c.file_id == file_id))
    db.execute(delete(load_split).where(load_split.c.file_id == file_id))
    db.execute(delete(failed_table).where(failed_table.c.file_id == file_id))
    db.execute(delete(omitted_column).where(omitted_column.c.file_id == file_id))


def put_load(db: Connection, file_id: int, splits: Sequence[Split], targets: Mapping[str, str]) -> None:
    """`targets`: where the rows of each table go, by the table's name."""
    rows = [
        {
            "file_id": file_id,
            "split": split.id,
            "number": number,
            "table_name": split.table.name,
            "at": split.at,
            "bounds": split.bounds,
            "stream": split.stream,
            "target_name": targets.get(split.table.name, ""),
        }
        for number, split in enumerate(splits)
    ]
    for where in _of_tables(file_id, {split.table.name for split in splits}):
        gone = select(load_split.c.split).where(where, load_split.c.gone)
        db.execute(delete(checkpoint).where(checkpoint.c.file_id == file_id, checkpoint.c.split.in_(gone)))
        db.execute(delete(load_split).where(where, load_split.c.gone))
    if rows:
        db.execute(insert(load_split), rows)


def load_of_task(db: Connection, file_id: int) -> list[Split]:
    """The cuts of the task's full load, in their order; of each one's table only the name."""
    query = select(load_split).where(load_split.c.file_id == file_id, ~load_split.c.gone)
    rows = db.execute(query.order_by(load_split.c.number))
    return [Split(r.split, Table(r.table_name), r.at, bounds=r.bounds, stream=r.stream) for r in rows]


def begun_before(db: Connection, file_id: int, splits: Collection[str]) -> bool:
    """Whether the task had cuts of its load before these."""
    query = select(load_split.c.split).where(load_split.c.file_id == file_id).limit(len(splits) + 1)
    return len(set(db.scalars(query)) - set(splits)) > 0


def join(db: Connection, file_id: int, stream: str) -> None:
    """What this stream has followed is followed by the source's own."""
    of_stream = (load_split.c.file_id == file_id) & (load_split.c.stream == stream)
    db.execute(update(load_split).where(of_stream).values(stream=""))
    db.execute(delete(checkpoint).where(checkpoint.c.file_id == file_id, checkpoint.c.split == stream))


def leave(db: Connection, file_id: int, tables: Collection[str]) -> None:
    """The cuts of these tables count no more."""
    for where in _of_tables(file_id, tables):
        splits = select(load_split.c.split).where(where)
        db.execute(delete(checkpoint).where(checkpoint.c.file_id == file_id, checkpoint.c.split.in_(splits)))
        db.execute(update(load_split).where(where).values(gone=True))


def left(db: Connection, file_id: int) -> set[str]:
    """The tables that were in the task, and are not now."""
    query = select(load_split.c.table_name).where(load_split.c.file_id == file_id, load_split.c.gone)
    return set(db.scalars(query.distinct()))


def parts_left(db: Connection, file_id: int, tables: Collection[str]) -> list[str]:
    """The cuts of tables that were in the task."""
    query = select(load_split.c.split).where(load_split.c.gone)
    return [split for where in _of_tables(file_id, tables) for split in db.scalars(query.where(where))]


def fail(db: Connection, file_id: int, tables: Collection[str], reason: str, now_ms: int) -> None:
    """Leave these tables behind."""
    leave(db, file_id, tables)
    known = failed(db, file_id)
    rows = [
        {"file_id": file_id, "table_name": table, "reason": reason, "at_ms": now_ms} for table in {*tables} - {*known}
    ]
    if rows:
        db.execute(insert(failed_table), rows)


def failed(db: Connection, file_id: int) -> dict[str, str]:
    """The tables that were left behind, and why."""
    rows = db.execute(select(failed_table).where(failed_table.c.file_id == file_id))
    return {row.table_name: row.reason for row in rows}


def retry(db: Connection, file_id: int, tables: Collection[str] | None = None) -> int:
    """No table, or none of these, is left behind any more: the next run takes them up again. Returns how many were."""
    of_task = failed_table.c.file_id == file_id
    if tables is None:
        return db.execute(delete(failed_table).where(of_task)).rowcount
    return sum(
        db.execute(delete(failed_table).where(of_task, failed_table.c.table_name.in_(some))).rowcount
        for some in _pieces(tables)
    )


def omitted(db: Connection, file_id: int) -> dict[str, frozenset[str]]:
    """By table, the columns that its target goes without."""
    found: dict[str, frozenset[str]] = {}
    for row in db.execute(select(omitted_column).where(omitted_column.c.file_id == file_id)):
        found[row.table_name] = found.get(row.table_name, frozenset()) | {row.column_name}
    return found


def omit(db: Connection, file_id: int, table: str, columns: Collection[str]) -> None:
    """The target of this table goes without these columns, and no others."""
    of_table = (omitted_column.c.file_id == file_id) & (omitted_column.c.table_name == table)
    db.execute(delete(omitted_column).where(of_table))
    if columns:
        rows = [{"file_id": file_id, "table_name": table, "column_name": column} for column in sorted(columns)]
        db.execute(insert(omitted_column), rows)


def _mark(row: Any) -> Checkpoint:
    return Checkpoint(row.split, Position(row.position), row.epoch, bool(row.done), chosen=row.chosen)


def _of_tables(file_id: int, tables: Collection[str]) -> Iterator[ColumnElement[bool]]:
    """Conditions of which each names a bounded number of tables."""
    for some in _pieces(tables):
        yield (load_split.c.file_id == file_id) & load_split.c.table_name.in_(some)


def _pieces(tables: Collection[str]) -> Iterator[Sequence[str]]:
    names = sorted(tables)
    for start in range(0, len(names), _CHUNK):
        yield names[start : start + _CHUNK]
