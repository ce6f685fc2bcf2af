"""Somebody alters the target: what the source has is not lost without a word."""

from __future__ import annotations

import pytest
from pair import ALL, Pair, Running

from disync.model.ddl import Policy
from disync.model.errors import BadConfig


def _made(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT)", "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)")


def _stops(running: Running) -> None:
    error = running.fails()
    assert isinstance(error, BadConfig) and not error.retry, error
    assert error.tables == {"t"} and 'ADD COLUMN "v"' in str(error), error


def test_c94_a_column_goes_while_its_rows_come(pair: Pair) -> None:
    _made(pair)
    with pair.task(pair.code()) as running:
        running.settle()
        pair.sql("UPDATE t SET v = 20 WHERE id = 2")
        running.settle()
        pair.select("ALTER TABLE t DROP COLUMN v")
        pair.sql("UPDATE t SET v = 10 WHERE id = 1")
        _stops(running)


def test_c94_a_column_goes_before_the_first_change(pair: Pair) -> None:
    _made(pair)
    with pair.task(pair.code()) as running:
        running.settle()
        pair.select("ALTER TABLE t DROP COLUMN v")
        pair.sql("UPDATE t SET v = 10 WHERE id = 1")
        _stops(running)


def test_c94_a_column_goes_and_then_the_source_alters_another(pair: Pair) -> None:
    _made(pair)
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
        pair.sql("UPDATE t SET v = 20 WHERE id = 2")
        running.settle()
        pair.select("ALTER TABLE t DROP COLUMN v")
        pair.sql("ALTER TABLE t ADD COLUMN x INT", "UPDATE t SET v = 10, x = 1 WHERE id = 1")
        _stops(running)


def test_c94_a_column_goes_while_the_task_stands(pair: Pair) -> None:
    _made(pair)
    with pair.task(pair.code()) as running:
        running.settle()
    pair.select("ALTER TABLE t DROP COLUMN v")
    pair.sql("UPDATE t SET v = 10 WHERE id = 1")
    with pair.task(pair.code()) as running:
        _stops(running)
    pair.select("ALTER TABLE t ADD COLUMN v INT")
    pair.select("UPDATE t SET v = id")
    with pair.task(pair.code()) as running:
        running.settle()
        assert pair.equal(columns="id, v, w")


def test_c94_a_key_that_the_source_has_changed_is_asked_of_the_target(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT NOT NULL)", "INSERT INTO t VALUES (1, 1)")
    with pair.task(pair.code()) as running:
        running.settle()
        pair.sql("ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (v)", "UPDATE t SET id = 2")
        error = running.fails()
        assert isinstance(error, BadConfig) and "The key of t is (v)" in str(error), error
    pair.select("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)")
    with pair.task(pair.code()) as running:
        running.settle()
        assert pair.equal()


@pytest.mark.parametrize("kind", ["ADDCOLUMN", "RENAMECOLUMN"])
def test_c94_what_the_task_was_told_not_to_follow_stays_away(pair: Pair, kind: str) -> None:
    _made(pair)
    policies = {kind: Policy.IGNORE}
    with pair.task(pair.code(), ddl=policies) as running:
        running.settle()
        pair.sql(
            "ALTER TABLE t ADD COLUMN x INT" if kind == "ADDCOLUMN" else "ALTER TABLE t RENAME COLUMN v TO x",
            "UPDATE t SET x = 7, w = 70 WHERE id = 1",
        )
        running.settle()
        assert pair.select("SELECT id, v, w FROM t ORDER BY id") == [(1, 1, 70), (2, 2, 2)]
    pair.sql("UPDATE t SET x = 8, w = 80 WHERE id = 2")
    with pair.task(pair.code(), ddl=policies) as running:
        running.settle()
        assert pair.select("SELECT id, v, w FROM t ORDER BY id") == [(1, 1, 70), (2, 2, 80)]
