"""Runs are handed out once, kept by a lease, fenced by their epoch, and fail over by the rule, on both stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from disync.engine.dispatch import Hold
from disync.engine.pace import backoff
from disync.model.data import Dirty, Position
from disync.model.errors import BadConfig, Fenced, NeedsConfirmation, Refused, Unreachable
from disync.model.run import Checkpoint, Start, Tally, Task
from disync.services import Caller, Services, open_services
from disync.services.clock import now_ms
from disync.services.dispatch import StoreDispatch
from disync.services.instances import State, parse_start_param
from disync.services.project_configs import Pair
from disync.services.tasks import Wanted
from disync.store import instances
from disync.store.database import open_store
from disync.store.migrations import migrate
from disync.store.vault import open_vault

ROOT = Caller("root", "root", root=True)
JOB = """{"steps":[{"name":"r","stepType":"memory","parameter":{"table":"a"}},
{"name":"w","stepType":"memory","parameter":{"table":"b"}}],"order":{"hops":[{"from":"r","to":"w"}]}}"""


@pytest.fixture(params=["sqlite", "postgresql"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Services]:
    url = request.getfixturevalue("postgres_database") if request.param == "postgresql" else None
    store = open_store(tmp_path, url)
    migrate(store)
    opened = open_services(store, open_vault(tmp_path))
    opened.bootstrap("id", "secret")
    yield opened
    store.close()


@pytest.fixture
def dispatch(services: Services) -> StoreDispatch:
    return StoreDispatch(services.store, _no_sources)


def _no_sources(_db: Connection, _workspace: int, _names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    return {}


def deployed(services: Services) -> int:
    file_id = services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", JOB, "copy")).file_id
    services.tasks.deploy(ROOT, 10000, file_id)
    return file_id


def started(services: Services, param: str | None = None) -> int:
    file_id = deployed(services)
    services.instances.start(ROOT, 10000, file_id, param)
    return file_id


def state(services: Services, file_id: int) -> tuple[State, str | None]:
    now, _, message = services.instances.info(ROOT, 10000, file_id)
    return now, message


def run(dispatch: StoreDispatch, worker: str = "w1") -> Task:
    task = dispatch.claim(worker)
    assert task is not None
    dispatch.renew(worker, {Hold(task.id, task.epoch)})
    return task


def mark(position: str, epoch: int, done: bool = False) -> Checkpoint:
    return Checkpoint("s", Position(position), epoch, done)


def lapse(services: Services, file_id: int) -> None:
    """Let the run's lease end now."""
    with services.store.write() as db:
        instances.put(db, file_id, lease_until_ms=1)


def test_states_follow_what_runs(services: Services, dispatch: StoreDispatch) -> None:
    file_id = deployed(services)
    assert state(services, file_id) == (State.NORUN, None)
    services.instances.start(ROOT, 10000, file_id, None)
    assert state(services, file_id) == (State.WAIT, None)
    task = dispatch.claim("w1")
    assert task is not None and task.id == file_id and task.epoch == 1 and task.code == JOB
    assert state(services, file_id) == (State.WAIT, None)
    assert dispatch.renew("w1", {Hold(file_id, 1)}).wanted == {Hold(file_id, 1)}
    assert state(services, file_id) == (State.RUN, None)
    services.instances.stop(ROOT, 10000, file_id)
    assert state(services, file_id) == (State.KILLING, None)
    assert dispatch.renew("w1", {Hold(file_id, 1)}) == (set(), set()), "it ends in good order"
    dispatch.finish(task, None)
    assert state(services, file_id) == (State.PAUSE, None)


