"""Refused rows in the store: listed, asked for, settled, dropped; and the run that ends so that they are taken up."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import update
from test_dispatch import _no_sources, deployed, mark, run, started, state

from disync.engine.dispatch import Hold
from disync.model.data import Dirty, Position
from disync.model.errors import Fenced, ForbiddenAccess, Refused
from disync.model.kept import Kept
from disync.model.run import Tally, Task
from disync.services import Caller, Services
from disync.services.dispatch import StoreDispatch
from disync.services.instances import State
from disync.services.ledger import LONGEST_ROW
from disync.store import instances
from disync.store.schema import dirty

ROOT = Caller("root", "root", root=True)


@pytest.fixture
def dispatch(services: Services) -> StoreDispatch:
    return StoreDispatch(services.store, _no_sources)


def refuse(dispatch: StoreDispatch, task: Task, *ids: int, table: str = "public.a") -> int:
    rows = [Dirty(table, json.dumps({"id": id_}), "too long", Position("7")) for id_ in ids]
    return dispatch.ledger(task).save(mark(str(ids), task.epoch), rows, Tally(rows_dirty=len(rows)))


def states(services: Services, file_id: int) -> list[tuple[str, str, str]]:
    return [(r.row, r.state, r.reason) for r in services.refused_rows.of_task(ROOT, 10000, file_id)]


def test_what_was_refused_is_listed_with_where_and_why(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    refuse(dispatch, run(dispatch), 1)
    (row,) = services.refused_rows.of_task(ROOT, 10000, file_id)
    assert (row.table_name, row.row, row.reason, row.position) == ("public.a", '{"id": 1}', "too long", "7")
    assert (row.state, row.whole) == ("refused", True)
    assert row.at_ms > 1_700_000_000_000


def test_a_running_task_restarts_and_takes_them_up(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    refuse(dispatch, task, 1, 2)
    asked = services.refused_rows.replay(ROOT, 10000, file_id)
    assert (asked.rows, asked.runs) == (2, True)
    assert dispatch.renew("w1", set()).wanted == set(), "the run under way is to end"
    dispatch.finish(task, None)
    assert state(services, file_id) == (State.WAIT, None)
    next_ = run(dispatch)
    assert dispatch.renew("w1", set()).wanted == {Hold(file_id, next_.epoch)}, "the next one goes on"
    first, second = dispatch.ledger(next_).asked()
    assert (first, second.row) == (Kept(first.id, 1, "public.a", '{"id": 1}'), '{"id": 2}')
    dispatch.ledger(next_).settle({first.id: None, second.id: "still too long"}, Tally(rows_written=1))
    assert states(services, file_id) == [
        ('{"id": 1}', "replayed", "too long"),
        ('{"id": 2}', "refused", "still too long"),
    ]
    assert dispatch.ledger(next_).asked() == []
    with services.store.read() as db:
        assert instances.failovers_since(db, file_id, 0) == []
        assert instances.get(db, file_id).rows_written == 1


def test_a_task_that_rests_takes_them_up_when_it_is_started(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    refuse(dispatch, task, 1)
    services.instances.stop(ROOT, 10000, file_id)
    dispatch.finish(task, None)
    assert not services.refused_rows.replay(ROOT, 10000, file_id).runs
    assert dispatch.claim("w1") is None
    services.instances.start(ROOT, 10000, file_id, None)
    assert [row.request for row in dispatch.ledger(run(dispatch)).asked()] == [1]


def test_each_request_has_a_number_of_its_own(services: Services, dispatch: StoreDispatch) -> None:
    """Also after the rows of an earlier one are forgotten: the target knows how far each has come."""
    file_id = started(services)
    refuse(dispatch, run(dispatch), 1)
    services.refused_rows.replay(ROOT, 10000, file_id)
    task = run_next(dispatch, services, file_id)
    (row,) = dispatch.ledger(task).asked()
    dispatch.ledger(task).settle({row.id: "again"}, Tally())
    services.refused_rows.drop(ROOT, 10000, file_id)
    refuse(dispatch, task, 2)
    services.refused_rows.replay(ROOT, 10000, file_id)
    assert [row.request for row in dispatch.ledger(task).asked()] == [2]


def run_next(dispatch: StoreDispatch, services: Services, file_id: int) -> Task:
    with services.store.read() as db:
        epoch = instances.get(db, file_id).epoch
    dispatch.finish(Task(file_id, "", epoch, "", {}), None)
    return run(dispatch)


def test_one_table_with_or_without_its_schema(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    refuse(dispatch, task, 1)
    refuse(dispatch, task, 2, table="public.x_a")
    refuse(dispatch, task, 3, table="public.b")
    assert services.refused_rows.replay(ROOT, 10000, file_id, "a").rows == 1
    assert services.refused_rows.replay(ROOT, 10000, file_id, "public.b").rows == 1
    assert [s for _, s, _ in states(services, file_id)] == ["asked", "refused", "asked"]
    with pytest.raises(Refused, match="no refused row of table b to replay"):
        services.refused_rows.replay(ROOT, 10000, file_id, "b")


def test_dropped_and_replayed_rows_count_no_more(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services, '{"errorLimit":{"record":"3"}}')
    task = run(dispatch)
    assert refuse(dispatch, task, 1, 2) == 2
    assert services.refused_rows.drop(ROOT, 10000, file_id) == 2
    assert refuse(dispatch, task, 3, 4) == 2
    services.refused_rows.replay(ROOT, 10000, file_id)
    assert services.refused_rows.drop(ROOT, 10000, file_id) == 0, "they may be written just now"
    row, _ = dispatch.ledger(task).asked()
    dispatch.ledger(task).settle({row.id: None}, Tally())
    assert refuse(dispatch, task, 5) == 2
    assert services.refused_rows.drop(ROOT, 10000, file_id, "other") == 0
    assert services.refused_rows.drop(ROOT, 10000, file_id) == 2
    services.instances.stop(ROOT, 10000, file_id)
    dispatch.finish(task, None)
    assert services.refused_rows.drop(ROOT, 10000, file_id) == 1
    assert states(services, file_id) == []


def test_rows_of_an_earlier_start_do_not_count(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services, '{"errorLimit":{"record":"3"}}')
    task = run(dispatch)
    refuse(dispatch, task, 1, 2)
    services.instances.stop(ROOT, 10000, file_id)
    dispatch.finish(task, None)
    with services.store.write() as db:
        db.execute(update(dirty).values(at_ms=1))
    services.instances.start(ROOT, 10000, file_id, '{"errorLimit":{"record":"3"}}')
    assert refuse(dispatch, run(dispatch), 3) == 1
    assert len(states(services, file_id)) == 3


def test_a_run_that_was_overtaken_settles_nothing(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    refuse(dispatch, task, 1)
    services.refused_rows.replay(ROOT, 10000, file_id)
    dispatch.finish(task, None)
    next_ = run(dispatch)
    (row,) = dispatch.ledger(next_).asked()
    with pytest.raises(Fenced):
        dispatch.ledger(task).settle({row.id: None}, Tally())
    assert dispatch.ledger(next_).asked() == [row]


def test_a_very_large_row_keeps_its_key_and_its_shape(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    large = Dirty("a", json.dumps({"id": "k" * 4096, "note": "x" * LONGEST_ROW}), "too long", Position("7"))
    dispatch.ledger(task).save(mark("1", task.epoch), [large], Tally())
    (row,) = services.refused_rows.of_task(ROOT, 10000, file_id)
    assert json.loads(row.row) == {"id": "k" * 4096, "note": "x" * 4096}
    assert not row.whole


def test_a_row_that_could_not_be_read_is_not_whole(services: Services, dispatch: StoreDispatch) -> None:
    """What is kept of it is for people: it must not be written as if it were the row."""
    file_id = started(services)
    task = run(dispatch)
    unread, refused = (Dirty("a", json.dumps({"id": id_}), "no", Position("7")) for id_ in (1, 2))
    marked = replace(mark("1", task.epoch), refused=(unread,))
    dispatch.ledger(task).save(marked, [unread, refused], Tally())
    assert [row.whole for row in services.refused_rows.of_task(ROOT, 10000, file_id)] == [False, True]


def test_only_who_may_start_a_task_may_replay_its_rows(services: Services) -> None:
    file_id = deployed(services)
    services.keys.create_user("vera", "")
    stranger = Caller("vera", "vera", root=False)
    for ask in (services.refused_rows.of_task, services.refused_rows.replay, services.refused_rows.drop):
        with pytest.raises(ForbiddenAccess):
            ask(stranger, 10000, file_id)
    with pytest.raises(Refused, match="has not been started"):
        services.refused_rows.replay(ROOT, 10000, file_id)
