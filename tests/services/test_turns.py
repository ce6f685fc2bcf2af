"""Runs go to the worker that carries least, by their CUs, and nobody waits for one that takes nothing."""

from __future__ import annotations

import json
from collections import Counter

from sqlalchemy import update
from test_dispatch import JOB, ROOT, dispatch, services  # noqa: F401

from disync.services import Services
from disync.services.clock import now_ms
from disync.services.dispatch import StoreDispatch
from disync.services.tasks import Wanted
from disync.services.turns import PATIENCE_SECONDS, Turns
from disync.store import deployments, instances
from disync.store.instances import Carried, Free
from disync.store.schema import instance

HERE = [Free(1, "here"), Free(2, "here")]


def begun(services: Services, name: str, cu: object = None, group: str | None = None) -> int:  # noqa: F811
    param = json.dumps({"Cu": cu, "ResourceGroup": group})
    file_id = services.tasks.create(ROOT, 10000, Wanted("DI_REALTIME", JOB, name, param=param)).file_id
    services.tasks.deploy(ROOT, 10000, file_id)
    services.instances.start(ROOT, 10000, file_id, None)
    return file_id


def carries(worker: str, cu: float, group: str = "here") -> Carried:
    return Carried(worker, group, cu, 1)


def test_a_worker_leaves_runs_to_one_that_carries_less() -> None:
    turns, carried = Turns(), [carries("full", 2.0), carries("light", 1.5)]
    assert turns.of("full", HERE, carried, 0.0) == []
    assert turns.of("light", HERE, carried, 0.0) == [1, 2]
    assert turns.of("idle", HERE, carried, 0.0) == [1, 2]
    assert turns.of("full", HERE, [carries("full", 2.0), carries("light", 2.0)], 0.1) == [1, 2]


def test_it_waits_for_as_long_as_the_other_goes_on_taking() -> None:
    turns, step, at = Turns(), PATIENCE_SECONDS * 0.75, 0.0
    for load in (1.0, 2.0, 3.0):
        assert turns.of("full", HERE, [carries("full", 9.0), carries("light", load)], at) == []
        at += step
    stuck = [carries("full", 9.0), carries("light", 3.0)]
    assert turns.of("full", HERE, stuck, at) == []
    assert turns.of("full", HERE, stuck, at + step) == [1, 2], "it may be frozen"
    assert turns.of("full", HERE, stuck, at + step) == [1, 2], "and is not waited for again"
    assert turns.of("full", HERE, [carries("full", 9.0), carries("light", 4.0)], at + step) == [], "it is not"


def test_who_lets_go_of_runs_is_not_waited_for_until_it_takes_one() -> None:
    turns = Turns()
    for load, given in ((5.0, []), (3.0, [1, 2]), (3.0, [1, 2]), (4.0, [])):
        assert turns.of("full", HERE, [carries("full", 9.0), carries("ending", load)], 0.0) == given


def test_time_without_anything_to_take_is_no_time_of_waiting() -> None:
    turns, carried = Turns(), [carries("full", 2.0), carries("light", 1.0)]
    assert turns.of("full", HERE, carried, 0.0) == []
    assert turns.of("full", [], [], 50.0) == []
    assert turns.of("full", HERE, carried, 100.0) == []
    assert turns.of("full", HERE, carried, 100.0 + PATIENCE_SECONDS) == [1, 2]


def test_only_those_that_serve_the_group_are_given_way_to_and_all_that_they_carry_counts() -> None:
    both = [carries("both", 1.0), carries("both", 1.0, "there"), carries("light", 1.5)]
    free = [Free(1, "here"), Free(2, "there")]
    assert Turns().of("both", free, both, 0.0) == [2]


def test_about_as_much_is_not_less() -> None:
    assert Turns().of("a", HERE, [carries("a", 50.0), carries("b", 46.0)], 0.0) == [1, 2]
    assert Turns().of("a", HERE, [carries("a", 50.0), carries("b", 44.0)], 0.0) == []


def test_workers_share_tasks_by_their_cus(services: Services, dispatch: StoreDispatch) -> None:  # noqa: F811
    """The one that has taken the large task takes no other until the second carries as much."""
    large = begun(services, "large", 4)
    first = dispatch.claim("w1")
    assert first is not None and first.id == large
    small = [begun(services, f"small{number}", "0.5") for number in range(7)]
    taken = []
    for _ in small:
        taken.append(dispatch.claim("w2"))
        if len(taken) < len(small):
            assert dispatch.claim("w1") is None
    assert {task.id for task in taken if task is not None} == {*small}, "3.5 CU are less than 4"


def test_many_tasks_are_spread_evenly_over_workers_that_look_at_different_paces(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
) -> None:
    for number in range(12):
        begun(services, f"t{number}")
    held: Counter[str] = Counter()
    while sum(held.values()) < 12:
        for worker in ("quick", "quick", "quick", "slow", "quick", "third"):
            held[worker] += dispatch.claim(worker) is not None
    assert max(held.values()) - min(held.values()) <= 2, held


def test_what_a_dead_worker_has_held_is_not_given_way_to(services: Services, dispatch: StoreDispatch) -> None:  # noqa: F811
    for name in "abc":
        begun(services, name)
    assert [dispatch.claim(worker) is not None for worker in ("w1", "w2", "w1")] == [True] * 3
    begun(services, "d")
    assert dispatch.claim("w1") is None
    with services.store.write() as db:
        db.execute(update(instance).where(instance.c.worker == "w2").values(lease_until_ms=now_ms() - 1))
    assert dispatch.claim("w1") is not None


def test_a_task_that_says_nothing_takes_the_least_and_unknown_groups_count_as_the_default_one(
    services: Services,  # noqa: F811
    dispatch: StoreDispatch,  # noqa: F811
) -> None:
    for name, group in (("a", None), ("b", "group_default"), ("c", "S_res_group_1")):
        begun(services, name, group=group)
        assert dispatch.claim("w") is not None
    with services.store.read() as db:
        assert instances.carried(db, now_ms()) == [Carried("w", "group_default", 1.5, 3)]


def test_the_size_is_kept_until_another_is_given_and_counts_from_the_next_deployment_on(services: Services) -> None:  # noqa: F811
    file_id = begun(services, "a", 2)

    def deployed() -> float | None:
        with services.store.read() as db:
            cu: float | None = deployments.get(db, file_id).cu
            return cu

    assert deployed() == 2.0
    for param, cu in (('{"Cu":"1.5"}', 1.5), ('{"ResourceGroup":"group_default"}', 1.5), ('{"Cu":1e300}', 1e6)):
        before = deployed()
        services.tasks.update(ROOT, 10000, file_id, None, param)
        assert deployed() == before
        services.tasks.deploy(ROOT, 10000, file_id)
        assert deployed() == cu
