"""How much room the nodes of a cluster have, and how many tasks that read parts of a load begin at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.engine.placement import GIB, Size
from disync.engine.runners.ray_nodes import Taken, rooms
from disync.engine.runners.ray_tasks import Given, gently

SIZE = Size(0.5)


def node(name: str, *groups: str, cpus: float = 4) -> Mapping[str, Any]:
    has = {"CPU": cpus, "memory": cpus * 4 * GIB, **{f"rg_{group}": 1.0 for group in groups}}
    return {"NodeID": name, "Resources": has}


def room(nodes: list[Mapping[str, Any]], *taken: Taken, size: Size = SIZE, **busy: float) -> dict[str, int]:
    """`busy`: of each node's CPUs, by what is there."""
    available = {
        each["NodeID"]: {
            "CPU": each["Resources"]["CPU"] - busy.get(each["NodeID"], 0),
            "memory": each["Resources"]["memory"],
        }
        for each in nodes
    }
    return dict(rooms(size, "a", nodes, available, taken))


def task(node: str, sits: bool) -> Given:
    return Given("help-1", "a", node, None, None if sits else 1.0)


def test_only_nodes_of_the_group_have_room() -> None:
    assert room([node("n", "a"), node("m", "b"), node("both", "a", "b", cpus=2)]) == {"n": 8, "both": 4}


def test_room_is_left_for_what_is_not_up() -> None:
    workers = [Taken("n", SIZE, known=False)] * 2
    assert room([node("n", "a", cpus=1)], *workers) == {"n": 0}
    assert room([node("n", "a"), node("m", "a")], *workers) == {"n": 6, "m": 8}


def test_what_else_the_node_runs_takes_room() -> None:
    assert room([node("n", "a")], n=3.5) == {"n": 1}
    assert room([node("n", "a")], n=4) == {"n": 0}


def test_what_was_placed_takes_room_once_be_it_known_to_the_cluster_or_not() -> None:
    assert room([node("n", "a")], *[Taken("n", SIZE, known=True)] * 2, n=1) == {"n": 6}
    assert room([node("n", "a")], *[Taken("n", SIZE, known=False)] * 2, n=1) == {"n": 4}
    assert room([node("n", "a")], Taken("n", Size(3.5), known=True), n=3.5) == {"n": 1}


def test_a_large_one_needs_it_all_at_one_node() -> None:
    nodes = [node("n", "a"), node("m", "a", cpus=8)]
    assert room(nodes, size=Size(6)) == {"n": 0, "m": 1}
    assert room(nodes, size=Size(6), m=2.5) == {"n": 0, "m": 0}
    assert room(nodes, Taken("m", SIZE, known=False), size=Size(7.5)) == {"n": 0, "m": 1}


def test_they_begin_one_by_one_and_more_at_once_where_some_read() -> None:
    assert gently({"n": 6, "m": 6}, []) == {"n": 1, "m": 1}
    assert gently({"n": 6}, [task("n", sits=False)])["n"] == 0
    assert gently({"n": 6}, [task("n", sits=True)] * 2) == {"n": 2}
    assert gently({"n": 1}, [task("n", sits=True)] * 2) == {"n": 1}, "no more than there is room for"
