"""What a server sets for all its users, and what becomes of rows then: nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from pair import Pair
from verifying import compared, found

import mysqld
from disync.engine.findings import What
from mysqld import Server


@contextmanager
def setting(source: Server, name: str, value: str) -> Iterator[None]:
    before = source.run(f"SELECT @@GLOBAL.{name}")[0][0]
    source.run(f"SET GLOBAL {name} = {value}")
    try:
        yield
    finally:
        source.run(f"SET GLOBAL {name} = {repr(before) if isinstance(before, str) else before}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sql_select_limit", "7"),
        ("init_connect", "'SET sql_select_limit = 7'"),
        ("max_join_size", "10"),
        ("autocommit", "0"),
    ],
)
def test_a_limit_that_a_server_sets_for_its_users_cuts_nothing_short(pair: Pair, name: str, value: str) -> None:
    columns = ", ".join(f"c{number} INT" for number in range(12))
    pair.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})", "INSERT INTO t (id) SELECT seq FROM seq_1_to_500")
    pair.sql("CREATE TABLE names (name VARCHAR(40) PRIMARY KEY)", "INSERT INTO names SELECT seq FROM seq_1_to_300")
    with setting(pair.source, name, value):
        with pair.task(pair.code()) as running:
            running.settle()
            pair.sql("UPDATE t SET c11 = 5 WHERE id < 100", "DELETE FROM names WHERE name < '2'")
            running.settle()
        assert all(report.equal for report in compared(pair, running=False).values())
        pair.select("DELETE FROM names WHERE name = '299'")
        assert found(compared(pair, running=False)["names"]) == {(What.MISSING, ("299",), ())}
    assert pair.select("SELECT count(*), count(c11), max(c11) FROM t") == [(500, 99, 5)]


def test_what_is_not_committed_is_not_loaded(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_50")
    level = "READ-UNCOMMITTED"
    with (
        setting(pair.source, "transaction_isolation" if mysqld.MYSQL else "tx_isolation", f"'{level}'"),
        closing(pair.source.root(database=pair.name, autocommit=False)) as session,
        session.cursor() as cursor,
    ):
        cursor.execute("UPDATE t SET v = 1 WHERE id < 5")
        cursor.execute("INSERT INTO t VALUES (99, 1)")
        with pair.task(pair.code()) as running:
            running.settle()
            session.rollback()
            running.settle()
        assert pair.equal()
