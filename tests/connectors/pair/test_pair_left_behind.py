"""A table that cannot go on is left behind, with its reason, and the others go on; it is loaded anew when it may."""

from __future__ import annotations

import pytest
from pair import Pair

from disync.model.ddl import Policy
from disync.model.errors import BadConfig, NeedsConfirmation
from waiting import until

TABLES = ("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "CREATE TABLE u LIKE t", "INSERT INTO t VALUES (1, 1), (2, 2)")


def loaded(pair: Pair, *tables: str) -> bool:
    marks = pair.ledger.checkpoints()
    splits = [split for split in pair.ledger.load() if split.table.name in tables]
    return {split.table.name for split in splits} == {*tables} and all(
        s.id in marks and marks[s.id].done for s in splits
    )


def test_a_change_that_stops_one_table_lets_the_others_go_on(both: Pair) -> None:
    both.sql(*TABLES, "INSERT INTO u SELECT * FROM t")
    code, ddl = both.code("t", "u"), {"ADDCOLUMN": Policy.CRITICAL, "TRUNCATETABLE": Policy.NORMAL}
    with both.task(code, ddl=ddl, isolates=True):
        until(lambda: loaded(both, "t", "u"))
        both.sql("UPDATE u SET v = 7", "ALTER TABLE u ADD COLUMN more INT", "UPDATE u SET v = 8", "UPDATE t SET v = 9")
        until(lambda: both.select("SELECT v FROM t ORDER BY id") == [(9,), (9,)])
        assert both.select("SELECT v FROM u") == [(7,), (7,)]
        assert "ADDCOLUMN of u stops" in both.ledger.failed()["u"]
        both.sql("DELETE FROM u WHERE id = 1", "INSERT INTO t VALUES (3, 3)")
        until(lambda: both.equal("t"))
    both.ledger.retry()
    both.select("ALTER TABLE u ADD COLUMN more integer")
    with both.task(code, ddl=ddl, isolates=True):
        until(lambda: both.equal("t") and both.equal("u"))
        both.sql("INSERT INTO u VALUES (5, 5, 5)")
        until(lambda: both.equal("u"))
    assert both.ledger.failed() == {}


def test_a_target_that_somebody_breaks_stops_its_table_only(pair: Pair) -> None:
    pair.sql(*TABLES, "INSERT INTO u SELECT * FROM t")
    with pair.task(pair.code("t", "u"), isolates=True):
        until(lambda: loaded(pair, "t", "u"))
        pair.select("DROP TABLE u")
        pair.sql("UPDATE u SET v = 3", "UPDATE t SET v = 3")
        until(lambda: pair.equal("t") and "u" in pair.ledger.failed())
        pair.sql("INSERT INTO t VALUES (4, 4)")
        until(lambda: pair.equal("t"))
    pair.ledger.retry()
    with pair.task(pair.code("t", "u"), isolates=True):
        until(lambda: loaded(pair, "t", "u") and pair.equal("t") and pair.equal("u"))


def test_a_table_that_is_dropped_while_nobody_looks(pair: Pair) -> None:
    pair.sql(*TABLES, "INSERT INTO u SELECT * FROM t")
    with pair.task(pair.code("t", "u"), isolates=True):
        until(lambda: loaded(pair, "t", "u"))
    pair.sql("UPDATE u SET v = 3", "DROP TABLE u", "INSERT INTO t VALUES (4, 4)")
    with pair.task(pair.code("t", "u"), isolates=True):
        until(lambda: pair.equal("t"))
        assert "has no table u" in pair.ledger.failed()["u"]


def test_where_no_table_can_go_on_the_task_ends(pair: Pair) -> None:
    pair.sql(*TABLES)
    with pair.task(pair.code("t"), ddl={"ADDCOLUMN": Policy.CRITICAL}, isolates=True) as carried:
        until(lambda: loaded(pair, "t"))
        pair.sql("ALTER TABLE t ADD COLUMN more INT")
        assert "ADDCOLUMN of t stops" in str(carried.fails())
    assert pair.ledger.failed() == {}


def test_a_task_that_does_not_isolate_ends(pair: Pair) -> None:
    pair.sql(*TABLES)
    with pair.task(pair.code("t", "u"), ddl={"ADDCOLUMN": Policy.CRITICAL}) as carried:
        until(lambda: loaded(pair, "t", "u"))
        pair.sql("ALTER TABLE t ADD COLUMN more INT")
        assert "ADDCOLUMN of t stops" in str(carried.fails())


@pytest.mark.parametrize("isolates", [True, False])
def test_a_table_that_differs_is_asked_about(pair: Pair, isolates: bool) -> None:
    """Once it is confirmed, columns that the target has not are left out."""
    pair.sql(*TABLES)
    pair.select("CREATE TABLE t (id integer PRIMARY KEY)")
    with pair.task(pair.code("t", "u"), isolates=isolates) as carried:
        error = carried.fails()
        assert isinstance(error, NeedsConfirmation if isolates else BadConfig) and "no column v" in str(error)
    assert pair.select("SELECT to_regclass('u')") == [(None,)]
    with pair.task(pair.code("t", "u"), isolates=isolates, confirmed=True):
        until(lambda: pair.select("SELECT id FROM t ORDER BY id") == [(1,), (2,)])


def test_a_table_that_cannot_be_used_as_it_is_is_left_behind(pair: Pair) -> None:
    pair.sql(*TABLES)
    pair.select("CREATE TABLE t (id integer, v integer, needed integer NOT NULL, PRIMARY KEY (v))")
    with pair.task(pair.code("t", "u"), isolates=True, confirmed=True):
        until(lambda: loaded(pair, "u"))
        assert "does not fit" in pair.ledger.failed()["t"]
