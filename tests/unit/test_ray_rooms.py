"""How many tasks that read parts of a load a cluster's nodes have room for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.engine.placement import GIB, Crew, Size
from disync.engine.runners.ray_tasks import Given, gently, rooms

CREW = Crew("make", "help", "installation", 2, Size(0.5))


def node(name: str, *groups: str, cpus: float = 4) -> Mapping[str, Any]:
    has = {"CPU": cpus, "memory": cpus * 4 * GIB, **{f"rg_{group}": 1.0 for group in groups}}
    return {"NodeID": name, "Resources": has}


def room(nodes: list[Mapping[str, Any]], given: list[Given] | None = None, **taken: float) -> dict[str, int]:
    """`taken`: of each node's CPUs, by what is there."""
    available = {
        each["NodeID"]: {
            "CPU": each["Resources"]["CPU"] - taken.get(each["NodeID"], 0),
            "memory": each["Resources"]["memory"],
        }
        for each in nodes
    }
    return dict(rooms(CREW, "a", nodes, available, given or []))


def task(node: str, sits: bool) -> Given:
    return Given("help-1", "a", node, None, None if sits else 1.0)


def test_only_nodes_of_the_group_have_room_and_what_their_workers_leave() -> None:
    assert room([node("n", "a"), node("m", "b"), node("both", "a", "b")]) == {"n": 6, "both": 4}


def test_room_for_workers_is_left_though_they_are_not_up() -> None:
    assert room([node("n", "a", cpus=1)]) == {"n": 0}
    assert room([node("n", "a", "b", cpus=1)])["n"] <= 0


def test_what_else_the_node_runs_takes_room() -> None:
    assert room([node("n", "a")], n=3.5) == {"n": 1}
    assert room([node("n", "a")], n=4) == {"n": 0}


def test_tasks_take_room_be_they_known_to_the_cluster_or_not() -> None:
    assert room([node("n", "a")], [task("n", sits=True)] * 2, n=2) == {"n": 4}
    assert room([node("n", "a")], [task("n", sits=False)] * 2, n=1) == {"n": 4}
    assert room([node("n", "a", cpus=1e-9)]) == {"n": -2}


def test_they_begin_one_by_one_and_more_at_once_where_some_read() -> None:
    assert gently({"n": 6, "m": 6}, []) == {"n": 1, "m": 1}
    assert gently({"n": 6}, [task("n", sits=False)])["n"] == 0
    assert gently({"n": 6}, [task("n", sits=True)] * 2) == {"n": 2}
    assert gently({"n": 1}, [task("n", sits=True)] * 2) == {"n": 1}, "no more than there is room for"
