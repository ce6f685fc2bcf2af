"""Workers killed and frozen while records move: nothing is lost, order holds, and what comes twice is bounded."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import servers
from disync.connectors import find
from disync.connectors.datahub.client import Client as DataHub
from disync.connectors.datahub.config import Content
from disync.connectors.datahub.wire.schema import Field, Schema, dump
from disync.engine.pace import FLUSH_ROWS
from disync.gateway.client import Client
from disync.gateway.spec import Spec
from disync.model.connector import Site
from disync.model.data import Batch, Column, Position, Table, record_batch, rows_of
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind
from strike_proxy import proxy

SPEC = Spec.load()
TABLE = Table("numbers", (Column("key", Kind.STRING), Column("n", Kind.BIGINT)))
SCHEMA = Schema((Field("key", "string"), Field("n", "bigint")))
KEYS = 97
BATCH = 200
"""Records of a put."""


class World:
    """A server, two topics, and the task between them."""

    def __init__(self, service: servers.Service, name: str, target_endpoint: str = "", group: str = "") -> None:
        self.service, self.name = service, name
        self.api = Client(f"http://{service.address}", *service.key)
        self.content = {
            "endpoint": service.datahub,
            "project": "crash",
            "accessId": service.key[0],
            "accessKey": service.key[1],
            "tag": "public",
        }
        hub = DataHub(Content(service.datahub, "crash", *service.key))
        if not hub.connection.call("GET", "/projects").count(b"crash"):
            hub.connection.call("POST", "/projects/crash", b'{"Comment":""}')
        for topic, shards in ((f"{name}_source", 3), (f"{name}_target", 2)):
            body = {"ShardCount": shards, "Lifecycle": 1, "RecordType": "TUPLE", "Comment": ""}
            made = json.dumps(body | {"RecordSchema": dump(SCHEMA)}).encode()
            hub.connection.call("POST", f"/projects/crash/topics/{topic}", made)
        hub.close()
        target = self.content | ({"endpoint": target_endpoint} if target_endpoint else {})
        for side, content in (("source", self.content), ("target", target)):
            self.call(
                "CreateDataSource",
                Name=f"{name}_{side}",
                DataSourceType="datahub",
                EnvType="1",
                Content=json.dumps(content),
            )
        steps = [
            {
                "name": side,
                "stepType": "datahub",
                "parameter": {"datasource": f"{name}_{side}", "topic": f"{name}_{side}", "batchSize": BATCH},
            }
            for side in ("target", "source")
        ]
        code = json.dumps({"steps": steps, "order": {"hops": [{"from": "source", "to": "target"}]}})
        param = json.dumps({"ResourceGroup": group} if group else {})
        task = {"TaskType": "DI_REALTIME", "TaskName": name, "TaskContent": code, "TaskParam": param}
        created = self.call("CreateDISyncTask", **task)
        self.file_id = str(created["Data"]["FileId"])
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            assert self.task(action)["Data"]["Status"] == "success"

    def call(self, action: str, **parameters: str) -> dict[str, Any]:
        return self.api.call(SPEC.operations[action], {"ProjectId": "10000", **parameters})

    def move_to(self, service: servers.Service) -> None:
        """The same state behind another server, whose DataHub has another address."""
        self.service = service
        self.api = Client(f"http://{service.address}", *service.key)
        self.content["endpoint"] = service.datahub
        listed = self.call("ListDataSources", PageSize="100")["Data"]["DataSources"]
        for source in listed:
            operation = SPEC.operations["UpdateDataSource"]
            self.api.call(operation, {"DataSourceId": str(source["Id"]), "Content": json.dumps(self.content)})

    def task(self, action: str) -> dict[str, Any]:
        return self.call(action, TaskType="DI_REALTIME", FileId=self.file_id)

    def state(self) -> str:
        return str(self.task("GetDISyncInstanceInfo")["Data"]["Status"])

    def publish(self, first: int, last: int) -> None:
        parameter = {"datasource": "s", "topic": f"{self.name}_source", "keyColumns": ["key"]}
        writer = find("datahub").writer(Site(parameter, {"s": self.content}))
        sink = writer.open(Split("publish", TABLE))
        for start in range(first, last, 2000):
            rows = [(f"k{n % KEYS}", n) for n in range(start, min(start + 2000, last))]
            sink.write(Batch(TABLE, record_batch(TABLE, rows), None, Position(str(start))))
            assert sink.flush(Checkpoint("publish", Position(str(start)), 1)) == []
        writer.close()

    def arrived(self) -> dict[str, list[tuple[str, int]]]:
        """The target's records by shard."""
        reader = find("datahub").reader(Site({"datasource": "s", "topic": f"{self.name}_target"}, {"s": self.content}))
        found = {
            split.id: [r for e in reader.read(split, None) if isinstance(e, Batch) for r in rows_of(e.rows)]
            for split in reader.split(1)
        }
        reader.close()
        return found

    def workers(self) -> list[psutil.Process]:
        """Processes of the server that run tasks."""
        children = psutil.Process(self.service.process.pid).children()
        return [child for child in children if "disync.worker" in child.cmdline()]


