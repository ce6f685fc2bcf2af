"""Rows that PostgreSQL refuses: kept, mended, replayed by `disync dirty`, until both databases are equal."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import urllib3
from shop import World, change, stock
from test_crash import kill_the_holder, until

import mysqld
import servers
from disync.store import dirty
from disync.store.database import open_store

ROWS = 400
MANY = 120


@pytest.fixture
def world(source: mysqld.Server, postgres_database: str, tmp_path: Path) -> Iterator[World]:
    stock(source, ROWS)
    with servers.disync(tmp_path, datahub=False) as service:
        world = World(service, source, postgres_database)
        until(lambda: world.rows() == world.truth())
        yield world


def disync(world: World, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "disync", "dirty", world.file_id, "--home", str(world.service.home), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=servers.child_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def listed(world: World, state: str) -> int:
    """How many of the task's rows the store has in this state."""
    store = open_store(world.service.home)
    try:
        with store.read() as db:
            return sum(row.state == state for row in dirty.of_task(db, int(world.file_id)))
    finally:
        store.close()


def failovers(world: World) -> int:
    text = urllib3.request("GET", f"http://{world.service.address}/metrics").data.decode()
    (line,) = [line for line in text.splitlines() if line.startswith("disync_task_failovers_total{")]
    return int(float(line.rpartition(" ")[2]))


def spoil(world: World, ids: str) -> None:
    """Give rows a text that PostgreSQL cannot hold; wait until they were refused."""
    world.source.run(f"UPDATE shop.orders SET note = CONCAT('a', CHAR(0), 'b'), amount = 1.5 WHERE {ids}")
    count = world.source.run(f"SELECT COUNT(*) FROM shop.orders WHERE {ids}")[0][0]
    until(lambda: listed(world, "refused") == count)


def silently(world: World, statement: str) -> None:
    """A change that the log does not tell of: whether it arrives depends on the replay alone."""
    world.source.run(statement, sql_log_bin=0)


def test_a_mended_row_is_replayed_while_the_task_runs(world: World) -> None:
    spoil(world, "id = 5")
    shown = disync(world)
    assert "public.orders: column note: invalid byte sequence" in shown
    assert r'"note":"a\u0000b"' in shown and '"id":5' in shown
    silently(world, "UPDATE shop.orders SET note = 'mended' WHERE id = 5")
    change(world.source, 1, 20)
    until(lambda: [row[:1] for row in world.rows()] == [row[:1] for row in world.truth()])
    assert world.select("SELECT note FROM orders WHERE id = 5") == [(None,)], "the row is as old as it was"
    writer = threading.Thread(target=change, args=(world.source, 2, 200))
    writer.start()
    assert "Rows to be replayed: 1; the task restarts now" in disync(world, "--replay", "--table", "orders")
    until(lambda: listed(world, "replayed") == 1)
    writer.join()
    until(lambda: world.rows() == world.truth())
    assert failovers(world) == 0
    assert "Rows forgotten: 1." in disync(world, "--drop")
    assert disync(world) == ""


def test_a_row_that_was_deleted_since_is_deleted(world: World) -> None:
    spoil(world, "id IN (6, 7)")
    silently(world, "DELETE FROM shop.orders WHERE id = 6")
    disync(world, "--replay")
    until(lambda: (listed(world, "replayed"), listed(world, "refused")) == (1, 1))
    assert world.select("SELECT id FROM orders WHERE id IN (6, 7)") == [(7,)]
    world.source.run("UPDATE shop.orders SET note = 'fine' WHERE id = 7")
    until(lambda: world.rows() == world.truth())


def test_a_mended_target_and_a_log_that_goes_on_from_before(world: World) -> None:
    """Stopped, changed further, started: the log's older values come after the replay, and its newest ones last."""
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("ALTER TABLE orders ADD CONSTRAINT small CHECK (amount < 1000)")
        world.source.run("UPDATE shop.orders SET amount = 1000 + id WHERE id BETWEEN 10 AND 29")
        until(lambda: listed(world, "refused") == 20)
        world.task("StopDISyncInstance")
        until(lambda: world.state() == "PAUSE")
        for statement in (
            "UPDATE shop.orders SET amount = 7 WHERE id BETWEEN 10 AND 14",
            "DELETE FROM shop.orders WHERE id BETWEEN 12 AND 18",
            "INSERT INTO shop.orders VALUES (12, 'again', 5000, NULL)",
            "UPDATE shop.orders SET id = 1000 + id WHERE id BETWEEN 20 AND 23",
            "UPDATE shop.orders SET amount = 8 WHERE id = 24",
            "UPDATE shop.orders SET amount = 9999 WHERE id = 24",
        ):
            world.source.run(statement)
        assert "Rows to be replayed: 20; the task begins with them at its next start" in disync(world, "--replay")
        target.execute("ALTER TABLE orders DROP CONSTRAINT small")
    world.task("StartDISyncInstance")
    until(lambda: world.rows() == world.truth())
    assert listed(world, "replayed") == 20


def replays_begun(world: World) -> int:
    return world.service.log.count("replay of refused rows begins")


def test_workers_killed_while_they_replay(world: World) -> None:
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("ALTER TABLE orders ADD CONSTRAINT small CHECK (amount < 1000)")
        world.source.run(f"UPDATE shop.orders SET amount = 1000 + id WHERE id < {MANY}")
        until(lambda: listed(world, "refused") == MANY)
        world.source.run(f"UPDATE shop.orders SET amount = 2000 + id WHERE id < {MANY}")
        until(lambda: listed(world, "refused") == 2 * MANY)
        target.execute("ALTER TABLE orders DROP CONSTRAINT small")
    before = replays_begun(world)
    disync(world, "--replay")
    for begun in range(before + 1, before + 4):
        until(lambda n=begun: replays_begun(world) >= n, 30)  # type: ignore[misc]
        kill_the_holder(world.service, world.file_id)
        if listed(world, "asked") == 0:
            break
    until(lambda: listed(world, "replayed") == 2 * MANY)
    until(lambda: world.rows() == world.truth())
    until(lambda: failovers(world) >= 1)  # told of a moment after its rows, where the last of them came first
