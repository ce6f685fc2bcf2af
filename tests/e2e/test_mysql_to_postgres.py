"""MySQL → PostgreSQL through the whole system: what is there is loaded, what changes follows, workers die meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from shop import World, change, stock
from test_crash import kill_the_holder, runs_begun, until

import mysqld
import servers


@pytest.fixture
def world(source: mysqld.Server, postgres_database: str, tmp_path: Path) -> Iterator[World]:
    stock(source)
    with servers.disync(tmp_path, datahub=False) as service:
        yield World(service, source, postgres_database)


def test_load_follow_and_kill(world: World) -> None:
    writer = threading.Thread(target=change, args=(world.source, 1, 400))
    writer.start()
    until(lambda: world.state() == "RUN")
    until(lambda: len(world.rows()) > 0)
    begun = len(runs_begun(world.service, world.file_id))
    kill_the_holder(world.service, world.file_id)
    until(lambda: len(runs_begun(world.service, world.file_id)) > begun)
    until(lambda: world.state() == "RUN")
    writer.join()
    change(world.source, 2, 50)
    kill_the_holder(world.service, world.file_id)
    change(world.source, 3, 50)
    until(lambda: world.rows() == world.truth())


def test_stop_change_and_start_again(world: World) -> None:
    until(lambda: world.rows() == world.truth())
    world.task("StopDISyncInstance")
    until(lambda: world.state() == "PAUSE")
    change(world.source, 4, 100)
    assert world.rows() != world.truth()
    world.task("StartDISyncInstance")
    until(lambda: world.rows() == world.truth())
    world.source.run(["ALTER TABLE shop.orders ADD COLUMN extra INT", "UPDATE shop.orders SET extra=7 WHERE id<100"])
    until(lambda: "extra" in world.columns())
    query = "SELECT id FROM {} WHERE extra=7 ORDER BY id"
    changed = [tuple(row) for row in world.source.run(query.format("shop.orders"))]
    assert len(changed) > 50
    until(lambda: world.select(query.format("orders")) == changed)


def test_ddl_by_policy(world: World) -> None:
    until(lambda: world.rows() == world.truth())
    change = ["ALTER TABLE shop.orders DROP COLUMN note", "UPDATE shop.orders SET amount=7 WHERE id<100"]
    world.source.run(change)
    until(lambda: world.select("SELECT count(*) FROM orders WHERE amount=7 AND id<100") == [(100,)])
    assert "note" in world.columns(), "DROPCOLUMN is ignored unless somebody asks for it"
    world.call("UpdateDIProjectConfig", DestinationType="holo", ProjectConfig='{"ADDCOLUMN":"CRITICAL"}')
    world.task("StopDISyncInstance")
    until(lambda: world.state() == "PAUSE")
    world.task("StartDISyncInstance")
    until(lambda: world.state() == "RUN")
    world.source.run(["ALTER TABLE shop.orders ADD COLUMN more INT", "UPDATE shop.orders SET more=1 WHERE id=0"])
    until(lambda: world.state() == "PAUSE")
    assert world.info()["Message"].startswith("DdlRefused: ADDCOLUMN of orders stops this task")
    param = '{"ddlMarkMap":{"ADDCOLUMN":"NORMAL"}}'
    answer = world.call("StartDISyncInstance", TaskType="DI_REALTIME", FileId=world.file_id, StartParam=param)
    assert answer["Data"]["Status"] == "success"
    until(lambda: "more" in world.columns())
    until(lambda: world.select("SELECT more FROM orders WHERE id=0") == [(1,)])
