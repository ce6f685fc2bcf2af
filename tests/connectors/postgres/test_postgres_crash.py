"""Whole runs from memory into PostgreSQL whose sessions are killed again and again: the tables are equal (C20, C21)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from place import PEOPLE, Place, flush, load
from psycopg import Connection

from disync.connectors import memory
from disync.connectors.postgres import checkpoint
from disync.connectors.postgres.lane import Lane
from disync.engine import pace
from disync.engine.ledger import Notebook
from disync.engine.plan import plan
from disync.engine.task import Run
from disync.model.errors import Unreachable
from disync.model.run import Task
from waiting import until

CRASHES = 15
"""How often a run is killed; after that it may come to its end."""


class Held:
    valid = True


def _job(**parameters: object) -> str:
    steps = [
        {"name": "r", "stepType": "memory", "parameter": {"place": "crash", "table": "people", "follow": True}},
        {"name": "w", "stepType": "postgresql", "parameter": {"datasource": "here", **parameters}},
    ]
    return json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[memory.Memory]:
    monkeypatch.setattr(pace, "KEPT_ROWS", 100)  # many commits, many places to die
    yield memory.place("crash")
    memory.forget("crash")


def _fill(source: memory.Memory, chance: random.Random, count: int) -> dict[int, str]:
    """Random changes of a keyed table in one stream that ends; returns what is left at last."""
    table: dict[int, str] = {}
    for number in range(count):
        key, old = chance.randrange(200), table
        name = f"{number} 高德"
        if key not in old:
            source.append("people", "s", [(key, name)], "I")
            table[key] = name
        elif chance.random() < 0.3:
            source.append("people", "s", [(key, table.pop(key))], "D")
        else:
            source.append("people", "s", [(key, table.pop(key))], "B")
            target = key if chance.random() < 0.7 else 1000 + number
            source.append("people", "s", [(target, name)], "U")
            table[target] = name
    (stream,) = source.streams["people"]
    stream.sealed = True
    return table


class Crashes:
    """Kills the session of a sink at chosen points: before and after the claim, the rows and the commit.

    A session that is killed after its commit is one whose answer was lost: the rows are there, and nobody knows.
    """

    def __init__(self, place: Place, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self._place = place
        self._chance = chance
        self.at: list[str] = []
        for name, owner, method in (
            ("claim", checkpoint, "claim"),
            ("rows", Lane, "apply"),
            ("commit", Connection, "commit"),
        ):
            monkeypatch.setattr(owner, method, self._wrapped(name, getattr(owner, method)))

    def _wrapped(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            first = arguments[0]
            connection = first._connection if isinstance(first, Lane) else first
            self._perhaps(f"before {name}", connection)
            result = method(*arguments, **named)
            self._perhaps(f"after {name}", connection)
            return result

        return call

    def _perhaps(self, point: str, connection: psycopg.Connection[Any]) -> None:
        if len(self.at) < CRASHES and self._chance.random() < 0.06:
            self.at.append(point)
            self._place.run(f"SELECT pg_terminate_backend({connection.info.backend_pid}, 5000)")
            if point == "after commit":
                connection.execute("SELECT 1")  # the driver notices at once, as it would in a lost answer


def _run_until_done(place: Place, code: str) -> None:
    """Run again after every crash, each time as a new run of the task with what the ledger knows."""
    ledger = Notebook()
    for epoch in range(1, CRASHES + 2):
        task = Task(1, "crash", epoch, code, {"here": place.content})
        with suppress(Unreachable), Run(plan(task), task, ledger, Held()) as run:
            run.go()
            return
    raise AssertionError("it failed more often than it was killed")


@pytest.mark.parametrize("seed", range(3))
def test_c20_killed_at_any_point_the_tables_are_equal(
    place: Place, source: memory.Memory, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    source.create(PEOPLE)
    wanted = _fill(source, chance, 2000)
    crashes = Crashes(place, chance, monkeypatch)
    _run_until_done(place, _job(batchSize=150))
    assert len(crashes.at) > 3
    assert place.rows() == sorted(wanted.items())


@pytest.mark.parametrize("seed", range(3))
def test_c20_every_change_is_appended_once(
    place: Place, source: memory.Memory, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    source.create(PEOPLE)
    _fill(source, chance, 2000)
    (stream,) = source.streams["people"]
    crashes = Crashes(place, chance, monkeypatch)
    _run_until_done(place, _job(writeMode="insert"))
    assert len(crashes.at) > 3
    found = place.run("SELECT id, name FROM people ORDER BY _sequence_id_, _before_image_ DESC")
    assert found == [row for _, row in stream.rows]


def test_a_server_that_ends_idle_sessions_does_not_end_ours(place: Place) -> None:
    """A session that began after ours, and is as idle, is ended."""
    (database,) = place.run("SELECT current_database()")[0]
    place.run(f'ALTER DATABASE "{database}" SET idle_session_timeout = 200')
    try:
        sink = place.sink(PEOPLE)
        with psycopg.connect(place.url, autocommit=True) as other:
            alive = f"SELECT 1 FROM pg_stat_activity WHERE pid = {other.info.backend_pid}"
            until(lambda: not place.run(alive))
        sink.write(load([(1, "one")]))
        assert flush(sink) == []
    finally:
        place.run(f'ALTER DATABASE "{database}" RESET idle_session_timeout')
    assert place.rows() == [(1, "one")]
