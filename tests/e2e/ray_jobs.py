"""The three tasks that are at work on a Ray cluster while something of it is killed: MySQL to PostgreSQL, the seed's
solution, and DataHub to DataHub. What they read changes all the while; what has come of it is compared at the end."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psycopg
import shop
import test_crash
from psycopg.conninfo import conninfo_to_dict

import mysqld
import servers
from disync.connectors import find
from disync.model.connector import Reader, Site
from disync.model.data import Batch, Position, record_batch, rows_of
from disync.model.run import Checkpoint, Split
from waiting import until

SEED = (Path(__file__).parents[1] / "golden" / "seed-process-content.json").read_text().rstrip("\n")
SEEDS_GROUP = "group_219193793999490"
ROUND_SECONDS = 0.05
"""Between two rounds of changes: of a transaction in each database, and of some records."""
ROUND_RECORDS = 3
PROBES = 10_000_000
"""Above all other numbers of rows."""


def client(service: servers.Service) -> Callable[..., dict[str, Any]]:
    api = test_crash.Client(f"http://{service.address}", *service.key)
    return lambda action, **parameters: api.call(test_crash.SPEC.operations[action], parameters)


def seed_changes() -> Iterator[list[str]]:
    """Small transactions without end, of both tables of the seed's solution."""
    for number in itertools.count():
        some = [number * step % Seeds.ROWS for step in (7, 11, 13)]
        statements = [
            f"UPDATE seeds.t0 SET name='change {number}' WHERE id={some[0]}",
            f"REPLACE INTO seeds.t1 VALUES ({some[1]},'change {number}')",
            f"DELETE FROM seeds.t1 WHERE id={some[2]}",
        ]
        yield ["BEGIN", *statements, "COMMIT"]


