"""A node of a Ray cluster whose network is cut for real, and comes back: nothing is lost or written twice by the
worker, or by the Ray task, that the cluster has lost sight of. How long it takes to go on is printed (`pytest -s`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import ray_tasks
import shop
from ray_jobs import SEEDS_GROUP, Jobs, Numbers, Seeds

import mysqld
import servers
from netspace import HUB, listening, places
from ray_cluster import cluster
from tcp_proxy import proxy
from waiting import until

ROWS = 400_000
"""Of the load: for some 20 s."""
OPEN = ("gcs/gcs_server", "raylet/raylet", "_private/monitor.py", "ray::", "keep-on-ray")
"""What each process has in its command line that takes connections from elsewhere."""
FIGURES = 44217
"""The port of monitor.py, which asks for no token."""
DASHBOARD = 8265
"""Its usual port."""


class Stage:
    """Two nodes with a worker each, in namespaces of their own; the head, the server, the store, the source and the
    target in the hub."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.there = stack.enter_context(places("one", "two"))
        store, target = (stack.enter_context(servers.postgres_server()) for _ in range(2))
        seeds_target = stack.enter_context(servers.database(target.url, "seeds"))
        self.source = stack.enter_context(mysqld.server())
        self.source.host = HUB
        for port in (store.port, target.port, self.source.port):
            stack.enter_context(proxy(port, host=HUB, port=port))
        self.hub = stack.enter_context(servers.datahub(home / "hub", HUB))
        found = (url.replace("127.0.0.1", HUB) for url in (store.url, target.url, seeds_target))
        self.store, self.target, self.seeds_target = found
        environment = {"DISYNC_STORE_URL": self.store}
        self.ray = stack.enter_context(cluster(host=HUB, DISYNC_KEY_FILE=str(home / "key"), **environment))
        self.ray.head()
        where = ("--runner", "ray", "--ray-address", self.ray.address, "--workers", "1")
        environment |= self.ray.client
        self.service = stack.enter_context(servers.disync(home, *where, datahub=False, **environment))

    def gather(self) -> None:
        """Both nodes: one that was cut off has been given up, and has to be started again."""
        for name, place in self.there.items():
            if name in self.ray.nodes:
                self.ray.nodes[name].kill()
            self.ray.node(name, SEEDS_GROUP, place=place)

    def home_of(self, process: psutil.Process) -> str:
        return next(name for name, node in self.ray.nodes.items() if process in node.children(""))

    def holder(self, file_id: str) -> psutil.Process | None:
        with psycopg.connect(self.store) as connection:
            row = connection.execute("SELECT worker FROM instance WHERE file_id = %s", (int(file_id),)).fetchone()
        return self.ray.actors().get(int(row[0].split("-")[-2])) if row is not None and row[0] is not None else None

    def told(self) -> str:
        return f"{self.service.log[-2000:]}\n{self.ray.log()[-3000:]}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(tmp_path_factory.mktemp("home"), stack)


def test_what_listens_for_others_is_what_the_documentation_names(stage: Stage) -> None:
    """Of a cluster that was started as docs/ray.md says, with addresses of a network of its own."""
    stage.gather()
    until(lambda: len(stage.ray.actors()) == 2, stage.told, seconds=60)
    server = psutil.Process(stage.service.process.pid)
    open_ = {
        (" ".join(process.cmdline()), port)
        for process in [*stage.ray.processes(), server, *server.children(recursive=True)]
        for host, port in listening(process.pid)
        if not host.is_loopback
    }
    assert {next((each for each in OPEN if each in line), line) for line, _ in open_} == set(OPEN)
    assert DASHBOARD not in {port for _, port in open_}
    with urlopen(f"http://{HUB}:{FIGURES}/metrics", timeout=20) as answer:
        assert b"autoscaler" in answer.read()


def test_a_node_is_cut_off_replaced_and_comes_back(stage: Stage) -> None:
    shop.stock(stage.source)
    world = shop.World(stage.service, stage.source, stage.target, SEEDS_GROUP)

    def told() -> str:
        return f"{world.info()}\n{stage.told()}"

    seeds = Seeds(stage.service, stage.source, stage.seeds_target)
    jobs = Jobs(world, seeds, Numbers(stage.service, stage.hub, stage.store, SEEDS_GROUP), told)
    until(lambda: world.rows() == world.truth(), told, seconds=60)
    until(lambda: seeds.digit() == "0", told, seconds=60)
    zombie = stage.holder(world.file_id)
    assert zombie is not None
    name = stage.home_of(zombie)
    with jobs.recovering("a node cut off"):
        stage.there[name].cut()
        jobs.come_through()
        now = stage.holder(world.file_id)
        assert now is not None and stage.home_of(now) != name
        stopped = ("leases could not be renewed", f'run ends" task={world.file_id} epoch=1 ')
        until(lambda: any(words in stage.ray.log() for words in stopped), told, seconds=60)
        print(f"the worker that was cut off has stopped its runs {jobs.seconds:.1f} s after the cut")
        stage.there[name].mend()
        until(lambda: not zombie.is_running(), told, seconds=60)
        print(f"the process that was cut off has ended {jobs.seconds:.1f} s after the cut")
    jobs.remove()


def test_a_node_is_cut_off_whose_tasks_read_parts_of_a_load(stage: Stage) -> None:
    stage.gather()
    until(lambda: len(stage.ray.actors()) == 2, stage.told, seconds=60)
    ray_tasks.stock(stage.source, ROWS)
    with psycopg.connect(stage.target) as connection:
        connection.execute("DROP TABLE IF EXISTS orders")
    tasks = ray_tasks.Tasks(stage.ray, stage.store)
    world = shop.World(stage.service, stage.source, ray_tasks.slow(stage.target), SEEDS_GROUP, ray_tasks.CHANNELS)
    until(lambda: stage.holder(world.file_id) is not None, stage.told)
    run = stage.holder(world.file_id)
    assert run is not None
    [name] = stage.there.keys() - {stage.home_of(run)}

    def there() -> dict[str, psutil.Process]:
        """Those at the other node that have parts in their hands."""
        found = {task: process for task, process in tasks.processes().items() if task in tasks.reading()}
        return {task: process for task, process in found.items() if stage.home_of(process) == name}

    until(lambda: bool(there()), stage.told, seconds=60)
    zombies = there()
    began = time.monotonic()
    stage.there[name].cut()
    until(lambda: not zombies.keys() & tasks.reading(), stage.told, seconds=60)
    print(f"\na node cut off: its tasks' parts are another's {time.monotonic() - began:.1f} s after it")
    stage.there[name].mend()
    until(lambda: not any(zombie.is_running() for zombie in zombies.values()), stage.told, seconds=60)
    ray_tasks.comes_through(world, ROWS)
    assert stage.holder(world.file_id) == run and tasks.failovers() == 0, "the load has never stopped"
    until(lambda: not tasks.processes(), lambda: str(tasks.processes()))