def runs_begun(service: servers.Service, file_id: str) -> list[str]:
    """What the workers have logged of each."""
    return [line for line in service.log.splitlines() if "run begins" in line and f"task={file_id} " in line]


def holder(service: servers.Service, file_id: str) -> int:
    """The process that runs the task: another may run it afterwards."""
    return int(runs_begun(service, file_id)[-1].rpartition("worker=")[2].rpartition("-")[2])


def kill_the_holder(service: servers.Service, file_id: str) -> None:
    os.kill(holder(service, file_id), signal.SIGKILL)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    with servers.disync(tmp_path_factory.mktemp("home")) as running:
        yield running


def until(condition: Callable[[], bool], within: float = 60.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


def total(arrived: dict[str, list[tuple[str, int]]]) -> int:
    return len({n for rows in arrived.values() for _, n in rows})


def check(world: World, published: int, failures: int) -> None:
    """Everything is there; each key in one shard, in order but for whole stretches that come again."""
    arrived = world.arrived()
    assert total(arrived) == published
    homes: dict[str, set[str]] = {}
    for shard, rows in arrived.items():
        seen: dict[str, int] = {}
        for key, n in rows:
            homes.setdefault(key, set()).add(shard)
            # A number above the highest so far must be the key's very next: a gap would be a loss or a swap.
            assert n <= seen.get(key, n - KEYS) + KEYS, f"{key} jumps to {n} in shard {shard}"
            seen[key] = max(n, seen.get(key, n))
    assert all(len(shards) == 1 for shards in homes.values())
    twice = sum(map(len, arrived.values())) - published
    assert twice <= failures * 3 * FLUSH_ROWS


def test_workers_killed_again_and_again_while_records_move(service: servers.Service) -> None:
    world = World(service, "again")
    until(lambda: world.state() == "RUN")
    published, rounds = 60_000, 3
    producer = threading.Thread(target=world.publish, args=(0, published))
    producer.start()
    for round_ in range(1, rounds + 1):
        until(lambda bound=round_: total(world.arrived()) > bound * 5000)  # type: ignore[misc]
        begun = len(runs_begun(service, world.file_id))
        kill_the_holder(service, world.file_id)
        until(lambda before=begun: len(runs_begun(service, world.file_id)) > before)  # type: ignore[misc]
        until(lambda: world.state() == "RUN")
    producer.join()
    until(lambda: total(world.arrived()) == published)
    check(world, published, rounds)


def test_a_worker_killed_between_the_targets_acceptance_and_the_checkpoint(service: servers.Service) -> None:
    with proxy(service.datahub) as between:
        world = World(service, "between", f"http://{between.address}")
        until(lambda: world.state() == "RUN")
        for puts in (1, 3, 7):
            between.arm(puts, lambda: kill_the_holder(service, world.file_id))
            first = total(world.arrived())
            world.publish(first, first + 4000)
            assert between.struck.wait(30)
            until(lambda bound=first + 4000: total(world.arrived()) == bound)  # type: ignore[misc]
        check(world, 12_000, 3)
        twice = sum(map(len, world.arrived().values())) - 12_000
        assert twice > 0, "the put that was accepted must have come again: the test did not strike in time"


def test_a_worker_that_stood_still_puts_nothing_more_when_it_wakes(service: servers.Service) -> None:
    """It has records in its hands that the next one has put since, and newer ones behind them. A put that was about to
    leave at that moment does."""
    with proxy(service.datahub) as between:
        world = World(service, "asleep", f"http://{between.address}")
        until(lambda: world.state() == "RUN")
        asleep = holder(service, world.file_id)
        between.arm(4, lambda: os.kill(asleep, signal.SIGSTOP))
        world.publish(0, 4000)
        assert between.struck.wait(30)
        until(lambda: total(world.arrived()) == 4000)
        before = sum(map(len, world.arrived().values()))
        os.kill(asleep, signal.SIGCONT)
        until(lambda: f'run ends" task={world.file_id} epoch=1 ' in service.log)
        assert sum(map(len, world.arrived().values())) - before <= BATCH


def test_the_server_itself_killed_and_started_again(tmp_path: Path) -> None:
    with servers.disync(tmp_path) as first:
        world = World(first, "whole")
        world.publish(0, 5000)
        until(lambda: total(world.arrived()) == 5000)
        workers = world.workers()
        first.process.kill()
        first.process.wait()
        # Workers and the local DataHub notice that their server is gone.
        until(lambda: not any(worker.is_running() for worker in workers), 15)
    with servers.disync(tmp_path) as second:
        world.move_to(second)
        world.publish(5000, 8000)
        until(lambda: total(world.arrived()) == 8000)
        until(lambda: world.state() == "RUN")  # it is told a moment after the run has begun
        check(world, 8000, 1)
