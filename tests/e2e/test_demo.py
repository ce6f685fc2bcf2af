"""The parts of `disync demo` on real servers, with a few rows of each table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_crash import until

from disync.demo import checksum, mariadb, nycflights, postgres, process, replication, solution
from disync.demo.changes import Changes
from disync.demo.place import Place, free_port, serve, stop_earlier
from disync.demo.replication import DATABASE, SCHEMA, Databases
from disync.demo.sdk import Api
from disync.demo.seed import PROCESS_CONTENT
from disync.model.errors import Refused

LIMIT = 800


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("demo") / "home"
    stop_earlier(home)
    try:
        yield home
    finally:
        folders = [path.resolve() for path in home.iterdir() if path.is_symlink()]
        assert process.stop_all(home), "everything had ended before it was stopped"
        assert process.pids(home) == []
        assert not any(folder.exists() for folder in folders)


@pytest.fixture(scope="module")
def both(home: Path) -> Databases:
    return replication.databases(Place(home, "", "", "", ""))


@pytest.fixture(scope="module")
def place(home: Path) -> Place:
    return serve(home, 0, 0)


def equal_rows(both: Databases) -> list[int]:
    """The rows of every table in MariaDB."""
    with replication.opened(both) as (source, _):
        return [checksum.in_mariadb(source, table.name, table.names).rows for table in nycflights.TABLES]


def test_the_task_follows_while_rows_change_and_a_worker_dies(
    home: Path, place: Place, both: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tables, at a small size, through the official SDK; at the end both databases hold the same."""
    monkeypatch.setattr(replication, "BURST", 3_000)
    total = replication.fill(both.source, LIMIT)
    assert equal_rows(both) == [16, LIMIT, LIMIT, LIMIT, LIMIT]
    _, figures = replication.run(place, Api(place), both, total)
    assert figures.mismatches == []
    assert figures.failovers == 1
    assert figures.changed > 2 * replication.BURST
    assert equal_rows(both) != [16, LIMIT, LIMIT, LIMIT, LIMIT]
    with both.target.connect() as target:
        target.execute(f"UPDATE {SCHEMA}.planes SET engines = engines + 1 WHERE upper(tailnum) = 'N103US'".encode())
        target.execute(f"DELETE FROM {SCHEMA}.weather WHERE wind_dir = 20".encode())
    assert replication.compare(both) == ["planes", "weather"]
    assert len(process.pids(home)) == 3


def test_the_solution_of_the_sample_takes_the_whole_database(
    place: Place, both: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its own comparison a row is broken, and the comparison says so."""
    monkeypatch.setattr(solution, "CHANGED", 500)
    file_id = solution.run(place, Api(place), both)
    found = Api(place).answer(file_id, solution.SOLUTION)["Data"]["SolutionDetail"]
    assert (found["Status"], found["ProcessContent"]) == ("0", PROCESS_CONTENT)
    assert json.loads(found["ProcessExtra"]) == {"processType": "new", "tableNum": len(nycflights.TABLES)}
    with both.target.connect() as target:
        target.execute(b"UPDATE public.planes SET engines = engines + 1 WHERE upper(tailnum) = 'N103US'")
    with pytest.raises(Refused, match="differ"):
        solution.verify(place, file_id)


def test_the_files_of_the_package_are_loaded_whole(both: Databases) -> None:
    """What a file holds is what the table holds: numbers, times and nulls."""
    connection = both.source.connect(local_infile=True)
    with connection.cursor() as cursor:
        for statement in ("DROP TABLE IF EXISTS airports", "DROP TABLE IF EXISTS weather"):
            cursor.execute(statement)
        assert nycflights.load(connection, nycflights.AIRPORTS) == 1458
        assert nycflights.load(connection, nycflights.WEATHER, 30) == 30
        cursor.execute("SELECT name, lat, alt, tzone FROM airports WHERE faa = '04G'")
        assert cursor.fetchall() == (("Lansdowne Airport", 41.1304722, 1044, "America/New_York"),)
        cursor.execute("SELECT COUNT(*) FROM airports WHERE tzone IS NULL")
        assert cursor.fetchall() == ((3,),)
        cursor.execute(
            "SELECT CAST(time_hour AS CHAR), temp, wind_speed, wind_gust FROM weather ORDER BY time_hour LIMIT 1"
        )
        ((time_hour, temp, speed, gust),) = cursor.fetchall()
        assert (time_hour, str(temp), speed, gust) == ("2013-01-01 06:00:00", "39.0200", 10.357019999999999, None)
    connection.close()


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("(1, 'a', 1.5), (2, NULL, NULL)", "(2, NULL, NULL), (1, 'a', 1.5)"),
        ("(1, '值\\t|', 10.357019999999999)", "(1, E'值\\t|', 10.357019999999999)"),
    ],
)
def test_equal_rows_have_equal_sums(both: Databases, here: str, there: str) -> None:
    assert sums(both, here, there)[0] == sums(both, here, there)[1]


@pytest.mark.parametrize("there", ["(1, '', 1.5)", "(1, '-', 1.5)", "(1, NULL, 1.5), (1, NULL, 1.5)", "(11, NULL, .5)"])
def test_other_rows_have_other_sums(both: Databases, there: str) -> None:
    here, other = sums(both, "(1, NULL, 1.5)", there)
    assert here != other


def sums(both: Databases, here: str, there: str) -> tuple[checksum.Sum, checksum.Sum]:
    columns = ("n", "t", "f")
    with replication.opened(both) as (source, target):
        with source.cursor() as cursor:
            cursor.execute("CREATE OR REPLACE TABLE sums (n INT, t VARCHAR(20), f DOUBLE)")
            cursor.execute(f"INSERT INTO sums VALUES {here}")
        target.execute("DROP TABLE IF EXISTS sums")
        target.execute("CREATE TABLE sums (n int, t text, f double precision)")
        target.execute(f"INSERT INTO sums VALUES {there}".encode())
        return (
            checksum.in_mariadb(source, "sums", columns),
            checksum.in_postgres(target, "public", "sums", columns),
        )


def test_changes_by_one_seed_are_always_the_same(both: Databases) -> None:
    one, two = Changes(both.source, 5, 800), Changes(both.source, 5, 800)
    chosen = [[of._filled("{low} {month} {day} {seats} {letter}") for _ in range(9)] for of in (one, two)]
    assert chosen[0] == chosen[1]
    assert both.source.database == DATABASE


def test_what_is_not_the_demos_own_is_left_alone(tmp_path: Path) -> None:
    """A number that another process has got since, and a file that was not written to its end."""
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        (tmp_path / "mariadb.pid").write_text(f"{other.pid} 15\n--datadir=/nowhere/data")
        (tmp_path / "server.pid").write_text("")
        assert process.stop_all(tmp_path) == []
        assert other.poll() is None
        assert list(tmp_path.iterdir()) == []
    finally:
        other.communicate(b"\n")


def test_one_that_does_not_obey_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.3)
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    deaf = process.Program("deaf", [sys.executable, "-c", code, "x-mark"], "x-mark")
    running = process.start(tmp_path, deaf)
    until(lambda: "deaf" in process.log_of(tmp_path, "deaf").read_text())
    os.kill(running.pid, 0)
    assert process.stop_all(tmp_path) == [running.pid]
    assert running.returncode == -signal.SIGKILL


def test_a_program_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such thing"):
        process.run_once([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path, None)


def test_ports_that_are_free_differ_from_those_in_use(home: Path, both: Databases) -> None:
    assert free_port(both.source.port) != both.source.port
    assert postgres.program("initdb") and mariadb.program("mariadbd")
