"""A store that is put back to an older state: what the target holds is newer, and wins. Nothing is lost, nothing twice.

The target keeps every change as a row (`writeMode` insert) beside a copy, so that a change applied twice would be seen.
Backup and restore are those of docs/operating.md, with PostgreSQL's own programs.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from test_crash import until
from test_mysql_failover import TRUTH, World

import mysqld
import servers
from disync.gateway.client import Client

INSERTED = "SELECT id, count(*) FROM log.t WHERE _operation_type_ = 'I' GROUP BY id"


@pytest.fixture
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run(["CREATE DATABASE own"])
        server.run("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "own")
        yield server


@dataclass(frozen=True, slots=True)
class Store:
    """`url` "": SQLite in `home`."""

    home: Path
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {"DISYNC_STORE_URL": self.url} if self.url else {}

    def backup(self, file: Path) -> None:
        if self.url:
            backup(self.url, file)
            return
        with closing(sqlite3.connect(self.home / "disync.db")) as connection:
            connection.execute("VACUUM INTO ?", (str(file),))

    def restore(self, file: Path) -> None:
        if self.url:
            restore(self.url, file)
            return
        for name in ("disync.db-wal", "disync.db-shm", "nonces"):
            (self.home / name).unlink(missing_ok=True)
        shutil.copy(file, self.home / "disync.db")


@pytest.fixture(params=["postgresql", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        yield Store(tmp_path / "home")
        return
    with servers.database(request.getfixturevalue("postgres_url"), "restored_store") as url:
        yield Store(tmp_path / "home", url)


def backup(url: str, file: Path) -> None:
    dump = [str(servers.postgres_folder() / "pg_dump"), "--format=custom", "--exclude-table-data=nonce"]
    subprocess.run([*dump, f"--file={file}", url], check=True, timeout=60)


def restore(url: str, file: Path) -> None:
    """Into a database that is made anew: what came after the backup is gone."""
    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    back = [str(servers.postgres_folder() / "pg_restore"), "--exit-on-error", "--single-transaction"]
    subprocess.run([*back, f"--dbname={url}", str(file)], check=True, timeout=60)


def write(source: mysqld.Server, first: int, last: int) -> None:
    for number in range(first, last):
        source.run([f"INSERT INTO own.t VALUES ({number}, {number})"])


def equal(world: World, source: mysqld.Server) -> bool:
    return world.select('SELECT id, v FROM "rows".t ORDER BY id') == [tuple(row) for row in source.run(TRUTH)]


def epochs(world: World) -> list[int]:
    query = "SELECT epoch FROM {}.disync_checkpoint WHERE split = 'binlog'"
    return [max(row[0] for row in world.select(query.format(schema))) for schema in ('"rows"', "log")]


def kill_the_workers(service: servers.Service) -> None:
    for child in psutil.Process(service.process.pid).children():
        os.kill(child.pid, signal.SIGKILL)


def test_the_target_is_newer_than_the_store_and_wins(
    store: Store, source: mysqld.Server, postgres_database: str, tmp_path: Path
) -> None:
    with servers.disync(store.home, datahub=False, **store.environment) as service:
        world = World(service, source.content("own"), postgres_database)
        until(world.followed)
        write(source, 1, 11)
        until(lambda: equal(world, source) and len(world.select(INSERTED)) == 10)
        store.backup(tmp_path / "dump")
        before = epochs(world)
        # Runs that the backup does not know of: each gives the target a newer epoch.
        for last in (21, 31, 41):
            kill_the_workers(service)
            write(source, last - 10, last)
            until(lambda: equal(world, source) and len(world.select(INSERTED)) == last - 1)  # noqa: B023
        assert all(new > old + 1 for new, old in zip(epochs(world), before, strict=True))
    store.restore(tmp_path / "dump")
    write(source, 41, 51)
    with servers.disync(store.home, datahub=False, **store.environment) as service:
        world.api = Client(f"http://{service.address}", *service.key)
        until(lambda: equal(world, source) and len(world.select(INSERTED)) == 50)
        until(lambda: world.states() == ["RUN", "RUN"])
        write(source, 51, 61)
        until(lambda: equal(world, source) and len(world.select(INSERTED)) == 60)
        assert {count for _, count in world.select(INSERTED)} == {1}
        told = [event for file_id in world.ids for event in failovers(world, file_id)]
        assert any("the store knew of none after" in event for event in told), told


def failovers(world: World, file_id: str) -> list[str]:
    listed: dict[str, Any] = world.call("ListDISyncInstanceEvents", FileId=file_id, EventType="FAILOVER")["Data"]
    return [event["Message"] for event in listed["Events"]]


def test_a_target_that_has_lost_what_was_loaded_stops_the_task_and_says_so(
    source: mysqld.Server, postgres_database: str, tmp_path: Path
) -> None:
    write(source, 1, 11)
    with servers.disync(tmp_path / "home", datahub=False) as service:
        world = World(service, source.content("own"), postgres_database)
        until(lambda: world.states() == ["RUN", "RUN"] and equal(world, source))
        for file_id in world.ids:
            world.call("StopDISyncInstance", TaskType="DI_REALTIME", FileId=file_id)
        until(lambda: world.states() == ["PAUSE", "PAUSE"])
        with psycopg.connect(postgres_database, autocommit=True) as target:
            target.execute('TRUNCATE "rows".t, "rows".disync_checkpoint')
        rows = {"TaskType": "DI_REALTIME", "FileId": world.ids[0]}
        world.call("StartDISyncInstance", **rows)
        until(lambda: world.states()[0] == "PAUSE")
        message = world.call("GetDISyncInstanceInfo", **rows)["Data"]["Message"]
        assert message.startswith("BadConfig: The target does not hold any more that t was loaded"), message
        # As the message says.
        for action in ("TerminateDISyncInstance", "DeployDISyncTask", "StartDISyncInstance"):
            assert world.call(action, **rows)["Data"]["Status"] == "success"
        until(lambda: equal(world, source))


def test_a_task_made_after_the_backup_and_one_made_after_the_restore_are_not_taken_for_one(
    store: Store, source: mysqld.Server, postgres_database: str, tmp_path: Path
) -> None:
    """They have one FileId: the second would go on where the first was, and miss what is before."""
    write(source, 1, 11)
    with servers.disync(store.home, datahub=False, **store.environment):
        store.backup(tmp_path / "dump")
    with servers.disync(store.home, datahub=False, **store.environment) as service:
        first = World(service, source.content("own"), postgres_database)
        until(lambda: first.states() == ["RUN", "RUN"] and equal(first, source))
    store.restore(tmp_path / "dump")
    with psycopg.connect(postgres_database, autocommit=True) as target:
        target.execute('TRUNCATE "rows".t')
    with servers.disync(store.home, datahub=False, **store.environment) as service:
        second = World(service, source.content("own"), postgres_database)
        assert second.ids == first.ids
        until(lambda: equal(second, source))
