"""Tasks on a Ray cluster of a head and two nodes: what they wait for, and that no row is lost, or comes twice into a
target with transactions, whatever is killed. How long it takes to go on is printed (`pytest -s`)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import shop
import test_crash
from psycopg.conninfo import conninfo_to_dict
from test_crash import check, total

import mysqld
import servers
from ray_cluster import TOKEN, Cluster, cluster
from waiting import until

SEED = (Path(__file__).parents[1] / "golden" / "seed-process-content.json").read_text().rstrip("\n")
SEEDS_GROUP = "group_219193793999490"
PASSWORD = "st0re-s3cret"


class Seeds:
    """The solution of GetDISyncTask's own sample, over two tables that change."""

    TABLES = ("t0", "t1")

    def __init__(self, stage: Stage, source: mysqld.Server, target: str) -> None:
        self.stage, self.source, self.target = stage, source, target
        source.run("CREATE DATABASE IF NOT EXISTS seeds")
        for table in self.TABLES:
            values = ",".join(f"({number},'name {number}')" for number in range(800))
            source.run(f"CREATE TABLE seeds.{table} (id INT PRIMARY KEY, name VARCHAR(80))")
            source.run(f"INSERT INTO seeds.{table} VALUES {values}")
        client = servers_client(stage)
        project = str(client("CreateProject", ProjectIdentifier="seeds", ProjectName="s")["Data"])
        at = conninfo_to_dict(target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        holo = {"jdbcUrl": url, "username": at["user"], "password": "", "tag": "public"}
        for name, kind, content in (("mm", "mysql", source.content("seeds")), ("holo", "holo", holo)):
            known = {"Name": name, "DataSourceType": kind, "Content": json.dumps(content), "EnvType": "1"}
            client("CreateDataSource", ProjectId=project, Description="made by a test", **known)
        self.solution = {"ProjectId": project, "TaskType": "DI_SOLUTION"}
        created = client("CreateDISyncTask", TaskContent=SEED, **self.solution)["Data"]
        self.warnings = created["Warnings"]
        self.solution["FileId"] = str(created["FileId"])
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            assert self.call(action)["Data"]["Status"] == "success"

    def call(self, action: str) -> dict[str, Any]:
        return servers_client(self.stage)(action, **self.solution)

    def digit(self) -> str:
        return str(self.call("GetDISyncTask")["Data"]["SolutionDetail"]["Status"])

    def message(self) -> str:
        return f"{self.call('GetDISyncInstanceInfo')['Data'].get('Message')}\n{self.stage.told()}"

    def change(self, word: str) -> None:
        self.source.run(
            [
                f"UPDATE seeds.t0 SET name=CONCAT('{word} ',id) WHERE id % 7 = 0",
                f"REPLACE INTO seeds.t1 SELECT id + 1, '{word}' FROM seeds.t0 WHERE id % 11 = 0",
                f"DELETE FROM seeds.t1 WHERE id % 13 = {len(word) % 13}",
            ]
        )

    def same(self) -> bool:
        query = "SELECT id, name FROM {} ORDER BY id"
        with psycopg.connect(self.target) as connection:
            there = [connection.execute(query.format(table).encode()).fetchall() for table in self.TABLES]
        return there == [[tuple(r) for r in self.source.run(query.format(f"seeds.{t}"))] for t in self.TABLES]


class Stage:
    """A store and a cluster of their own, and the server between them. While something is killed, three tasks are at
    work: MySQL to PostgreSQL, the seed's solution, and, as long as the server that has the DataHub is there, DataHub
    to DataHub."""

    def __init__(self, home: Path, store: servers.PostgreSQL, ray: Cluster, stack: ExitStack) -> None:
        self.home, self.store, self.ray, self.stack = home, store, ray, stack
        self.environment = {"DISYNC_STORE_URL": store.url.replace("postgres@", f"postgres:{PASSWORD}@"), **ray.client}
        self.service: servers.Service
        self.world: shop.World
        self.seeds: Seeds
        self.numbers: test_crash.World | None = None
        self.published = 0
        self.strikes = 0

    def serve(self, datahub: bool = False) -> None:
        where = ("--runner", "ray", "--ray-address", self.ray.address, "--workers", "1")
        self.service = self.stack.enter_context(servers.disync(self.home, *where, datahub=datahub, **self.environment))

    def node(self, name: str) -> None:
        self.ray.node(name, *(("a", "group_default") if name == "one" else ("a", SEEDS_GROUP)))

    def gather(self) -> None:
        """The head and both nodes, as far as the tests before have not started them."""
        if "head" not in self.ray.nodes:
            self.ray.head(RAY_gcs_storage="rocksdb", RAY_gcs_storage_path=str(self.ray.folder / "gcs"))
        for name in ("one", "two"):
            if name not in self.ray.nodes:
                self.node(name)

    def groups(self) -> dict[str, tuple[int, int]]:
        """What ListResourceGroups tells: (status, nodes) of each."""
        found = servers_client(self)("ListResourceGroups")["Data"]
        return {one["Identifier"]: (one["Status"], one.get("Specs", {}).get("Nodes", 0)) for one in found}

    def holder(self, file_id: str) -> psutil.Process | None:
        """The process of the worker that has the task."""
        with psycopg.connect(self.store.url) as connection:
            row = connection.execute("SELECT worker FROM instance WHERE file_id = %s", (int(file_id),)).fetchone()
        pid = int(row[0].split("-")[-2]) if row is not None and row[0] is not None else 0
        return self.ray.actors().get(pid)

    def moved(self, file_id: str, before: psutil.Process) -> bool:
        now = self.holder(file_id)
        return now is not None and now.pid != before.pid

    @contextmanager
    def recovering(self, what: str) -> Iterator[None]:
        """Rows change all the while; at the end both sides are equal, and one more change has come through."""
        self.strikes += 1
        source, number = self.world.source, 10_000_000 + self.strikes
        writer = threading.Thread(target=self._change)
        writer.start()
        began = time.monotonic()
        yield
        source.run(f"INSERT INTO shop.orders VALUES ({number},'the last one',1,NULL)")
        until(lambda: self.world.select(f"SELECT id FROM orders WHERE id={number}") != [], self.told, seconds=90)
        seconds = time.monotonic() - began
        writer.join()
        until(lambda: self.world.rows() == self.world.truth(), self.told)
        print(f"\n{what}: a change comes through {seconds:.1f} s after it")

    def publish(self, records: int) -> None:
        if self.numbers is not None:
            self.numbers.publish(self.published, self.published + records)
            self.published += records

    def _change(self) -> None:
        for part in range(3):
            self.publish(300)
            self.seeds.change(f"strike {self.strikes}.{part}")
            shop.change(self.world.source, 10 + 3 * self.strikes + part, 50)

    def all_equal(self) -> None:
        """What the other tasks have brought."""
        until(self.seeds.same, self.seeds.message, seconds=60)
        if self.numbers is not None:
            arrived = self.numbers.arrived
            until(lambda: total(arrived()) == self.published, self.told, seconds=60)
            check(self.numbers, self.published, self.strikes)

    def told(self) -> str:
        """What may explain why something did not come to pass."""
        return f"{self.service.log[-2000:]}\n{self.ray.log()[-2000:]}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("home")
    with ExitStack() as stack:
        store = stack.enter_context(servers.postgres_server())
        environment = {"DISYNC_STORE_URL": store.url.replace("postgres@", f"postgres:{PASSWORD}@")}
        ray = stack.enter_context(cluster(DISYNC_KEY_FILE=str(home / "key"), **environment))
        made = Stage(home, store, ray, stack)
        made.serve(datahub=True)
        yield made


@pytest.fixture(scope="module")
def target(postgres_url: str) -> Iterator[str]:
    with servers.database(postgres_url, "ray_target") as url:
        yield url


@pytest.fixture(scope="module")
def seeds_target(postgres_url: str) -> Iterator[str]:
    with servers.database(postgres_url, "ray_seeds_target") as url:
        yield url


def refusal(home: Path, *options: str, **environment: str) -> str:
    command = [sys.executable, "-m", "disync", "serve", "--port", "0", "--home", str(home), "--runner", "ray", *options]
    env = servers.child_environment(**environment)
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    return ended.stderr


def test_what_cannot_be_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    nowhere = {"DISYNC_STORE_URL": "postgresql://postgres@127.0.0.1:1/x"}
    address = ("--ray-address", f"127.0.0.1:{servers.free_port()}")
    assert "set DISYNC_STORE_URL=postgresql" in refusal(tmp_path, *address)
    assert "--ray-address is HOST:PORT" in refusal(tmp_path, **nowhere)
    assert "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" in refusal(tmp_path, *address, **nowhere)


def test_a_cluster_that_takes_anybody_is_refused(tmp_path: Path) -> None:
    with cluster(RAY_AUTH_MODE="disabled") as open_:
        open_.head()
        given = {
            "DISYNC_STORE_URL": "postgresql://postgres@127.0.0.1:1/x",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
        }
        assert "takes anybody who reaches it" in refusal(tmp_path, "--ray-address", open_.address, **given)


def test_a_task_waits_for_the_cluster_then_for_its_group_and_runs(stage: Stage) -> None:
    world = test_crash.World(stage.service, "numbers", group="a")

    def waits(text: str) -> None:
        until(lambda: text in str(world.task("GetDISyncInstanceInfo")["Data"]["Message"]), lambda: stage.service.log)
        assert world.state() == "WAIT"

    waits("Waiting for the cluster. The Ray cluster at 127.0.0.1")
    stage.ray.head(RAY_gcs_storage="rocksdb", RAY_gcs_storage_path=str(stage.ray.folder / "gcs"))
    waits("Waiting for a node of the resource group a: no node of the cluster offers rg_a")
    stage.numbers = world
    stage.publish(3000)
    stage.node("one")
    until(lambda: world.state() == "RUN", lambda: stage.service.log, seconds=60)
    until(lambda: total(world.arrived()) == 3000)
    check(world, 3000, 0)


def test_the_seeds_solution_waits_for_its_group_loads_and_follows(
    stage: Stage, source: mysqld.Server, seeds_target: str
) -> None:
    seeds = stage.seeds = Seeds(stage, source, seeds_target)
    text = f"No node of the cluster offers rg_{SEEDS_GROUP}: the task waits until one does."
    assert any(text in warning for warning in seeds.warnings), seeds.warnings
    until(lambda: f"no node of the cluster offers rg_{SEEDS_GROUP}" in seeds.message(), seeds.message)
    assert seeds.digit() == "8"
    stage.node("two")
    until(lambda: seeds.digit() == "0", seeds.message, seconds=90)
    seeds.change("at rest")
    until(seeds.same, seeds.message)


def servers_client(stage: Stage) -> Callable[..., dict[str, Any]]:
    api = test_crash.Client(f"http://{stage.service.address}", *stage.service.key)
    return lambda action, **parameters: api.call(test_crash.SPEC.operations[action], parameters)


def test_groups_are_listed_as_the_cluster_has_them(stage: Stage, source: mysqld.Server, target: str) -> None:
    stage.gather()
    shop.stock(source)
    stage.world = shop.World(stage.service, source, target, "a")
    until(
        lambda: stage.groups() == {"group_default": (0, 1), "a": (0, 2), SEEDS_GROUP: (0, 1)},
        lambda: str(stage.groups()),
    )
    until(lambda: stage.world.rows() == stage.world.truth(), stage.told)


def test_a_task_that_asks_for_more_than_a_worker_has_gets_one_of_its_own(stage: Stage) -> None:
    world, workers = stage.world, set(stage.ray.actors())

    def begin_anew(group: str, cu: float) -> None:
        world.task("StopDISyncInstance")
        until(lambda: world.state() == "PAUSE", stage.told)
        param = json.dumps({"ResourceGroup": group, "Cu": cu})
        world.call("UpdateDISyncTask", TaskType="DI_REALTIME", FileId=world.file_id, TaskParam=param)
        for action in ("DeployDISyncTask", "StartDISyncInstance"):
            assert world.task(action)["Data"]["Status"] == "success"

    begin_anew("group_default", 5)
    text = "for TaskParam.Cu it takes 5 CPU and 20 GiB of one of the nodes that offer rg_group_default (1)"
    until(lambda: text in str(world.info()["Message"]), stage.told)
    assert world.state() == "WAIT" and set(stage.ray.actors()) == workers
    begin_anew("group_default", 3)  # all that its node has besides the workers of two groups
    own = held(stage)
    assert set(stage.ray.actors()) - workers == {own.pid}
    with stage.recovering("a large task's own worker killed"):
        own.kill()
        until(lambda: stage.moved(world.file_id, own), stage.told)
    own = held(stage)
    [keeper] = [one for one in psutil.Process(stage.service.process.pid).children() if "keep-on-ray" in one.cmdline()]
    joined = stage.service.log.count("joined the cluster")
    keeper.kill()
    until(lambda: stage.service.log.count("joined the cluster") > joined, stage.told, seconds=60)
    until(lambda: stage.service.log.count("worker started") > 0, stage.told)
    with stage.recovering("the keeper of a large task's own worker killed"):
        assert held(stage) == own, "the next keeper has found it"
    begin_anew("a", 0.5)
    assert held(stage).pid in workers
    until(lambda: set(stage.ray.actors()) == workers, stage.told)


def test_an_actor_is_killed(stage: Stage) -> None:
    before = held(stage)
    with stage.recovering("an actor killed"):
        before.kill()
        until(lambda: stage.moved(stage.world.file_id, before))
    stage.all_equal()


def test_a_frozen_actor_is_fenced_when_it_wakes(stage: Stage) -> None:
    before = held(stage)
    before.suspend()
    try:
        with stage.recovering("an actor frozen"):
            until(lambda: stage.moved(stage.world.file_id, before), stage.told)
    finally:
        with_suppressed(before.resume)
    until(lambda: not before.is_running() or stage.holder(stage.world.file_id) != before)
    assert stage.world.rows() == stage.world.truth()
    stage.all_equal()


def held(stage: Stage) -> psutil.Process:
    until(lambda: stage.holder(stage.world.file_id) is not None and stage.world.state() == "RUN", stage.told)
    holder = stage.holder(stage.world.file_id)
    assert holder is not None
    return holder


def with_suppressed(act: Callable[[], None]) -> None:
    try:
        act()
    except psutil.NoSuchProcess:
        return


def home_of(stage: Stage, process: psutil.Process) -> str:
    """The node on which an actor is."""
    return next(name for name, node in stage.ray.nodes.items() if process in node.children(""))


def test_a_raylet_is_killed_and_its_node_comes_back(stage: Stage) -> None:
    before = held(stage)
    name = home_of(stage, before)
    with stage.recovering("a raylet killed"):
        stage.ray.nodes[name].kill_raylet()
        until(lambda: stage.moved(stage.world.file_id, before), stage.told, seconds=60)
    until(lambda: not before.is_running())
    stage.ray.nodes[name].kill()
    stage.node(name)
    until(lambda: stage.groups()["a"] == (0, 2), stage.told)
    stage.all_equal()


def test_the_api_server_is_killed_and_finds_the_workers_again(stage: Stage) -> None:
    before = held(stage)
    if stage.numbers is not None:  # its DataHub is a part of the server
        assert stage.numbers.task("StopDISyncInstance")["Data"]["Status"] == "success"
        stage.numbers = None
    stage.service.process.send_signal(signal.SIGKILL)
    stage.service.process.wait()
    with stage.recovering("the API server killed"):
        stage.serve()
        stage.world.service = stage.service
        stage.world.api = test_crash.Client(f"http://{stage.service.address}", *stage.service.key)
    assert stage.holder(stage.world.file_id) == before, "the worker has gone on meanwhile"
    stage.all_equal()


def test_the_store_is_stopped_and_started(stage: Stage) -> None:
    held(stage)

    def ended() -> int:
        return sum(stage.ray.log().count(text) for text in ("run ends", "leases could not be renewed"))

    before = ended()
    with stage.recovering("the store killed until the run has stopped itself"):
        stage.store.kill()
        try:
            until(lambda: ended() > before, seconds=60)
        finally:
            stage.store.start()
    stage.all_equal()


def test_the_whole_cluster_is_lost_and_built_again(stage: Stage) -> None:
    held(stage)
    with stage.recovering("the whole cluster lost"):
        for node in stage.ray.nodes.values():
            node.kill()
        until(lambda: stage.world.state() == "WAIT", stage.told)
        stage.ray.head()
        stage.node("one")
    stage.node("two")
    stage.all_equal()
    stage.seeds.call("StopDISyncInstance")
    until(lambda: stage.seeds.digit() == "1", stage.seeds.message)


def test_no_secret_is_in_what_ray_keeps_and_writes(stage: Stage) -> None:
    files = [path for path in stage.ray.folder.rglob("*") if path.is_file()]
    assert any("rocksdb" in str(path) or "gcs" in path.parts for path in files)
    secrets = (PASSWORD, mysqld.PASSWORD, TOKEN, (stage.home / "key").read_text().strip())
    for path in files:
        text = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in text], path


def test_a_server_that_stops_takes_its_workers_along(stage: Stage) -> None:
    assert stage.ray.actors()
    servers.stop(stage.service.process)
    until(lambda: not stage.ray.actors(), lambda: str(stage.ray.actors()))
