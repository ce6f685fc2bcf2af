"""Tasks on a Ray cluster of a head and two nodes: what they wait for, and that no row is lost, or comes twice into a
target with transactions, whatever is killed. How long it takes to go on is printed (`pytest -s`)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import shop
from ray_jobs import SEEDS_GROUP, Jobs, Numbers, Seeds, client

import mysqld
import servers
from ray_cluster import TOKEN, Cluster, cluster
from waiting import until

PASSWORD = "st0re-s3cret"
PUBLISHED = 3000
"""Records, before anything is killed."""


class Stage:
    """A store, a DataHub and a cluster of their own, and the server between them."""

    def __init__(self, home: Path, store: servers.PostgreSQL, ray: Cluster, stack: ExitStack) -> None:
        self.home, self.store, self.ray, self.stack = home, store, ray, stack
        self.environment = {"DISYNC_STORE_URL": store.url.replace("postgres@", f"postgres:{PASSWORD}@"), **ray.client}
        self.hub = stack.enter_context(servers.datahub(home / "hub"))
        self.service: servers.Service
        self.numbers: Numbers
        self.seeds: Seeds
        self.world: shop.World
        self.jobs: Jobs

    def serve(self) -> None:
        where = ("--runner", "ray", "--ray-address", self.ray.address, "--workers", "1")
        self.service = self.stack.enter_context(servers.disync(self.home, *where, datahub=False, **self.environment))

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
        found = client(self.service)("ListResourceGroups")["Data"]
        return {one["Identifier"]: (one["Status"], one.get("Specs", {}).get("Nodes", 0)) for one in found}

    def run(self) -> tuple[psutil.Process | None, int]:
        """The process of the worker that has the orders, and under which epoch."""
        query = "SELECT worker, epoch FROM instance WHERE file_id = %s"
        with psycopg.connect(self.store.url) as connection:
            [(worker, epoch)] = connection.execute(query, (int(self.world.file_id),)).fetchall()
        return self.ray.actors().get(int(worker.split("-")[-2]) if worker is not None else 0), epoch

    def holder(self) -> psutil.Process | None:
        return self.run()[0]

    def moved(self, before: psutil.Process) -> bool:
        now = self.holder()
        return now is not None and now.pid != before.pid

    def told(self) -> str:
        """What may explain why something did not come to pass."""
        return f"{self.service.log[-2000:]}\n{self.ray.log()[-2000:]}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home = tmp_path_factory.mktemp("home")
    with ExitStack() as stack:
        # What it has said to have committed must be there when it has been killed.
        store = stack.enter_context(servers.postgres_server(synchronous_commit="on"))
        environment = {"DISYNC_STORE_URL": store.url.replace("postgres@", f"postgres:{PASSWORD}@")}
        ray = stack.enter_context(cluster(DISYNC_KEY_FILE=str(home / "key"), **environment))
        made = Stage(home, store, ray, stack)
        made.serve()
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
    stage.numbers = Numbers(stage.service, stage.hub, stage.store.url, "a")
    world = stage.numbers.world

    def waits(text: str) -> None:
        until(lambda: text in str(world.task("GetDISyncInstanceInfo")["Data"]["Message"]), lambda: stage.service.log)
        assert world.state() == "WAIT"

    waits("Waiting for the cluster. The Ray cluster at 127.0.0.1")
    stage.ray.head(RAY_gcs_storage="rocksdb", RAY_gcs_storage_path=str(stage.ray.folder / "gcs"))
    waits("Waiting for a node of the resource group a: no node of the cluster offers rg_a")
    wrong = stage.ray.node("wrong", "a", DISYNC_KEY_FILE=str(stage.home / "nothing"))
    waits("a: the last one did not come up, and another one is tried. BadConfig: This node was started without")
    wrong.kill()
    world.publish(0, PUBLISHED)
    stage.node("one")
    until(lambda: world.state() == "RUN", lambda: stage.service.log, seconds=60)
    until(lambda: len(stage.numbers.arrived()) == PUBLISHED)
    stage.numbers.require(PUBLISHED, 0)


def test_the_seeds_solution_waits_for_its_group_loads_and_follows(
    stage: Stage, source: mysqld.Server, seeds_target: str
) -> None:
    seeds = stage.seeds = Seeds(stage.service, source, seeds_target)
    text = f"No node of the cluster offers rg_{SEEDS_GROUP}: the task waits until one does."
    assert any(text in warning for warning in seeds.warnings), seeds.warnings
    until(lambda: f"no node of the cluster offers rg_{SEEDS_GROUP}" in seeds.message(), seeds.message)
    assert seeds.digit() == "8"
    stage.node("two")
    until(lambda: seeds.digit() == "0", seeds.message, seconds=90)
    source.run("UPDATE seeds.t0 SET name='at rest' WHERE id % 7 = 0")
    until(seeds.same, seeds.message)


def test_groups_are_listed_as_the_cluster_has_them(stage: Stage, source: mysqld.Server, target: str) -> None:
    stage.gather()
    shop.stock(source)
    stage.world = shop.World(stage.service, source, target, "a")
    until(
        lambda: stage.groups() == {"group_default": (0, 1), "a": (0, 2), SEEDS_GROUP: (0, 1)},
        lambda: str(stage.groups()),
    )
    until(lambda: stage.world.rows() == stage.world.truth(), stage.told)
    stage.jobs = Jobs(stage.world, stage.seeds, stage.numbers, stage.told, PUBLISHED)


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
    with stage.jobs.recovering("a large task's own worker killed"):
        own.kill()
    assert stage.moved(own)
    own = held(stage)
    [keeper] = [one for one in psutil.Process(stage.service.process.pid).children() if "keep-on-ray" in one.cmdline()]
    joined = stage.service.log.count("joined the cluster")
    keeper.kill()
    until(lambda: stage.service.log.count("joined the cluster") > joined, stage.told, seconds=60)
    until(lambda: stage.service.log.count("worker started") > 0, stage.told)
    with stage.jobs.recovering("the keeper of a large task's own worker killed"):
        assert held(stage) == own, "the next keeper has found it"
    begin_anew("a", 0.5)
    assert held(stage).pid in workers
    until(lambda: set(stage.ray.actors()) == workers, stage.told)


def test_an_actor_is_killed(stage: Stage) -> None:
    before = held(stage)
    with stage.jobs.recovering("an actor killed"):
        before.kill()
    assert stage.moved(before)


def test_a_frozen_actor_that_wakes_stops_by_itself_what_another_has_by_now(stage: Stage) -> None:
    """What is asserted is that it stops its runs by its own clock. Nothing is refused by the store or the target then:
    that their epochs would, tests/exactly_once shows."""
    before = held(stage)
    epoch = stage.run()[1]
    stops, ends = "leases could not be renewed", f'run ends" task={stage.world.file_id} epoch={epoch} '

    def said(words: str) -> int:
        return stage.ray.log_of(before.pid).count(words)

    stopped = said(stops)
    with stage.jobs.recovering("an actor frozen until another has its runs"):
        before.suspend()
        try:
            until(lambda: stage.moved(before), stage.told)
        finally:
            with_suppressed(before.resume)
        until(lambda: said(stops) > stopped and said(ends) == 1, stage.told)
        assert before.is_running(), "the keeper has not had it killed for its silence"
    assert stage.moved(before)


def test_an_actor_that_stays_frozen_is_ended(stage: Stage) -> None:
    before = held(stage)
    with stage.jobs.recovering("an actor frozen for good"):
        before.suspend()
        stage.jobs.come_through()
        until(lambda: not before.is_running(), stage.told, seconds=60)
    assert "it has not answered for 15 s" in stage.service.log


def held(stage: Stage) -> psutil.Process:
    until(lambda: stage.holder() is not None and stage.world.state() == "RUN", stage.told)
    holder = stage.holder()
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
    with stage.jobs.recovering("a raylet killed"):
        stage.ray.nodes[name].kill_raylet()
        until(lambda: stage.moved(before), stage.told, seconds=60)
        stage.jobs.come_through("orders", "numbers")  # no other node may offer the group of the seeds
        until(lambda: not before.is_running())
        stage.ray.nodes[name].kill()
        stage.node(name)
    until(lambda: stage.groups()["a"] == (0, 2), stage.told)


def test_the_api_server_is_killed_and_finds_the_workers_again(stage: Stage) -> None:
    before = held(stage)
    with stage.jobs.recovering("the API server killed"):
        stage.service.process.send_signal(signal.SIGKILL)
        stage.service.process.wait()
        stage.jobs.come_through()  # with no server there
        stage.serve()
        stage.jobs.served_by(stage.service)
    assert stage.holder() == before, "the worker has gone on meanwhile"


def test_the_store_is_stopped_and_started(stage: Stage) -> None:
    held(stage)

    def ended() -> int:
        return sum(stage.ray.log().count(text) for text in ("run ends", "leases could not be renewed"))

    before = ended()
    with stage.jobs.recovering("the store killed until the run has stopped itself"):
        stage.store.kill()
        try:
            until(lambda: ended() > before, seconds=60)
        finally:
            stage.store.start()


def test_the_whole_cluster_is_lost_and_built_again(stage: Stage) -> None:
    held(stage)
    with stage.jobs.recovering("the whole cluster lost"):
        for node in stage.ray.nodes.values():
            node.kill()
        until(lambda: stage.world.state() == "WAIT", stage.told)
        stage.ray.head()
        for name in ("one", "two"):
            stage.node(name)


def test_a_head_without_its_state_is_lost_and_its_nodes_with_it(stage: Stage) -> None:
    held(stage)
    nodes = [stage.ray.nodes[name] for name in ("one", "two")]
    with stage.jobs.recovering("the head lost, which kept nothing"):
        workers = stage.ray.actors()
        stage.ray.nodes["head"].kill()
        until(lambda: all(node.process.poll() is not None for node in nodes), stage.told, seconds=60)
        print(f"\nits nodes have ended {stage.jobs.seconds:.1f} s after it")
        until(lambda: not any(worker.is_running() for worker in workers.values()), stage.told)
        until(lambda: stage.world.state() == "WAIT", stage.told)
        stage.ray.head()
        for name in ("one", "two"):
            stage.node(name)
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
