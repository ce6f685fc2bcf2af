"""Which splits of a task are read next."""

from __future__ import annotations

from collections.abc import Sequence

from disync.engine.order import Order
from disync.model.data import Table
from disync.model.run import Split


def part(name: str, stream: str = "", *parents: str) -> Split:
    return Split(name, Table(name), stream=stream, parents=parents)


def log(name: str, *parents: str) -> Split:
    return Split(name, Table(name), endless=True, parents=parents)


def names(splits: Sequence[Split]) -> list[str]:
    return [split.id for split in splits]


def test_parts_come_in_their_order_and_a_log_behind_them() -> None:
    order, ended, begun = (
        Order([part("a"), part("b"), part("c")], lambda: [log("log", "a", "b", "c")], set()),
        set(),
        {},
    )
    assert names([*order.ready(begun, ended, 2)]) == ["a", "b"]
    assert names([*order.ready(begun, ended, 0)]) == []
    for done in ("a", "b"):
        ended.add(done)
        order.ended(done)
    assert names([*order.ready(begun, ended, 2)]) == ["c"] and not order.over(ended)
    ended.add("c")
    order.ended("c")
    assert names([*order.ready(begun, ended, 2)]) == ["log"]
    assert names([*order.ready({"log"}, ended, 2)]) == [], "it is under way"
    ended.add("log")
    order.ended("log")
    assert names([*order.ready(begun, ended, 2)]) == [] and order.over(ended)


def test_what_is_done_does_not_come_again_and_what_follows_waits() -> None:
    order = Order([part("a"), part("b", "", "c"), part("c")], list, {"a"})
    assert names([*order.ready((), {"a"}, 5)]) == ["c"]
    order.ended("c")
    assert names([*order.ready((), {"a", "c"}, 5)]) == ["b"]


def test_a_stream_of_its_own_begins_when_its_tables_are_loaded() -> None:
    """While others are still loaded."""
    streams = [log("main"), log("side", "b"), log("other", "c")]
    order = Order([part("a"), part("b", "side"), part("c", "other")], lambda: streams, {"a"})
    assert names([*order.ready((), {"a"}, 5)]) == ["b", "c", "main"]
    order.ended("b")
    assert names([*order.ready({"main", "c"}, {"a", "b"}, 5)]) == ["side"]


def test_streams_are_asked_for_seldom() -> None:
    asked = 0

    def streams() -> list[Split]:
        nonlocal asked
        asked += 1
        return [log(f"log {asked}")] if asked < 3 else []

    parts = [part(str(number)) for number in range(1000)]
    order, ended = Order(parts, streams, set()), set()
    for one in parts:
        assert [*order.ready({"log 1"}, ended, 1)] == [one] or one.id == "0"
        ended.add(one.id)
        order.ended(one.id)
    assert asked == 1
    assert names([*order.ready((), ended, 1)]) == ["log 2"] and asked == 2
    order.ask()
    assert names([*order.ready((), ended, 1)]) == [] and order.over(ended)