def test_what_asks_to_be_confirmed_is_confirmed_by_a_start(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    first = run(dispatch)
    assert not first.confirmed
    dispatch.finish(first, NeedsConfirmation("The target differs."))
    assert state(services, file_id) == (State.PAUSE, "NeedsConfirmation: The target differs.")
    services.instances.start(ROOT, 10000, file_id, None)
    second = run(dispatch)
    assert second.confirmed
    dispatch.finish(second, BadConfig("no"))
    services.instances.start(ROOT, 10000, file_id, None)
    third = run(dispatch)
    assert third.confirmed, "it stays so until the task begins anew"
    services.instances.terminate(ROOT, 10000, file_id)
    services.tasks.deploy(ROOT, 10000, file_id)
    services.instances.start(ROOT, 10000, file_id, None)
    assert not run(dispatch, "w2").confirmed


def test_a_run_is_handed_out_once(services: Services, dispatch: StoreDispatch) -> None:
    started(services)
    assert dispatch.claim("w1") is not None
    assert dispatch.claim("w2") is None


def test_a_dead_worker_costs_one_failover_and_the_epoch_fences_its_ghost(
    services: Services, dispatch: StoreDispatch
) -> None:
    file_id = started(services)
    first = run(dispatch)
    dispatch.ledger(first).save(mark("5", first.epoch), [], Tally(rows_read=5, rows_written=5))
    dispatch.worker_died("w1", "killed by SIGKILL")
    assert state(services, file_id) == (State.WAIT, "killed by SIGKILL")
    lapse(services, file_id)
    second = run(dispatch, "w2")
    assert second.epoch == first.epoch + 1
    assert dispatch.ledger(second).checkpoints()["s"].position == "5"
    with pytest.raises(Fenced):
        dispatch.ledger(first).save(mark("9", first.epoch), [], Tally())
    with pytest.raises(Fenced):
        dispatch.ledger(first).begin([mark("0", first.epoch)])
    dispatch.finish(first, None)
    assert state(services, file_id) == (State.RUN, None)
    assert dispatch.ledger(second).checkpoints()["s"].position == "5"


def test_a_silent_worker_loses_its_runs_when_the_lease_ends(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    run(dispatch)
    dispatch.free_lapsed()
    assert state(services, file_id)[0] is State.RUN
    lapse(services, file_id)
    dispatch.free_lapsed()
    assert state(services, file_id) == (State.WAIT, "worker w1 fell silent")


def test_the_failover_rule_stops_a_task_for_good_and_says_why(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services, '{"failoverLimit":{"count":2,"interval":30}}')
    for attempt in range(3):
        assert state(services, file_id)[0] is State.WAIT, attempt
        dispatch.finish(run(dispatch), Unreachable("nobody answers"))
        lapse(services, file_id)
    now, message = state(services, file_id)
    assert now is State.PAUSE
    assert message == "3 failovers within 30 minutes; the last: Unreachable: nobody answers"
    assert dispatch.claim("w1") is None


def test_an_error_that_no_retry_can_cure_stops_the_task_at_once(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    dispatch.finish(run(dispatch), BadConfig("there is no such topic"))
    assert state(services, file_id) == (State.PAUSE, "BadConfig: there is no such topic")


def test_a_task_waits_before_its_next_try(services: Services, dispatch: StoreDispatch) -> None:
    file_id, before = started(services), now_ms()
    dispatch.finish(run(dispatch), Unreachable("down"))
    with services.store.read() as db:
        until = instances.get(db, file_id).lease_until_ms
    assert until >= before + 1000 * backoff(0) > before
    assert dispatch.claim("w2") is None or now_ms() >= until, "a machine may be too busy to look in time"


def test_a_bounded_task_that_is_done_stops(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    dispatch.ledger(task).save(mark("5", task.epoch, done=True), [], Tally())
    dispatch.finish(task, None)
    assert state(services, file_id) == (State.PAUSE, None)


def test_a_drained_worker_leaves_the_task_wanted(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    dispatch.ledger(task).save(mark("5", task.epoch), [], Tally())
    dispatch.finish(task, None)
    assert state(services, file_id)[0] is State.WAIT
    assert run(dispatch, "w2").epoch == 2


def test_refused_rows_are_counted_and_kept(services: Services, dispatch: StoreDispatch) -> None:
    started(services, '{"errorLimit":{"record":7}}')
    task = run(dispatch)
    assert task.limits.dirty == 7
    dirty = [Dirty("b", "[1]", "too long", Position("3"))]
    ledger = dispatch.ledger(task)
    assert ledger.save(mark("3", task.epoch), dirty, Tally(rows_dirty=1)) == 1
    assert ledger.save(mark("4", task.epoch), dirty, Tally(rows_dirty=1)) == 2


def test_what_targets_go_without_is_remembered_from_run_to_run(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    first = dispatch.ledger(run(dispatch))
    first.omit("t", {"a", "b"})
    first.omit("u", {"c"})
    first.omit("t", {"b"})
    first.omit("u", frozenset())
    assert first.omitted() == {"t": {"b"}}
    dispatch.worker_died("w1", "killed by SIGKILL")
    lapse(services, file_id)
    second = dispatch.ledger(run(dispatch, "w2"))
    assert second.omitted() == {"t": {"b"}}
    with pytest.raises(Fenced):
        first.omit("t", {"d"})


def test_stop_and_start_resume_and_a_start_time_begins_anew(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    for param, start, kept in ((None, Start(), True), ('{"startTime":"latest"}', Start("latest"), False)):
        task = run(dispatch)
        dispatch.ledger(task).save(mark("5", task.epoch), [], Tally())
        services.instances.stop(ROOT, 10000, file_id)
        with pytest.raises(Refused, match="still stopping"):
            services.instances.start(ROOT, 10000, file_id, param)
        dispatch.finish(task, None)
        services.instances.start(ROOT, 10000, file_id, param)
        again = dispatch.claim("w1")
        assert again is not None and again.start == start
        assert (again.owner == task.owner) is kept
        assert ("s" in dispatch.ledger(again).checkpoints()) is kept
        dispatch.finish(again, None)
    with pytest.raises(Refused, match="started already"):
        services.instances.start(ROOT, 10000, file_id, None)


def test_terminate_cuts_the_run_off_and_forgets_its_position(services: Services, dispatch: StoreDispatch) -> None:
    file_id = started(services)
    task = run(dispatch)
    dispatch.ledger(task).save(mark("5", task.epoch), [], Tally())
    services.instances.terminate(ROOT, 10000, file_id)
    assert state(services, file_id) == (State.NORUN, None)
    assert dispatch.renew("w1", {Hold(task.id, task.epoch)}) == (set(), {Hold(task.id, task.epoch)})
    with pytest.raises(Fenced):
        dispatch.ledger(task).save(mark("9", task.epoch), [], Tally())
    with pytest.raises(Refused, match="not deployed"):
        services.instances.start(ROOT, 10000, file_id, None)
    services.tasks.deploy(ROOT, 10000, file_id)
    services.instances.start(ROOT, 10000, file_id, None)
    again = run(dispatch)
    assert again.epoch > task.epoch
    assert again.owner != task.owner, "a target would hold the old position against the task that begins anew"
    assert dispatch.ledger(again).checkpoints() == {}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "StartParam is not JSON"),
        ("[]", "StartParam must be a JSON object"),
        ('{"failoverLimit":1}', "StartParam.failoverLimit must be an object"),
        ('{"failoverLimit":{"count":-1}}', "StartParam.failoverLimit.count"),
        ('{"failoverLimit":{"interval":"x"}}', "StartParam.failoverLimit.interval"),
        ('{"errorLimit":{"record":1.5}}', "StartParam.errorLimit.record"),
        ('{"startTime":"noon"}', "StartParam.startTime"),
        ('{"startTime":true}', "StartParam.startTime"),
        ('{"startTime":"' + "9" * 5000 + '"}', "StartParam.startTime"),
        ('{"ddlMarkMap":[]}', "StartParam.ddlMarkMap must be an object"),
        ('{"ddlMarkMap":{"ADDINDEX":"NORMAL"}}', "StartParam.ddlMarkMap.ADDINDEX: there is no such kind"),
        ('{"ddlMarkMap":{"ADDCOLUMN":"normal"}}', "StartParam.ddlMarkMap.ADDCOLUMN must be one of NORMAL"),
    ],
)
def test_a_wrong_start_param_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_start_param(text)
    assert str(caught.value).startswith(place)


def test_the_published_start_param_is_read() -> None:
    param = parse_start_param(
        '{"failoverLimit":{"count":10,"interval":30},"errorLimit":{"record":0},"ddlMarkMap":{"ADDCOLUMN":"NORMAL"}}'
    )
    assert (param.failover_count, param.failover_minutes, param.dirty_limit, param.start) == (10, 30, 0, None)
    assert parse_start_param('{"startTime":"1700000000000"}').start == Start("time", 1700000000000)


def test_ddl_policies_lie_over_each_other(services: Services, dispatch: StoreDispatch) -> None:
    """StartParam over the task's setting over the workspace's for this source over those for all over the built-in."""
    job = JOB.replace('"order"', '"setting":{"ddlMarkMap":{"DROPTABLE":"CRITICAL","ADDCOLUMN":"CRITICAL"}},"order"')
    file_id = services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", job, "copy")).file_id
    services.tasks.deploy(ROOT, 10000, file_id)
    config = services.project_configs
    config.update(ROOT, 10000, Pair("memory"), '{"RENAMETABLE":"IGNORE","DROPCOLUMN":"NORMAL"}')
    config.update(ROOT, 10000, Pair("memory", "memory"), '{"DROPCOLUMN":"WARNING"}')
    services.instances.start(ROOT, 10000, file_id, '{"ddlMarkMap":{"ADDCOLUMN":"WARNING"}}')
    assert run(dispatch).ddl == {
        "ADDCOLUMN": "WARNING",
        "CREATETABLE": "IGNORE",
        "DROPCOLUMN": "WARNING",
        "DROPTABLE": "CRITICAL",
        "MODIFYCOLUMN": "WARNING",
        "RENAMECOLUMN": "WARNING",
        "RENAMETABLE": "IGNORE",
        "TRUNCATETABLE": "NORMAL",
    }
    assert config.get(ROOT, 10000, Pair("memory", "other"))["DROPCOLUMN"] == "NORMAL"
    with pytest.raises(Refused, match="no such kind"):
        config.update(ROOT, 10000, Pair("memory"), '{"X":"NORMAL"}')
