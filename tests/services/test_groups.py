"""Tasks run where their resource group is served, and say what they wait for; what a worker leaves behind goes on."""

from __future__ import annotations

import pytest
from sqlalchemy import update
from test_dispatch import JOB, ROOT, deployed, dispatch, lapse, mark, run, services, started, state  # noqa: F401

from disync.engine.dispatch import Hold
from disync.model.errors import BegunAnew, Fenced
from disync.model.run import Tally
from disync.services import Services, waiting
from disync.services.clock import now_ms
from disync.services.dispatch import StoreDispatch
from disync.services.instances import State
from disync.services.tasks import Wanted
from disync.store import instances
from disync.store.schema import instance
from disync.store.shares import Share


def of_group(services: Services, name: str, group: str | None) -> int:  # noqa: F811
    code = JOB if group is None else JOB[:-1] + f',"extend":{{"resourceGroup":"{group}"}}}}'
    file_id = services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", code, name)).file_id
    services.tasks.deploy(ROOT, 10000, file_id)
    services.instances.start(ROOT, 10000, file_id, None)
    return file_id


def claims(dispatch: StoreDispatch) -> set[int]:  # noqa: F811
    """All that it can have."""
    found: set[int] = set()
    while (task := dispatch.claim("w")) is not None:
        found.add(task.id)
    return found


def serving(services: Services, *groups: str) -> StoreDispatch:  # noqa: F811
    return StoreDispatch(services.store, lambda *_: {}, Share(frozenset(groups), "group_default" in groups))


def test_a_task_runs_in_its_group_and_one_that_names_none_that_is_known_in_the_default_one(services: Services) -> None:  # noqa: F811
    services.resource_groups.enlist(["here", "there"])
    services.resource_groups.enlist(["here"])
    mine, other = of_group(services, "a", "here"), of_group(services, "b", "there")
    none, unknown = of_group(services, "c", None), of_group(services, "d", "S_res_group_280749521950784")
    named = of_group(services, "e", "group_default")
    assert claims(serving(services, "here")) == {mine}
    assert claims(serving(services, "group_default")) == {none, unknown, named}
    assert claims(serving(services, "here", "there", "group_default")) == {other}
    groups = [row.identifier for row in services.resource_groups.list(ROOT, None, None)]
    assert groups == ["group_default", "here", "there"]


def test_what_nobody_takes_says_what_it_waits_for(services: Services) -> None:  # noqa: F811
    services.resource_groups.enlist(["far"])
    file_id = of_group(services, "a", "far")
    assert state(services, file_id) == (State.WAIT, None), "a worker may be about to take it"
    with services.store.write() as db:
        long_ago = now_ms() - waiting.PATIENCE_MS - 2000
        db.execute(update(instance).where(instance.c.file_id == file_id).values(started_ms=long_ago))
    assert claims(serving(services, "group_default")) == set()
    now, message = state(services, file_id)
    assert now is State.WAIT and message is not None
    assert message.startswith("No worker of the resource group far has taken this task for 7 s: start one")
    assert claims(serving(services, "far")) == {file_id}
    assert state(services, file_id) == (State.WAIT, None) or state(services, file_id)[1] == message


def test_a_task_that_is_deployed_for_another_group_goes_there_with_its_position(services: Services) -> None:  # noqa: F811
    services.resource_groups.enlist(["here", "there"])
    file_id = of_group(services, "a", "here")
    here, there = serving(services, "here"), serving(services, "there")
    task = run(here)
    here.ledger(task).save(mark("5", task.epoch), [], Tally())
    services.tasks.update(ROOT, 10000, file_id, None, '{"ResourceGroup":"there"}')
    services.tasks.deploy(ROOT, 10000, file_id)
    here_now = here.renew("w1", {Hold(file_id, task.epoch)})
    assert here_now == ({Hold(file_id, task.epoch)}, set()), "what runs is left alone"
    services.instances.stop(ROOT, 10000, file_id)
    here.finish(task, None)
    services.instances.start(ROOT, 10000, file_id, None)
    assert here.claim("w1") is None
    again = run(there, "w2")
    assert (again.id, again.owner) == (file_id, task.owner)
    assert there.ledger(again).checkpoints()["s"].position == "5"


