"""Names that differ in letter case only (C84), and a server for which they do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pair import ALL, Pair, made

import mysqld
from disync.model.errors import BadConfig
from disync.native import pgcopy

TABLE = "(id INT PRIMARY KEY, v VARCHAR(30))"


def test_c84_tables_that_differ_in_case_only_stay_apart(both: Pair) -> None:
    for number, name in enumerate(("orders", "Orders", "ORDERS"), 1):
        both.sql(
            f"CREATE TABLE `{name}` {TABLE}", f"INSERT INTO `{name}` SELECT seq, '{name}' FROM seq_1_to_{number * 100}"
        )
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
        both.sql(
            "UPDATE orders SET v = 'small'", "DELETE FROM Orders WHERE id > 50", "INSERT INTO ORDERS VALUES (999, 'x')"
        )
        both.sql(
            "TRUNCATE TABLE orders", "ALTER TABLE Orders ADD COLUMN n INT", "INSERT INTO orders VALUES (5, 'again')"
        )
        both.sql("RENAME TABLE ORDERS TO oRDERS", "INSERT INTO oRDERS VALUES (1000, 'renamed')", "DROP TABLE Orders")
        running.settle()
        assert both.equal("orders") and both.equal("oRDERS")
    names = f"SELECT table_name::text FROM information_schema.tables WHERE table_schema = '{both.name}'"
    assert {name for (name,) in both.select(names)} == {"orders", "oRDERS", "disync_checkpoint"}


def test_c84_only_the_one_that_is_named_is_in_the_task(pair: Pair) -> None:
    pair.sql(f"CREATE TABLE orders {TABLE}", f"CREATE TABLE Orders {TABLE}", "INSERT INTO Orders VALUES (1, 'big')")
    with pair.task(pair.code("orders"), ddl=ALL) as running:
        running.settle()
        pair.sql(
            "INSERT INTO Orders VALUES (2, 'big')", "INSERT INTO orders VALUES (3, 'small')", "TRUNCATE TABLE Orders"
        )
        running.settle()
        assert pair.equal("orders")
    with pair.task(pair.code("ORDERS")) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and "no table ORDERS" in str(error)


def test_c84_columns_in_another_case_are_the_columns(both: Pair) -> None:
    both.sql("CREATE TABLE t (Id INT PRIMARY KEY, vAlue VARCHAR(30))", "INSERT INTO t VALUES (1, 'one')")
    both.select("CREATE TABLE t (id int PRIMARY KEY, value varchar(30))")
    with both.task(both.code("t"), ddl=ALL) as running:
        running.settle()
        both.sql("UPDATE t SET ID = 2, VALUE = 'two'", "ALTER TABLE t CHANGE value VALUE VARCHAR(30)")
        both.sql("INSERT INTO t VALUES (3, 'three')")
        running.settle()
        assert both.select("SELECT id, value FROM t ORDER BY id") == [(2, "two"), (3, "three")]


@pytest.fixture(params=[None, pgcopy.FORMAT], ids=["arrow", "pgcopy"])
def folding(pair_target: str, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A server that keeps all names in lower case, as on Windows, and takes them however they are written."""
    with mysqld.server(lower_case_table_names="1") as server:
        server.run(["CREATE DATABASE settled", "CREATE TABLE settled.mark (id INT PRIMARY KEY, v CHAR(36))"])
        yield from made(server, pair_target, request.param)


def test_c84_statements_in_any_case_mean_the_one_table(folding: Pair) -> None:
    pair = folding
    pair.sql(f"CREATE TABLE Orders {TABLE}", "INSERT INTO ORDERS VALUES (1, 'one'), (2, 'two')")
    with pair.task(pair.code("orders"), ddl=ALL) as running:
        running.settle()
        pair.sql("INSERT INTO oRders VALUES (3, 'three')", "ALTER TABLE ORDERS ADD COLUMN n INT DEFAULT 4 AFTER id")
        pair.sql("INSERT INTO Orders VALUES (4, 4, 'four')")
        running.settle()
        assert pair.equal("orders", "id, n, v")
        pair.sql("TRUNCATE TABLE Orders", "INSERT INTO orders VALUES (5, 5, 'five')")
        running.settle()
        assert pair.equal("orders", "id, n, v")
    pair.sql(f"ALTER TABLE {pair.name.upper()}.ORDERS MODIFY n INT FIRST", "INSERT INTO Orders VALUES (6, 6, 'six')")
    with pair.task(pair.code("orders"), ddl=ALL) as running:
        running.settle()
        assert pair.equal("orders", "id, n, v")
    with pair.task(pair.code("Orders")) as running:
        assert isinstance(running.fails(), BadConfig)
