"""A full load on a Ray cluster of two nodes, of which Ray tasks read parts: that they do, and that no row is lost, or
comes twice, when one of them is killed or frozen, or the server ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
import shop
from test_crash import SPEC

import mysqld
import servers
from ray_cluster import Cluster, cluster
from waiting import until

ROWS = 700_000
CHANNELS = 6
"""So 24 parts, and five seats: the worker that has no load of its own takes two, and leaves three."""
SLOW = """
CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(40) NOT NULL, amount numeric(12,2), note text);
CREATE FUNCTION rest() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.03); RETURN NEW; END';
CREATE TRIGGER rest BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.id % 100 = 0) EXECUTE FUNCTION rest();
"""
"""A target that takes 35 s for them over six channels, so that there is time to strike."""


class Stage:
    """A store, a cluster of two nodes with a worker each, and a table to load."""

    def __init__(self, home: Path, source: mysqld.Server, stack: ExitStack) -> None:
        self.source = source
        self.store = stack.enter_context(servers.postgres_server())
        environment = {"DISYNC_STORE_URL": self.store.url}
        self.ray: Cluster = stack.enter_context(cluster(DISYNC_KEY_FILE=str(home / "key"), **environment))
        self.ray.head()
        where = ("--runner", "ray", "--ray-address", self.ray.address, "--workers", "1")
        environment |= self.ray.client
        self.service = stack.enter_context(servers.disync(home, *where, datahub=False, **environment))
        for name in ("one", "two"):
            self.ray.node(name, "a")
        until(lambda: len(self.ray.actors()) == 2, self.told, seconds=60)

    def told(self) -> str:
        return f"{self.service.log[-2000:]}\n{self.ray.log()[-3000:]}"

    def helpers(self) -> dict[str, psutil.Process]:
        """The processes of Ray tasks, by their names."""
        found: dict[str, psutil.Process] = {}
        for process in self.ray.processes():
            with_name = _title(process).partition("ray::help-")
            if with_name[1]:
                found["help-" + with_name[2].split()[0]] = process
        return found

    def have(self, back: str) -> set[str]:
        """The Ray tasks that have parts which they are to read (""), or have read ("done")."""
        query = "SELECT worker FROM seat JOIN lent USING (file_id, seat) WHERE back = %s"
        with psycopg.connect(self.store.url) as connection:
            return {name for (name,) in connection.execute(query, (back,)) if name.startswith("help-")}

    def sitting(self) -> set[str]:
        """The Ray tasks that have seats which have not lapsed."""
        query = "SELECT worker FROM seat WHERE lease_until_ms > extract(epoch FROM now()) * 1000"
        with psycopg.connect(self.store.url) as connection:
            return {name for (name,) in connection.execute(query) if name.startswith("help-")}


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, source: mysqld.Server) -> Iterator[Stage]:
    shop.stock(source, 1)
    rest = f"SELECT seq, CONCAT('name ', seq), seq + 0.25, NULL FROM shop.seq_1_to_{ROWS - 1}"
    source.run([f"INSERT INTO shop.orders {rest}", "ANALYZE TABLE shop.orders"])
    with ExitStack() as stack:
        yield Stage(tmp_path_factory.mktemp("home"), source, stack)


@pytest.fixture
def world(stage: Stage, postgres_database: str) -> Iterator[shop.World]:
    """A load that has begun, and of which Ray tasks have parts."""
    with psycopg.connect(postgres_database) as connection:
        connection.execute(SLOW)
    made = shop.World(stage.service, stage.source, postgres_database, "a", CHANNELS)
    try:
        until(lambda: len(stage.have("")) > 1, stage.told, seconds=60)
        yield made
    finally:
        if stage.service.process.poll() is None:
            remove(made)


def remove(world: shop.World) -> None:
    """So that the next one may have the names."""
    for action in ("StopDISyncInstance", "DeleteDISyncTask"):
        until(lambda action=action: world.task(action)["Data"]["Status"] == "success")  # type: ignore[misc]
    for source in world.call("ListDataSources", PageSize="100")["Data"]["DataSources"]:
        world.api.call(SPEC.operations["DeleteDataSource"], {"DataSourceId": str(source["Id"])})


def comes_through(stage: Stage, world: shop.World) -> None:
    def loaded() -> bool:
        return world.select("SELECT count(*) FROM orders") == [(ROWS,)]

    until(loaded, lambda: f"{world.info()}\n{stage.told()}", seconds=120)
    assert world.rows() == world.truth()
    until(lambda: not stage.helpers(), lambda: str(stage.helpers()))


def test_ray_tasks_read_parts_of_a_load_and_end(stage: Stage, world: shop.World) -> None:
    until(lambda: bool(stage.have("done")), stage.told)
    comes_through(stage, world)
    assert "a helper has failed" not in stage.service.log
    assert "a helper is given up" not in stage.service.log


def struck(stage: Stage, strike: Callable[[psutil.Process], None]) -> psutil.Process:
    """A Ray task that has parts in its hands."""
    name = next(iter(stage.have("")))
    process = stage.helpers()[name]
    strike(process)
    until(lambda: name not in stage.have(""), stage.told)
    return process


def test_a_ray_task_is_killed(stage: Stage, world: shop.World) -> None:
    struck(stage, psutil.Process.kill)
    comes_through(stage, world)
    until(lambda: "a helper has failed" in stage.service.log, stage.told)
    with psycopg.connect(stage.store.url) as connection:
        failovers = connection.execute("SELECT count(*) FROM failover").fetchall()
    assert failovers == [(0,)], "its death is no failure of the load"


def test_a_ray_task_is_frozen_and_wakes_when_others_have_read_on(stage: Stage, world: shop.World) -> None:
    process = struck(stage, psutil.Process.suspend)
    try:
        until(lambda: world.select("SELECT count(*) FROM orders") == [(ROWS,)], stage.told, seconds=120)
    finally:
        process.resume()
    comes_through(stage, world)


def test_a_keeper_is_killed_and_its_tasks_with_it(stage: Stage, world: shop.World) -> None:
    before = stage.helpers()
    [keeper] = [one for one in psutil.Process(stage.service.process.pid).children() if "keep-on-ray" in one.cmdline()]
    keeper.kill()
    until(lambda: not stage.helpers().keys() & before.keys(), stage.told)
    comes_through(stage, world)


def test_a_server_that_stops_has_them_give_back_what_they_have(stage: Stage, world: shop.World) -> None:
    assert stage.have("")
    servers.stop(stage.service.process)
    assert "a helper was told to leave" in stage.ray.log()
    until(lambda: not stage.helpers(), lambda: str(stage.helpers()))
    until(lambda: not stage.sitting(), lambda: str(stage.sitting()))