def test_a_run_that_ended_unheard_is_not_held_on_to(services: Services, dispatch: StoreDispatch) -> None:  # noqa: F811
    """As when the store was away while it ended."""
    file_id, other = started(services), of_group(services, "b", None)
    first, second = run(dispatch), run(dispatch)
    assert {first.id, second.id} == {file_id, other}
    still = Hold(second.id, second.epoch)
    with services.store.write() as db:
        db.execute(update(instance).values(lease_until_ms=now_ms() + 500))
    dispatch = StoreDispatch(services.store, lambda *_: {})  # one that has not renewed just now
    dispatch.renew("w1", {still})
    with services.store.read() as db:
        left = {row.file_id: row.lease_until_ms - now_ms() for row in instances.of(db, [file_id, other])}
    assert left[first.id] <= 500 < 5000 < left[second.id]
    lapse(services, first.id)
    dispatch.free_lapsed()
    assert state(services, first.id) == (State.WAIT, "worker w1 fell silent")
    assert state(services, second.id)[0] is State.RUN


def test_a_store_older_than_the_target_goes_on_under_a_newer_epoch(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
) -> None:
    file_id = started(services)
    task = run(dispatch)
    dispatch.finish(task, Fenced("Run 41 has written s; this is run 1.", 41))
    now, message = state(services, file_id)
    assert now is State.WAIT and message is not None
    assert message.startswith("the target was written by run 41, and the store knew of none after 1")
    lapse(services, file_id)
    assert run(dispatch, "w2").epoch == 42


def test_a_store_older_than_the_last_beginning_stops_the_task_and_says_so(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
) -> None:
    file_id = started(services)
    dispatch.finish(run(dispatch), BegunAnew())
    now, message = state(services, file_id)
    assert now is State.PAUSE and message is not None and message.startswith("BegunAnew: ")


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_run_that_was_replaced_changes_nothing_when_it_is_fenced_off(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
    epoch: int,
) -> None:
    file_id = started(services)
    old = run(dispatch)
    dispatch.worker_died("w1", "killed by SIGKILL")
    lapse(services, file_id)
    new = run(dispatch, "w2")
    dispatch.finish(old, Fenced("Run 2 writes s now; this is run 1.", epoch))
    assert state(services, file_id)[0] is State.RUN
    assert dispatch.renew("w2", {Hold(new.id, new.epoch)}).wanted == {Hold(new.id, new.epoch)}
    assert dispatch.renew("w1", {Hold(old.id, old.epoch)}).lost == {Hold(old.id, old.epoch)}


def test_a_run_that_ended_since_its_lease_was_late_is_made_up_for_at_once(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
) -> None:
    file_id = started(services)
    old = run(dispatch)
    dispatch.finish(old, Fenced("The lease of this run could not be renewed in time."))
    with services.store.read() as db:
        row = instances.get(db, file_id)
        assert (row.desired, row.worker) == ("RUN", None), "nobody waits until the lease is over"
        assert instances.failovers(db, [file_id]) == {file_id: 1}


def test_no_two_beginnings_have_one_name_though_the_store_forgets(services: Services) -> None:  # noqa: F811
    file_id = deployed(services)
    names = set()
    for _ in range(2):
        services.instances.start(ROOT, 10000, file_id, '{"startTime":"latest"}')
        with services.store.write() as db:
            names.add(instances.owner(db, file_id))
            instances.put(db, file_id, desired="STOP")
    with services.store.write() as db:  # as in a store of before the two
        instances.put(db, file_id, beginning=0, started_ms=None)
    services.instances.start(ROOT, 10000, file_id, None)
    with services.store.read() as db:
        again = instances.owner(db, file_id)
    assert len(names) == 2
    assert int(again.rpartition("/")[2]) > 20_000_000, "seconds since 2026: no count that could come again"
