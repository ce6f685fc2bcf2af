"""A whole task from topic to topic, under the engine's loop: shards split and the task stops while records come."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from test_datahub_copy import PAIR, values

from disync.engine.ledger import Notebook
from disync.engine.plan import plan
from disync.engine.task import Run
from disync.model.run import Start, Task

if TYPE_CHECKING:
    from conftest import Service, Topic


class Held:
    valid = True


class Running:
    def __init__(self, source: Topic, target: Topic, ledger: Notebook, epoch: int = 1, at: str = "earliest") -> None:
        steps = [
            {"name": name, "stepType": "datahub", "parameter": {"datasource": "here", "topic": topic.name}}
            for name, topic in (("writer", target), ("reader", source))
        ]
        code = json.dumps({"steps": steps, "order": {"hops": [{"from": "reader", "to": "writer"}]}})
        task = Task(1, "copy", epoch, code, {"here": source.service.content()}, Start(at))
        self.run = Run(plan(task), task, ledger, Held())
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._go)
        self.thread.start()

    def _go(self) -> None:
        try:
            with self.run:
                self.run.go()
        except BaseException as error:
            self.error = error

    def stop(self) -> None:
        self.run.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        if self.error is not None:
            raise self.error


def until(condition: Callable[[], bool], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def ids(topic: Topic) -> list[int]:
    return [row[0] for shard in topic.shards() for row in topic.rows(shard)]


def test_a_task_follows_splits_on_both_sides_and_resumes_where_it_was(service: Service) -> None:
    source, target, ledger = service.topic(PAIR, 1), service.topic(PAIR, 2), Notebook()
    source.put(0, values(0, 100))
    running = Running(source, target, ledger)
    until(lambda: len(ids(target)) == 100)
    low, high = source.split(0)
    source.put(low, values(100, 50))
    source.put(high, values(1000, 50))
    until(lambda: len(ids(target)) == 200)
    target.split(0)
    source.put(low, values(150, 50))
    until(lambda: len(ids(target)) == 250)
    running.stop()
    source.put(low, values(200, 50))
    source.put(high, values(1050, 50))
    running = Running(source, target, ledger, epoch=2)
    until(lambda: len(ids(target)) >= 350)
    running.stop()
    found = ids(target)
    assert [number for number in found if number < 1000] == list(range(250))
    assert [number for number in found if number >= 1000] == list(range(1000, 1100))
    assert ledger.tally.rows_written == 350 and ledger.dirty == []


def test_a_task_that_starts_at_the_latest_record_leaves_what_was_there(service: Service) -> None:
    source, target, ledger = service.topic(PAIR, 2), service.topic(PAIR, 2), Notebook()
    source.put(0, values(0, 10))
    running = Running(source, target, ledger, at="latest")
    until(lambda: len(ledger.checkpoints()) == 2)
    source.put(0, values(10, 5))
    source.put(1, values(20, 5))
    until(lambda: len(ids(target)) >= 10)
    running.stop()
    assert sorted(ids(target)) == [*range(10, 15), *range(20, 25)]
