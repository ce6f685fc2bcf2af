"""Statements that do several things to columns at once (C77, C82): no value ends up under another column's name."""

from __future__ import annotations

import psycopg
import pytest
from pair import ALL, Pair

import mysqld

TABLE = ("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, c INT)", "INSERT INTO t VALUES (1, 1, 2, 3), (2, 4, 5, 6)")

STATEMENTS = {
    "two change places": ("CHANGE a b INT, CHANGE b a INT", "a, b, c"),
    "each takes the next one's name": ("CHANGE a b INT, CHANGE b c INT, CHANGE c d INT", "b, c, d"),
    "one takes the name of one that goes": ("DROP b, CHANGE a b INT", "b, c"),
    "renamed and moved": ("CHANGE a x INT AFTER c, CHANGE b y INT", "x, y, c"),
    "renamed, and its name given away": ("CHANGE a x INT, ADD a INT DEFAULT 9", "a, x, b, c"),
    "dropped and added anew": ("DROP COLUMN a, ADD COLUMN a INT DEFAULT 9", "a, b, c"),
    "added in brackets": ("ADD (`x` INT DEFAULT 7, y DECIMAL(5,2) DEFAULT '1.5'), DROP b", "a, c, x, y"),
    "added in brackets with COLUMN": (
        f"ADD COLUMN {'' if mysqld.MYSQL else 'IF NOT EXISTS '}(x INT NOT NULL DEFAULT 4, y VARCHAR(9) DEFAULT '),(')",
        "x, y",
    ),
}


def _equal(pair: Pair, columns: str) -> bool:
    try:
        return pair.equal(columns=f"id, {columns}")
    except psycopg.errors.UndefinedColumn:
        return False  # not yet


@pytest.mark.parametrize("name", STATEMENTS)
def test_c82_names_are_exchanged_while_the_task_runs(both: Pair, name: str) -> None:
    actions, columns = STATEMENTS[name]
    both.sql(*TABLE)
    with both.task(both.code("t"), ddl=ALL) as running:
        running.settle()
        both.sql(f"ALTER TABLE t {actions}", "INSERT INTO t (id) VALUES (3)")
        running.until(lambda: _equal(both, columns))
        first = columns.partition(",")[0]
        both.sql(f"UPDATE t SET {first} = 70 + id", "DELETE FROM t WHERE id = 2")
        running.until(lambda: _equal(both, columns))


@pytest.mark.parametrize("name", STATEMENTS)
def test_c77_c82_the_same_while_nobody_reads(pair: Pair, full: None, name: str) -> None:
    actions, columns = STATEMENTS[name]
    pair.sql(*TABLE)
    with pair.task(pair.code("t"), ddl=ALL) as running:
        running.settle()
    pair.sql("UPDATE t SET c = 60 WHERE id = 2", f"ALTER TABLE t {actions}", "INSERT INTO t (id) VALUES (3)")
    with pair.task(pair.code("t"), ddl=ALL) as running:
        running.until(lambda: _equal(pair, columns))
