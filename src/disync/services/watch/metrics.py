"""How a task was over time, from its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from disync.model.errors import ParamInvalid
from disync.store import samples

POINTS = 360
"""At most so many are told."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, both included, in ms since 1970."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < 2**53:
            raise ParamInvalid("StartTime", "this is a time in ms since 1970.")
        if not self.start <= self.end < 2**53:
            raise ParamInvalid("EndTime", "this is a time in ms since 1970, not before StartTime.")


@dataclass(frozen=True, slots=True)
class Point:
    """`time`: the end of what it tells of. Rates a second, as read; `delay_ms` None: not known."""

    time: int
    rows: float
    size: float
    delay_ms: int | None
    memory: int
    dirty: int


def of_task(db: Connection, task: int, period: Period, now_ms: int) -> list[Point]:
    """Fine where all of the period is in the last hour, else a minute a point or more; averages, but for the refused
    rows, which are those at its end."""
    fine = period.start >= now_ms - samples.FINE_KEPT_MS
    found = _read(db, task, period, fine)
    grain = 1000 * (samples.FINE if fine else samples.COARSE)
    steps = -(-(period.end - period.start) // (POINTS * grain))
    width = grain * max(1, steps)
    return [_point(list(some)) for _, some in groupby(found, key=lambda row: row.at_ms // width)]


def _read(db: Connection, task: int, period: Period, fine: bool) -> list[Any]:
    """The minute under way has no sample of its own yet."""
    if fine:
        return samples.between(db, task, samples.FINE, period.start, period.end)
    found = samples.between(db, task, samples.COARSE, period.start, period.end)
    last = max(period.start, found[-1].at_ms + 1 if found else 0)
    return [*found, *samples.between(db, task, samples.FINE, last, period.end)]


def _point(rows: Sequence[Any]) -> Point:
    span = sum(row.span_ms for row in rows) / 1000
    delays = [row.delay_ms for row in rows if row.delay_ms is not None]
    return Point(
        rows[-1].at_ms,
        round(sum(row.rows_read for row in rows) / span, 1),
        round(sum(row.bytes_read for row in rows) / span, 1),
        round(sum(delays) / len(delays)) if delays else None,
        round(sum(row.memory_bytes for row in rows) / len(rows)),
        rows[-1].rows_dirty,
    )
