"""Rows of `sample`: what running tasks did, and how they were, over time.

A sample of FINE seconds is kept an hour; of each minute that is over, one of COARSE seconds is made of them, and kept
25 hours: so many rows a task that its number is bounded, however long it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, delete, func, insert, literal_column, select

from disync.store.schema import sample

FINE, COARSE = 10, 60
FINE_KEPT_MS, COARSE_KEPT_MS = 61 * 60_000, 25 * 3_600_000
"""A little longer than an hour and a day: whoever asks for that much gets it, though his question takes its time."""

_LATE_MS = 300_000
"""Minutes that are older than this are not made any more."""

_SETTLED_MS = 5_000
"""After which no worker writes a sample of an earlier time."""


@dataclass(frozen=True, slots=True)
class Count:
    """A task's counters at a moment."""

    at_ms: int
    rows_read: int
    bytes_read: int
    rows_written: int
    rows_dirty: int


@dataclass(frozen=True, slots=True)
class Sample:
    file_id: int
    now: Count
    before: Count
    delay_ms: int | None
    memory_bytes: int


def add(db: Connection, found: Sequence[Sample]) -> None:
    """Of one moment. Counters that were set back in between have counted from 0."""
    db.execute(insert(sample), [_values(one) for one in found])


def _values(one: Sample) -> dict[str, Any]:
    now, before = one.now, one.before
    counts = {
        name: value - earlier if (value := getattr(now, name)) >= (earlier := getattr(before, name)) else value
        for name in ("rows_read", "bytes_read", "rows_written")
    }
    how = {"delay_ms": one.delay_ms, "memory_bytes": one.memory_bytes, "rows_dirty": now.rows_dirty}
    span = max(1, now.at_ms - before.at_ms)
    return {"file_id": one.file_id, "grain": FINE, "at_ms": now.at_ms, "span_ms": span, **counts, **how}


def latest(db: Connection, file_ids: Collection[int], since_ms: int) -> dict[int, Any]:
    """The newest sample of each task that has one since then."""
    newest = select(sample.c.file_id, func.max(sample.c.at_ms).label("at_ms"))
    newest = newest.where(sample.c.file_id.in_(file_ids), sample.c.grain == FINE, sample.c.at_ms >= since_ms)
    found = newest.group_by(sample.c.file_id).subquery()
    same = (sample.c.file_id == found.c.file_id) & (sample.c.at_ms == found.c.at_ms)
    return {row.file_id: row for row in db.execute(select(sample).join(found, same).where(sample.c.grain == FINE))}


def between(db: Connection, file_id: int, grain: int, start_ms: int, end_ms: int) -> list[Any]:
    """Oldest first; both ends included."""
    query = select(sample).where(sample.c.file_id == file_id, sample.c.grain == grain)
    return list(db.execute(query.where(sample.c.at_ms.between(start_ms, end_ms)).order_by(sample.c.at_ms)))


def thin(db: Connection, now_ms: int) -> None:
    """Make the samples of the minutes that are over, and forget what is old."""
    over = (now_ms - _SETTLED_MS) // 60_000 * 60_000
    last = db.scalar(select(func.max(sample.c.at_ms)).where(sample.c.grain == COARSE)) or 0
    counts = [func.sum(sample.c[name]) for name in _COUNTS]
    ends = [func.max(sample.c[name]) for name in ("memory_bytes", "rows_dirty")]
    delay = cast(func.avg(sample.c.delay_ms), BigInteger)
    query = select(sample.c.file_id, literal_column(str(COARSE)), _MINUTE, *counts, delay, *ends)
    query = query.where(sample.c.grain == FINE, sample.c.at_ms > max(last, over - _LATE_MS), sample.c.at_ms <= over)
    columns = ["file_id", "grain", "at_ms", *_COUNTS, "delay_ms", "memory_bytes", "rows_dirty"]
    db.execute(insert(sample).from_select(columns, query.group_by(sample.c.file_id, _MINUTE)))
    for grain, kept in ((FINE, FINE_KEPT_MS), (COARSE, COARSE_KEPT_MS)):
        db.execute(delete(sample).where(sample.c.grain == grain, sample.c.at_ms < now_ms - kept))


def forget(db: Connection, file_id: int) -> None:
    db.execute(delete(sample).where(sample.c.file_id == file_id))


_COUNTS = ("span_ms", "rows_read", "bytes_read", "rows_written")

_MINUTE: ColumnElement[int] = literal_column("(sample.at_ms + 59999) / 60000 * 60000")
"""The end of the minute that a sample belongs to."""
