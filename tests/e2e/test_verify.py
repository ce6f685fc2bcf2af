"""`disync verify`: what was planted by hand is found while the source changes, and repaired."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from shop import ROWS, World, change, stock
from test_crash import kill_the_holder, until

import mysqld
import servers
from disync.store import dirty
from disync.store.database import open_store


def stock_both(source: mysqld.Server) -> None:
    """Orders by their numbers, and names by themselves."""
    stock(source)
    source.run("CREATE TABLE shop.names (name VARCHAR(40) COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)")
    source.run("INSERT INTO shop.names SELECT CONCAT(IF(seq % 2, 'A', 'b'), seq), seq FROM shop.seq_1_to_500")


@pytest.fixture
def world(source: mysqld.Server, postgres_database: str, tmp_path: Path) -> Iterator[World]:
    stock_both(source)
    with servers.disync(tmp_path, datahub=False) as service:
        world = World(service, source, postgres_database)
        until(lambda: world.rows() == world.truth() and len(world.select("SELECT 1 FROM names")) == 500)
        yield world


def verify(world: World, *words: str, file_id: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "disync", "verify", file_id or world.file_id, "--home", str(world.service.home), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env=servers.child_environment(),
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def spoil(world: World) -> None:
    """A row that is lost, one from nowhere, one with a flipped bit; in a table of numbers and in one of texts."""
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("DELETE FROM orders WHERE id = 17")
        target.execute("INSERT INTO orders VALUES (-5, 'from nowhere', 1, NULL)")
        target.execute("INSERT INTO names VALUES ('a1', 1)")
        target.execute("UPDATE names SET n = n # 1 WHERE name = 'b2'")
    world.source.run("INSERT INTO shop.orders VALUES (-7, 'silent', 7, 'x')", sql_log_bin=0)
    world.source.run("UPDATE shop.orders SET note = 'silently' WHERE id = 18", sql_log_bin=0)


def planted(report: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (table["source"], row["what"], str(*row["key"].values()), ",".join(row["columns"]))
        for table in report["tables"]
        for row in table["differences"]
    }


PLANTED = {
    ("orders", "missing", "17", ""),
    ("orders", "missing", "-7", ""),
    ("orders", "extra", "-5", ""),
    ("orders", "different", "18", "note"),
    ("names", "extra", "a1", ""),
    ("names", "different", "b2", "n"),
}


def busily(world: World, seed: int) -> threading.Thread:
    """A writer that leaves the planted rows alone: it changes those above 1000."""

    def write() -> None:
        for number in range(150):
            some = 1000 + (seed * 7919 + number * 31) % (ROWS - 1100)
            world.source.run(
                [
                    "BEGIN",
                    f"UPDATE shop.orders SET amount = amount + 1 WHERE id BETWEEN {some} AND {some + 20}",
                    f"REPLACE INTO shop.orders VALUES ({ROWS + seed * 1000 + number}, 'new', 1, NULL)",
                    f"DELETE FROM shop.orders WHERE id = {some + 50}",
                    "COMMIT",
                ]
            )

    thread = threading.Thread(target=write)
    thread.start()
    return thread


def test_found_and_repaired_while_a_writer_goes_on(world: World) -> None:
    writer = busily(world, 1)
    done = verify(world)
    assert (done.returncode, done.stdout.count("equal,")) == (0, 2), done.stdout + done.stderr
    spoil(world)
    done = verify(world, "--json")
    assert done.returncode == 1 and planted(told(done)) == PLANTED
    writer.join()
    writer = busily(world, 2)
    done = verify(world, "--repair")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Rows repaired: 6; compared again, they are equal." in done.stdout
    writer.join()
    until(lambda: world.rows() == world.truth())
    assert verify(world).returncode == 0
    assert "There is nothing to repair." in verify(world, "--repair").stdout
    store = open_store(world.service.home)
    with store.read() as db:
        assert dirty.of_task(db, int(world.file_id)) == []
    store.close()


def test_a_task_at_rest_is_repaired_at_its_next_start(world: World) -> None:
    world.task("StopDISyncInstance")
    until(lambda: world.state() == "PAUSE")
    spoil(world)
    world.source.run("UPDATE shop.orders SET amount = 7 WHERE id = 40")
    report = told(done := verify(world, "--repair", "--json"))
    assert done.returncode == 1 and not report["running"]
    assert planted(report) == PLANTED | {("orders", "different", "40", "amount")}
    whys = {str(*row["key"].values()): row["why"] for table in report["tables"] for row in table["differences"]}
    assert whys.pop("40") == "not yet applied" and set(whys.values()) == {"unexplained"}
    assert (report["repair"]["asked"], report["repair"]["done"]) == (6, False)
    world.task("StartDISyncInstance")
    until(lambda: world.rows() == world.truth())
    until(lambda: verify(world).returncode == 0)


def test_a_repair_outlives_the_death_of_its_worker(world: World) -> None:
    with psycopg.connect(world.target, autocommit=True) as target:
        target.execute("DELETE FROM orders WHERE id < 2000")
    repairing = threading.Thread(target=verify, args=(world, "--repair"))
    repairing.start()
    until(lambda: "replay of refused rows begins" in world.service.log, 60)
    kill_the_holder(world.service, world.file_id)
    change(world.source, 3, 50)
    repairing.join()
    until(lambda: world.rows() == world.truth())


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--table", "nobody"), "reads no table named nobody"), (("--most", "0"), "Invalid value for '--most'")],
)
def test_bad_input_is_exit_code_2(world: World, words: tuple[str, ...], said: str) -> None:
    failed = verify(world, *words)
    assert (failed.returncode, failed.stdout) == (2, "") and said in failed.stderr
    unknown = verify(world, file_id="99")
    assert unknown.returncode == 2 and "fileId:[99] is invalid" in unknown.stderr


def test_one_table_and_what_people_see(world: World) -> None:
    spoil(world)
    done = verify(world, "--table", "names")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "names → public.names: 1 extra, 1 different; 500 rows in the source, 501 in the target",
        '    extra      {"name":"a1"}',
        '    different  {"name":"b2"} in n',
    ]