class Seeds:
    """The solution of GetDISyncTask's own sample, over two tables that change."""

    TABLES = ("t0", "t1")
    ROWS = 800

    def __init__(self, service: servers.Service, source: mysqld.Server, target: str) -> None:
        self.service, self.source, self.target = service, source, target
        source.run("CREATE DATABASE IF NOT EXISTS seeds")
        for table in self.TABLES:
            values = ",".join(f"({number},'name {number}')" for number in range(self.ROWS))
            source.run(f"CREATE TABLE seeds.{table} (id INT PRIMARY KEY, name VARCHAR(80))")
            source.run(f"INSERT INTO seeds.{table} VALUES {values}")
        project = str(client(service)("CreateProject", ProjectIdentifier="seeds", ProjectName="s")["Data"])
        at = conninfo_to_dict(target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        holo = {"jdbcUrl": url, "username": at["user"], "password": "", "tag": "public"}
        for name, kind, content in (("mm", "mysql", source.content("seeds")), ("holo", "holo", holo)):
            known = {"Name": name, "DataSourceType": kind, "Content": json.dumps(content), "EnvType": "1"}
            client(service)("CreateDataSource", ProjectId=project, Description="made by a test", **known)
        self.solution = {"ProjectId": project, "TaskType": "DI_SOLUTION"}
        created = client(service)("CreateDISyncTask", TaskContent=SEED, **self.solution)["Data"]
        self.warnings = created.get("Warnings", [])
        self.solution["FileId"] = str(created["FileId"])
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            assert self.call(action)["Data"]["Status"] == "success"

    def call(self, action: str) -> dict[str, Any]:
        return client(self.service)(action, **self.solution)

    def digit(self) -> str:
        return str(self.call("GetDISyncTask")["Data"]["SolutionDetail"]["Status"])

    def message(self) -> str:
        return f"{self.call('GetDISyncInstanceInfo')['Data'].get('Message')}\n{self.service.log[-2000:]}"

    def has(self, number: int) -> bool:
        with psycopg.connect(self.target) as connection:
            return connection.execute("SELECT id FROM t0 WHERE id = %s", (number,)).fetchone() is not None

    def same(self) -> bool:
        query = "SELECT id, name FROM {} ORDER BY id"
        with psycopg.connect(self.target) as connection:
            there = [connection.execute(query.format(table).encode()).fetchall() for table in self.TABLES]
        return there == [[tuple(r) for r in self.source.run(query.format(f"seeds.{t}"))] for t in self.TABLES]


class Numbers:
    """The task DataHub to DataHub. `hub`: the URL of a DataHub that is no part of the server. `store`: where the
    checkpoints are."""

    def __init__(self, service: servers.Service, hub: str, store: str, group: str) -> None:
        self.world = test_crash.World(replace(service, datahub=hub), "numbers", group=group)
        self._store = store
        self._topics = {side: Topic(self.world.content, f"numbers_{side}") for side in ("source", "target")}

    def arrived(self) -> Counter[int]:
        """How often each number is in the target."""
        return Counter(n for rows in self._topics["target"].rows().values() for _, n in rows)

    def settled(self) -> Counter[int]:
        """Of the numbers that the store's checkpoints say are in the target, how often each is there. None of them may
        come again, whatever dies from now on: a run begins where the checkpoint is."""
        query = "SELECT split, position FROM checkpoint WHERE file_id = %s"
        with psycopg.connect(self._store) as connection:
            marks = dict(connection.execute(query, (int(self.world.file_id),)).fetchall())
        sent = self._topics["source"].rows()
        read = {n for split, mark in marks.items() for _, n in sent[split][: int(mark.partition(":")[0])]}
        arrived = self.arrived()
        assert read <= arrived.keys(), f"checkpoints are ahead of the target by {read - arrived.keys()}"
        return Counter({n: arrived[n] for n in read})

    def require(self, published: int, strikes: int) -> None:
        """Each number that was sent is there, and no other; a key's are in their order, but for whole stretches that
        come again."""
        assert self.arrived().keys() == set(range(published))
        test_crash.check(self.world, published, strikes)


class Topic:
    """What is in a topic, read on from where it was read before."""

    def __init__(self, content: dict[str, str], name: str) -> None:
        self._site = Site({"datasource": "s", "topic": name}, {"s": content})
        self._rows: dict[str, list[tuple[str, int]]] = {}
        self._ends: dict[str, Position] = {}

    def rows(self) -> dict[str, list[tuple[str, int]]]:
        """By shard."""
        reader = find("datahub").reader(self._site)
        try:
            for split in reader.split(1):
                self._read(reader, split)
        finally:
            reader.close()
        return self._rows

    def _read(self, reader: Reader, split: Split) -> None:
        rows = self._rows.setdefault(split.id, [])
        for event in reader.read(split, self._ends.get(split.id)):
            if isinstance(event, Batch):
                rows += rows_of(event.rows)
                self._ends[split.id] = event.position


class Writer:
    """A process that changes what all three tasks read, as long as it is told to. In the test's own, it would stand
    still while that compares rows."""

    def __init__(self, source: mysqld.Server, numbers: Numbers, published: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        given = (theirs, replace(source, process=None), numbers.world.content, published)
        self._process = context.Process(target=_write, args=given, daemon=True)
        self._process.start()
        theirs.close()

    def tell(self, on: bool) -> int:
        """Returns how many records are published: when it has changed all once more, if it is to go on."""
        self._pipe.send(on)
        assert self._pipe.poll(60), "it does not answer"
        return int(self._pipe.recv())

    def end(self) -> None:
        self._pipe.close()
        self._process.join(10)


def _write(pipe: Connection, source: mysqld.Server, content: dict[str, str], published: int) -> None:
    orders, seeds = shop.changes(10), seed_changes()
    parameter = {"datasource": "s", "topic": "numbers_source", "keyColumns": ["key"]}
    writer = find("datahub").writer(Site(parameter, {"s": content}))
    sink = writer.open(Split("publish", test_crash.TABLE))
    on = False
    while True:
        asked = pipe.poll(ROUND_SECONDS if on else None)
        if asked:
            try:
                on = pipe.recv()
            except EOFError:
                return
        if on:
            source.run(next(orders))
            source.run(next(seeds))
            numbers = range(published, published + ROUND_RECORDS)
            rows = record_batch(test_crash.TABLE, [(f"k{n % test_crash.KEYS}", n) for n in numbers])
            sink.write(Batch(test_crash.TABLE, rows, None, Position(str(published))))
            assert sink.flush(Checkpoint("publish", Position(str(published)), 1)) == []
            published = numbers.stop
        if asked:
            pipe.send(published)


class Jobs:
    """All three, and their writer. `published`: so many records were before. `told`: what may explain why something
    did not come to pass."""

    def __init__(
        self, orders: shop.World, seeds: Seeds, numbers: Numbers, told: Callable[[], str], published: int = 0
    ) -> None:
        self.orders, self.seeds, self.numbers, self.told = orders, seeds, numbers, told
        self._writer = Writer(orders.source, numbers, published)
        self._published = published
        self._strikes = 0
        self._probes = itertools.count(PROBES)
        self._began = 0.0

    def served_by(self, service: servers.Service) -> None:
        """By another server than before, over the same store."""
        for each in (self.orders, self.numbers.world):
            each.service, each.api = service, test_crash.Client(f"http://{service.address}", *service.key)
        self.seeds.service = service

    @contextmanager
    def recovering(self, what: str) -> Iterator[None]:
        """Everything changes from just before it until later changes have come through; then both sides are equal,
        and no record has come again that was in the target by a checkpoint before it."""
        settled = self.begin(what)
        try:
            yield
            self.come_through()
        finally:
            self._published = self._writer.tell(False)
        self.all_equal()
        arrived = self.numbers.arrived()
        again = {n for n, times in settled.items() if arrived[n] != times}
        assert not again, f"they came again, and were settled before: {sorted(again)[:20]}"
        print(f"{what}: {arrived.total() - self._published} records in all have come again by now")

    def begin(self, what: str) -> Counter[int]:
        self._strikes += 1
        self._writer.tell(True)
        settled = self.numbers.settled()
        self._what, self._began = what, time.monotonic()
        return settled

    @property
    def seconds(self) -> float:
        """Since the strike."""
        return time.monotonic() - self._began

    def come_through(self, *names: str) -> None:
        """What changes now arrives in the targets of these tasks, or of all."""
        number = next(self._probes)
        source = self.orders.source
        source.run(f"INSERT INTO shop.orders VALUES ({number},'a later one',1,NULL)")
        source.run(f"INSERT INTO seeds.t0 VALUES ({number},'a later one')")
        record = self._writer.tell(True) - 1
        there = {
            "orders": lambda: self.orders.select(f"SELECT id FROM orders WHERE id={number}") != [],
            "seeds": lambda: self.seeds.has(number),
            "numbers": lambda: record in self.numbers.arrived(),
        }
        waiting = set(names or there)

        def all_there() -> bool:
            for name in [name for name in waiting if there[name]()]:
                waiting.remove(name)
                print(f"\n{self._what}: a change of {name} comes through {self.seconds:.1f} s after it")
            return not waiting

        until(all_there, lambda: f"{waiting} are late: {self.told()}", seconds=120)

    def all_equal(self) -> None:
        until(lambda: self.orders.rows() == self.orders.truth(), self.told, seconds=60)
        until(self.seeds.same, self.told, seconds=60)
        until(lambda: len(self.numbers.arrived()) == self._published, self.told, seconds=60)
        self.numbers.require(self._published, self._strikes)

    def remove(self) -> None:
        self._writer.end()
        for action in ("StopDISyncInstance", "DeleteDISyncTask"):
            until(lambda action=action: self.seeds.call(action)["Data"]["Status"] == "success")  # type: ignore[misc]
        self.orders.end(self.numbers.world.file_id)
        self.orders.remove()
