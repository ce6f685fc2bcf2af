"""A position is set by a person, and the run that takes it up dies: rows behind it come once more, and once only.

The target appends (`writeMode` insert), so that every row that was written can be counted.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from eye import SourceEye, TargetEye
from host import Host, Part
from house import PROJECT, ROOT, House
from journal import Journal
from scenario import Blow

from disync.services.instances import State, state
from disync.services.tasks import Wanted
from disync.store import instances

SECONDS = 60.0
_NUMBER = count(1)
BLOWS = (
    *(Blow("die", point) for point in ("after prepare_load", "before last", "before flush", "after flush")),
    *(Blow("die", point) for point in ("before save", "after save", "before changes", "before write")),
    Blow("die", "after flush", 2),
    Blow("die", "before save", 2),
    *(Blow("freeze", point) for point in ("before flush", "after flush")),
    Blow("kill -9", "worker after commit"),
)


class Copy:
    """A task that appends the rows of one table, run by hosts one after the other."""

    def __init__(self, house: House) -> None:
        self.name = f"chosen_{next(_NUMBER)}"
        self.house = house
        self.here, self.there = SourceEye(house.source), TargetEye(house.target)
        self.here.run(f"CREATE DATABASE {self.name}")
        self.here.run(f"CREATE TABLE {self.name}.t (id INT PRIMARY KEY)")
        self.journal = Journal()
        first = house.start_task(self.name, 100, 100)
        house.end_task(first)
        reader = {"datasource": f"{self.name}_source", "batchSize": 100}
        writer = {"datasource": f"{self.name}_target", "datasourceSchema": self.name, "writeMode": "insert"}
        steps = [
            {"stepType": "mysql", "name": "r", "category": "reader", "parameter": reader},
            {"stepType": "postgresql", "name": "w", "category": "writer", "parameter": writer},
        ]
        code = json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})
        self.id = house.services.tasks.create(ROOT, PROJECT, Wanted("DI_REALTIME", code, self.name)).file_id
        house.services.tasks.deploy(ROOT, PROJECT, self.id)

    def begin(self) -> Host:
        """Without a load: a row that is put in meanwhile comes with it and as a change, and is appended twice."""
        host = self.start(param='{"startTime": "latest"}')
        self.until(host, lambda: bool(self.house.services.positions.of_task(ROOT, PROJECT, self.id)), "it has begun")
        return host

    def start(self, blow: Blow | None = None, param: str | None = None) -> Host:
        self.house.services.instances.start(ROOT, PROJECT, self.id, param)
        host = Host(self.house, self.id, Part(), self.journal, lambda _: None)
        struck = host.deal(blow, threading.Lock()) if blow else None
        host.begin()
        if struck is not None and blow is not None:
            self.until(host, struck.is_set, f"{blow} strikes")
            self.until(host, lambda: host.works, "another run is at work")
            if blow.what == "freeze":
                host.thaw()
        return host

    def stop(self, host: Host) -> None:
        self.house.services.instances.stop(ROOT, PROJECT, self.id)
        host.end()
        with self.house.services.store.read() as db:
            assert state(instances.get(db, self.id)) is State.PAUSE, self.journal.show()

    def insert(self, first: int, last: int) -> None:
        for number in range(first, last):
            self.here.run(f"INSERT INTO {self.name}.t VALUES ({number})")

    def written(self) -> dict[int, int]:
        rows = self.there.run(f"SELECT id, count(*) FROM {self.name}.t GROUP BY id")
        return {number: times for number, times in rows}

    def place(self) -> str:
        file, at = self.here.run("SHOW MASTER STATUS")[0][:2]
        return f"{file}:{at}"

    def until(self, host: Host, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not true():
            assert host.failure is None and time.monotonic() < deadline, f"{what}\n{self.journal.show()}"
            time.sleep(0.01)

    def comes(self, host: Host, number: int) -> None:
        self.until(host, lambda: number in self.written(), f"row {number} has come")


@pytest.fixture
def copy(shared: House) -> Iterator[Copy]:
    made = Copy(shared)
    yield made
    shared.before_target.arm(None)
    made.here.run(f"DROP DATABASE {made.name}")
    made.there.run(f"DROP SCHEMA IF EXISTS {made.name} CASCADE")
    made.here.close()
    made.there.close()


@pytest.mark.parametrize("blow", BLOWS, ids=str)
def test_rows_behind_it_come_once_more(copy: Copy, blow: Blow) -> None:
    host = copy.begin()
    copy.insert(1, 4)
    copy.comes(host, 3)
    middle = copy.place()
    copy.insert(4, 7)
    copy.comes(host, 6)
    copy.stop(host)
    before = copy.written()
    assert set(before.values()) == {1}
    copy.house.services.positions.choose(ROOT, PROJECT, copy.id, "binlog", middle)
    host = copy.start(blow)
    copy.insert(7, 8)
    copy.comes(host, 7)
    copy.stop(host)
    once_more = {number: 1 + (3 < number < 7) for number in range(1, 8)}
    assert copy.written() == once_more, copy.journal.show()
    host = copy.start()
    copy.insert(8, 9)
    copy.comes(host, 8)
    copy.stop(host)
    assert copy.written() == {**once_more, 8: 1}, copy.journal.show()
