"""A database that is dropped takes its tables along, and the log names none of them (C81)."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from pair import ALL, Pair

import mysqld
from disync.model.ddl import Policy
from disync.model.errors import DdlRefused

TABLES = ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE u (id INT PRIMARY KEY)")
ROWS = ("INSERT INTO t VALUES (1, 1), (2, 2)", "INSERT INTO u VALUES (1)")


REMADE = (TABLES[0], "INSERT INTO t VALUES (2, 20), (3, 3)")


@pytest.fixture
def other(pair: Pair) -> Iterator[str]:
    """A second database of the task, to be dropped; its tables come to the same schema of the target."""
    name = f"{pair.name}_other"
    pair.source.run([f"CREATE DATABASE {name}", f"USE {name}", *TABLES, *ROWS])
    pair.sql("CREATE TABLE stays (id INT PRIMARY KEY)", "INSERT INTO stays VALUES (1)")
    yield name
    pair.source.run(f"DROP DATABASE {name}")


def _code(pair: Pair, other: str) -> str:
    selected = [{"dbName": name, "schema": []} for name in (pair.name, other)]
    return pair.code(reader={"connection": [{"datasource": "here", "selectedTables": selected}]})


def _rows(pair: Pair, other: str, table: str) -> list[tuple[object, ...]] | None:
    try:
        return pair.select(f'SELECT * FROM "{other}.{table}" ORDER BY id')
    except psycopg.errors.UndefinedTable:
        return None


STATEMENTS = {
    "dropped": ("DROP DATABASE IF EXISTS `{0}`", "CREATE SCHEMA {0}"),
    "replaced": ("CREATE OR REPLACE DATABASE {0}",),
}


@pytest.mark.parametrize("name", [*STATEMENTS][: 1 if mysqld.MYSQL else None])
def test_c81_a_database_is_dropped_and_made_anew(pair: Pair, other: str, name: str) -> None:
    with pair.task(_code(pair, other), ddl=ALL) as running:
        running.settle()
        assert _rows(pair, other, "t") == [(1, 1), (2, 2)] and _rows(pair, other, "u") == [(1,)]
        pair.source.run([*(each.format(other) for each in STATEMENTS[name]), f"USE {other}", *REMADE])
        running.settle()
        assert _rows(pair, other, "t") == [(2, 20), (3, 3)] and _rows(pair, other, "u") is None
        assert pair.select(f'SELECT * FROM "{pair.name}.stays"') == [(1,)]


def test_c81_the_same_while_nobody_reads(pair: Pair, other: str, full: None) -> None:
    with pair.task(_code(pair, other), ddl=ALL) as running:
        running.settle()
    drop = [each.format(other) for each in STATEMENTS["dropped"]]
    pair.source.run([f"INSERT INTO {other}.t VALUES (9, 9)", *drop, f"USE {other}", *REMADE])
    with pair.task(_code(pair, other), ddl=ALL) as running:
        running.settle()
        assert _rows(pair, other, "t") == [(2, 20), (3, 3)]


def test_c81_a_dropped_database_stops_a_task_that_must_not_follow(pair: Pair, other: str) -> None:
    with pair.task(_code(pair, other), ddl={"DROPTABLE": Policy.CRITICAL}) as running:
        running.settle()
        pair.source.run([f"DROP SCHEMA {other}", f"CREATE DATABASE {other}"])
        error = running.fails()
        assert isinstance(error, DdlRefused) and f"DROPTABLE of {other}.t" in str(error)
    assert _rows(pair, other, "t") == [(1, 1), (2, 2)]
