"""A full load on a Ray cluster of two nodes, of which Ray tasks read parts: that they do, and that no row is lost, or
comes twice, when one of them is killed or frozen, or a server ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import ray_tasks
import shop
from ray_tasks import CHANNELS, ROWS, comes_through

import mysqld
import servers
from ray_cluster import Cluster, cluster
from waiting import until


class Stage:
    """A store, a cluster of two nodes with a worker each, and a table to load."""

    def __init__(self, home: Path, source: mysqld.Server, stack: ExitStack) -> None:
        self.home, self.source = home, source
        store = stack.enter_context(servers.postgres_server())
        environment = {"DISYNC_STORE_URL": store.url}
        self.ray: Cluster = stack.enter_context(cluster(DISYNC_KEY_FILE=str(home / "key"), **environment))
        self.ray.head()
        self.where = ("--runner", "ray", "--ray-address", self.ray.address, "--workers", "1")
        self.environment = environment | self.ray.client
        self.service = stack.enter_context(servers.disync(home, *self.where, datahub=False, **self.environment))
        self.tasks = ray_tasks.Tasks(self.ray, store.url)
        for name in ("one", "two"):
            self.ray.node(name, "a")
        until(lambda: len(self.ray.actors()) == 2, self.told, seconds=100)

    def told(self) -> str:
        return f"{self.service.log[-2000:]}\n{self.ray.log()[-3000:]}"

    def all_end(self) -> None:
        until(lambda: not self.tasks.processes(), lambda: str(self.tasks.processes()))

    def struck(self, strike: Callable[[psutil.Process], None]) -> psutil.Process:
        """A task that has parts in its hands."""
        until(lambda: bool(self.tasks.reading() & self.tasks.processes().keys()), self.told)
        name = next(iter(self.tasks.reading() & self.tasks.processes().keys()))
        process = self.tasks.processes()[name]
        strike(process)
        until(lambda: name not in self.tasks.reading(), self.told)
        return process


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, source: mysqld.Server) -> Iterator[Stage]:
    ray_tasks.stock(source)
    with ExitStack() as stack:
        yield Stage(tmp_path_factory.mktemp("home"), source, stack)


@pytest.fixture
def world(stage: Stage, postgres_database: str) -> Iterator[shop.World]:
    """A load that has begun, and of which Ray tasks have parts."""
    made = shop.World(stage.service, stage.source, ray_tasks.slow(postgres_database), "a", CHANNELS, "orders")
    try:
        until(lambda: len(stage.tasks.reading()) > 1, stage.told, seconds=60)
        yield made
    finally:
        if stage.service.process.poll() is None:
            made.remove()


def test_ray_tasks_read_parts_of_a_load_and_end(stage: Stage, world: shop.World) -> None:
    # Another task takes all of a node that its worker leaves.
    stage.source.run(["CREATE TABLE shop.other (id INT PRIMARY KEY)", "INSERT INTO shop.other VALUES (1)"])
    large = world.begin("large", "a", cu=3.5, table="other")
    until(lambda: world.select("SELECT id FROM other") == [(1,)], stage.told)
    assert "a helper makes way for a large task" in stage.service.log
    world.end(large)
    stage.source.run("DROP TABLE shop.other")
    comes_through(world)
    stage.all_end()
    assert stage.tasks.read > 0
    assert "a helper has failed" not in stage.service.log
    assert "a helper is given up" not in stage.service.log


def test_one_is_killed_and_one_is_frozen_and_wakes_when_others_have_read_on(stage: Stage, world: shop.World) -> None:
    stage.struck(psutil.Process.kill)
    process = stage.struck(psutil.Process.suspend)
    try:
        until(lambda: world.select("SELECT count(*) FROM orders") == [(ROWS,)], stage.told, seconds=120)
    finally:
        process.resume()
    comes_through(world)
    stage.all_end()
    until(lambda: "a helper has failed" in stage.service.log, stage.told)
    assert stage.tasks.failovers() == 0, "their death is no failure of the load"


def test_of_two_servers_one_loses_its_keeper_and_its_tasks_with_it(stage: Stage, world: shop.World) -> None:
    with servers.disync(stage.home, *stage.where, datahub=False, **stage.environment) as other:
        until(lambda: "a helper is started" in other.log, lambda: other.log, seconds=30)
        assert len(stage.tasks.sitting()) <= CHANNELS
        ours = {name for name in stage.tasks.processes() if name in stage.service.log}
        [keeper] = [
            one for one in psutil.Process(stage.service.process.pid).children() if "keep-on-ray" in one.cmdline()
        ]
        keeper.kill()
        until(lambda: not stage.tasks.processes().keys() & ours, stage.told)
        comes_through(world)
        stage.all_end()
        assert stage.tasks.failovers() == 0
    until(lambda: len(stage.ray.actors()) == 2, stage.told, seconds=60)  # the other server took them along


def test_a_server_that_stops_has_them_give_back_what_they_have(stage: Stage, world: shop.World) -> None:
    assert stage.tasks.reading()
    servers.stop(stage.service.process)
    assert "a helper was told to leave" in stage.ray.log()
    stage.all_end()
    until(lambda: not stage.tasks.sitting(), lambda: str(stage.tasks.sitting()))
