"""Which tasks a worker of a group is given on a cluster, what the others wait for, and which groups are listed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import update
from test_dispatch import JOB, ROOT, services, state  # noqa: F401

from disync.engine.placement import GIB, Large, Offer, Size, Staff
from disync.services import Services, resource_groups
from disync.services.dispatch import StoreDispatch
from disync.services.instances import State
from disync.services.placement import StoreBoard, most_of
from disync.services.tasks import Wanted
from disync.store import instances
from disync.store.schema import resource_group
from disync.store.shares import Share

ONE = Offer(("n",), 4.0, 16 * GIB)


def of_group(services: Services, name: str, group: str = "", cu: float = 0) -> int:  # noqa: F811
    said = {"ResourceGroup": group} | ({"Cu": cu} if cu else {})
    param = json.dumps(said) if group else None
    file_id = services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", JOB, name, param)).file_id
    services.tasks.deploy(ROOT, 10000, file_id)
    services.instances.start(ROOT, 10000, file_id, None)
    return file_id


def serving(services: Services, *groups: str) -> StoreDispatch:  # noqa: F811
    return StoreDispatch(services.store, lambda *_: {}, Share(frozenset(groups), others=False))


def claims(dispatch: StoreDispatch) -> set[int]:
    found: set[int] = set()
    while (task := dispatch.claim("w")) is not None:
        found.add(task.id)
    return found


@pytest.fixture
def board(services: Services) -> StoreBoard:  # noqa: F811
    return StoreBoard(services.store, Size(0.5))


def test_a_worker_of_a_cluster_takes_the_tasks_of_its_group_alone(services: Services) -> None:  # noqa: F811
    mine, other = of_group(services, "a", "here"), of_group(services, "b", "there")
    none, default = of_group(services, "c"), of_group(services, "d", "group_default")
    assert claims(serving(services, "here")) == {mine}
    assert claims(serving(services, "group_default", "")) == {none, default}
    assert claims(serving(services, "there")) == {other}


def test_a_task_says_what_it_waits_for_until_it_need_not(services: Services, board: StoreBoard) -> None:  # noqa: F811
    file_id = of_group(services, "a", "here")
    board.away("The Ray cluster at 10.0.0.1:6379 does not answer.")
    text = "Waiting for the cluster. The Ray cluster at 10.0.0.1:6379 does not answer."
    assert state(services, file_id) == (State.WAIT, text)
    board.tell({"there": ONE}, Staff({"there"}))
    text = "Waiting for a node of the resource group here: no node of the cluster offers rg_here."
    assert state(services, file_id) == (State.WAIT, text)
    board.tell({"here": ONE + ONE}, Staff({"there"}))
    text = (
        "Waiting for a worker of the resource group here: none is up yet; each takes 0.5 CPU and 2 GiB of one of the "
        "nodes that offer rg_here (2)."
    )
    assert state(services, file_id) == (State.WAIT, text)
    board.tell({"here": ONE}, Staff(failed={"here": "BadConfig: Set it."}))
    text = (
        "Waiting for a worker of the resource group here: the last one did not come up, and another one is tried. "
        "BadConfig: Set it."
    )
    assert state(services, file_id) == (State.WAIT, text)
    board.tell({"here": ONE}, Staff({"here"}))
    assert state(services, file_id) == (State.WAIT, None)


def test_the_cause_of_a_failure_stays_told_where_workers_are_up(services: Services, board: StoreBoard) -> None:  # noqa: F811
    file_id = of_group(services, "a", "here")
    with services.store.write() as db:
        instances.say(db, file_id, "Unreachable: nobody answers")
    board.tell({"here": ONE}, Staff({"here"}))
    assert state(services, file_id) == (State.WAIT, "Unreachable: nobody answers")


def test_a_task_that_is_larger_than_the_workers_waits_for_one_of_its_own(
    services: Services,  # noqa: F811
    board: StoreBoard,
) -> None:
    small, large = of_group(services, "small", "here", 0.5), of_group(services, "large", "here", 4)
    assert board.large() == [Large(large, "here", Size(4))]
    board.tell({"here": ONE + ONE}, Staff({"here"}))
    text = (
        "Waiting for a worker of its own in the resource group here: it is not up yet; for TaskParam.Cu it takes 4 CPU "
        "and 16 GiB of one of the nodes that offer rg_here (2), free at once."
    )
    assert (state(services, small), state(services, large)) == ((State.WAIT, None), (State.WAIT, text))
    board.tell({"here": ONE + ONE}, Staff({"here"}, {large}))
    assert state(services, large) == (State.WAIT, None)


def test_a_task_that_does_not_say_how_large_it_is_is_never_large(services: Services) -> None:  # noqa: F811
    silent, half = of_group(services, "silent", "here"), of_group(services, "half", "here", 0.5)
    large = of_group(services, "large", "here", 1)
    tiny = StoreBoard(services.store, Size(0.1))
    assert [each.task for each in tiny.large()] == [large]
    tiny.tell({"here": ONE}, Staff({"here"}))
    assert [state(services, task)[1] for task in (silent, half)] == [None, None]
    share = Share({"here"}, others=False, most=most_of(Size(0.1)))
    assert claims(StoreDispatch(services.store, lambda *_: {}, share)) == {silent, half}


def test_who_has_a_task_of_his_own_takes_no_other_and_others_leave_it_to_him(services: Services) -> None:  # noqa: F811
    small, large = of_group(services, "small", "here", 0.5), of_group(services, "large", "here", 4)
    other = of_group(services, "other", "here", 4)

    def sharing(**share: Any) -> StoreDispatch:
        return StoreDispatch(services.store, lambda *_: {}, Share({"here"}, others=False, **share))

    assert claims(sharing(most=0.5)) == {small}
    assert claims(sharing(only=large, most=2)) == set(), "it was made for less than is asked for now"
    assert claims(sharing(only=large, most=8)) == set(), "or for more"
    elsewhere = Share({"there"}, others=False, only=large, most=4)
    assert claims(StoreDispatch(services.store, lambda *_: {}, elsewhere)) == set(), "or in another group"
    assert claims(sharing(only=large, most=4)) == {large}
    with services.store.read() as db:
        assert [row.file_id for row in instances.large(db, 0.5)] == [large, other]
    services.instances.stop(ROOT, 10000, large)
    with services.store.read() as db:
        assert [row.file_id for row in instances.large(db, 0.5)] == [large, other], "its run has not ended"


def listed(services: Services) -> dict[str, int | None]:  # noqa: F811
    rows = services.resource_groups.list(ROOT, None, None)
    return {row.identifier: row.nodes if resource_groups.told(row) else None for row in rows}


def test_groups_are_listed_as_the_cluster_has_them(services: Services, board: StoreBoard) -> None:  # noqa: F811
    services.resource_groups.create("kept")
    of_group(services, "a", "wanted")
    assert listed(services) == {"group_default": None, "kept": None}
    board.tell({"here": ONE + ONE, "wanted": ONE}, Staff())
    assert listed(services) == {"group_default": 0, "kept": None, "here": 2, "wanted": 1}
    board.tell({"group_default": ONE}, Staff())
    assert listed(services) == {"group_default": 1, "kept": None, "wanted": 0}, "one that a task names stays in sight"
    with services.store.write() as db:
        db.execute(update(resource_group).values(seen_ms=0))
    assert set(listed(services).values()) == {None}, "what was told long ago is not told"


def test_a_group_that_no_node_offers_is_warned_of(services: Services, board: StoreBoard) -> None:  # noqa: F811
    def warned(name: str, group: str) -> list[str]:
        param = f'{{"ResourceGroup":"{group}"}}'
        return services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", JOB, name, param)).warnings

    assert warned("a", "here") == ["TaskParam.ResourceGroup: here is not known here; the task runs in group_default."]
    board.tell({"there": ONE}, Staff())
    text = "TaskParam.ResourceGroup: No node of the cluster offers rg_here: the task waits until one does."
    assert (warned("b", "here"), warned("c", "there")) == ([text], [])
