"""Samples of running tasks on both stores: what they hold, how long they are kept, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from disync.engine.dispatch import Hold
from disync.model.data import Position
from disync.model.errors import ParamInvalid
from disync.model.run import Checkpoint, Tally, Task
from disync.services import Services
from disync.services.access import Caller
from disync.services.dispatch import StoreDispatch
from disync.services.tasks import Wanted
from disync.services.watch import metrics
from disync.services.watch.metrics import Period
from disync.store import samples
from disync.store.database import Store
from disync.store.samples import Count, Sample
from disync.store.schema import sample

JOB = """{"steps":[{"name":"r","stepType":"memory","parameter":{"table":"a"}},
{"name":"w","stepType":"memory","parameter":{"table":"b"}}],"order":{"hops":[{"from":"r","to":"w"}]}}"""
HOUR = 3_600_000
NOW = 1_800_000_000_000


def _no_sources(_db: Connection, _workspace: int, _names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    return {}


@pytest.fixture
def file_id(services: Services, root: Caller) -> int:
    made = services.tasks.create(root, 10000, Wanted("DI_REALTIME", JOB, "copy")).file_id
    services.tasks.deploy(root, 10000, made)
    services.instances.start(root, 10000, made, None)
    return made


def fine(store: Store) -> list[Any]:
    with store.read() as db:
        return list(db.execute(select(sample).where(sample.c.grain == samples.FINE).order_by(sample.c.at_ms)))


def put(store: Store, file_id: int, at_ms: int, rows: int = 10, delay: int | None = 0) -> None:
    """A sample of ten seconds."""
    before, now = Count(at_ms - 10_000, 100, 1000, 100, 0), Count(at_ms, 100 + rows, 1000 + 50 * rows, 100, 2)
    with store.write() as db:
        samples.add(db, [Sample(file_id, now, before, delay, 1 << 20)])


def test_a_run_is_sampled_by_the_worker_that_holds_it(services: Services, store: Store, file_id: int) -> None:
    dispatch = StoreDispatch(store, _no_sources)
    task = dispatch.claim("w")
    assert task is not None
    hold = Hold(task.id, task.epoch)
    dispatch.renew("w", {hold})
    dispatch.sample({hold: None}, 5)
    assert fine(store) == [], "there is nothing before it"
    dispatch.ledger(task).save(mark(task), [], Tally(7, 70, 6, 1))
    dispatch.sample({hold: 1234, Hold(task.id, task.epoch + 1): 9}, 5)
    dispatch.ledger(task).save(mark(task, "2"), [], Tally(2, 20, 2, 0))
    dispatch.sample({hold: 0}, 6)
    first, second = fine(store)
    assert (first.rows_read, first.bytes_read, first.rows_written, first.rows_dirty) == (7, 70, 6, 1)
    assert (first.delay_ms, first.memory_bytes) == (1234, 5)
    assert (second.rows_read, second.bytes_read, second.rows_written, second.rows_dirty) == (2, 20, 2, 1)
    assert (second.delay_ms, second.memory_bytes) == (0, 6)
    assert first.span_ms >= 1 and second.span_ms >= 1


def mark(task: Task, position: str = "1") -> Checkpoint:
    return Checkpoint("s", Position(position), task.epoch)


def test_minutes_are_made_once_and_what_is_old_goes(store: Store, file_id: int) -> None:
    begin = NOW // 60_000 * 60_000
    for place in range(12):
        put(store, file_id, begin + 10_000 * (place + 1), rows=place, delay=None if place == 0 else 100 * place)
    for later in (90_000, 130_000, 130_001):
        with store.write() as db:
            samples.thin(db, begin + later)
    with store.read() as db:
        first, second = samples.between(db, file_id, samples.COARSE, 0, 2**52)
    assert (first.at_ms, first.rows_read, first.span_ms) == (begin + 60_000, 15, 60_000)
    assert (first.bytes_read, first.delay_ms, first.memory_bytes, first.rows_dirty) == (750, 300, 1 << 20, 2)
    assert (second.at_ms, second.rows_read) == (begin + 120_000, 51)
    with store.write() as db:
        samples.thin(db, begin + HOUR + 130_000)
        assert len(samples.between(db, file_id, samples.FINE, 0, 2**52)) == 6
        samples.thin(db, begin + 26 * HOUR)
        assert db.scalar(select(func.count()).select_from(sample)) == 0


def test_a_period_is_told_in_few_points(services: Services, store: Store, root: Caller, file_id: int) -> None:
    now = NOW // 60_000 * 60_000
    for minute in range(0, 24 * 60, 6):
        put(store, file_id, now - 60_000 * minute, rows=600, delay=60)
    with store.read() as db:
        hour = metrics.of_task(db, file_id, Period(now - HOUR, now), now)
        assert [point.time for point in hour] == [now - 60_000 * minute for minute in range(60, -1, -6)]
        assert {(p.rows, p.size, p.delay_ms, p.memory, p.dirty) for p in hour} == {(60.0, 3000.0, 60, 1 << 20, 2)}
    with store.write() as db:
        db.execute(sample.update().where(sample.c.at_ms < now).values(grain=samples.COARSE, span_ms=60_000))
    with store.read() as db:
        day = metrics.of_task(db, file_id, Period(now - 24 * HOUR, now), now)
    assert 200 < len(day) <= metrics.POINTS and day[-1].time == now
    assert day[0].rows == 10.0
    assert services.watch.metrics(root, 10000, file_id, Period(5, 6)) == []
    for start, end in ((2, 1), (-1, 5), (0, 2**60)):
        with pytest.raises(ParamInvalid):
            Period(start, end)


def test_counters_that_were_set_back_are_no_loss(store: Store, file_id: int) -> None:
    before, now = Count(0, 100, 100, 100, 5), Count(10_000, 3, 30, 3, 0)
    with store.write() as db:
        samples.add(db, [Sample(file_id, now, before, None, 0)])
    (found,) = fine(store)
    assert (found.rows_read, found.bytes_read, found.rows_written, found.rows_dirty) == (3, 30, 3, 0)
