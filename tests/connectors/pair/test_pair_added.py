"""A column that comes with a value for the rows that are there (C77): they have it in the target, too."""

from __future__ import annotations

import pytest
from pair import Pair

import mysqld

_TEXT = "('text')" if mysqld.MYSQL else "'text'"  # MySQL has it computed
TYPES = {
    "i": "INT DEFAULT -7",
    "iu": "BIGINT UNSIGNED NOT NULL DEFAULT 18446744073709551615",
    "i0": "SMALLINT NOT NULL",
    "de": "DECIMAL(12,4) DEFAULT '3.5'",
    "de0": "DECIMAL(6,2) NOT NULL",
    "f": "DOUBLE DEFAULT 1e-3",
    "v": "VARCHAR(40) DEFAULT 'it''s \\\\ é中\\n\\t\"'",
    "vl": "VARCHAR(40) CHARACTER SET latin1 DEFAULT 'é'",
    "v0": "VARCHAR(40) NOT NULL",
    "vn": "VARCHAR(40) DEFAULT 'NULL'",
    "n": "VARCHAR(40) DEFAULT NULL",
    "t": f"TEXT DEFAULT {_TEXT}",
    "t0": "TEXT NOT NULL",
    "e": "ENUM('x', 'y,') DEFAULT 'y,'",
    "e0": "ENUM('first', 'second') NOT NULL",
    "s": "SET('x', 'y') DEFAULT 'x,y'",
    "s0": "SET('x', 'y') NOT NULL",
    "da": "DATE DEFAULT '2024-02-29'",
    "dt": "DATETIME(3) DEFAULT '2024-02-29 10:11:12.5'",
    "ts": "TIMESTAMP NULL DEFAULT NULL",
    "ti": "TIME(2) DEFAULT '-10:11:12.25'",
    "ti0": "TIME NOT NULL",
    "y": "YEAR DEFAULT 2024",
    "b1": "BIT(1) DEFAULT b'1'",
    "b9": "BIT(9) NOT NULL DEFAULT b'100000001'",
    "b0": "BIT(9) NOT NULL",
    "bl0": "BLOB NOT NULL",
    "bi0": "BINARY(3) NOT NULL",
}
SHOWN = {
    "f": "f + 0e0",
    "b1": "b1 + 0",
    "b9": "b9 + 0",
    "b0": "b0 + 0",
    "dt": "CAST(dt AS CHAR)",
    "ti": "CAST(ti AS CHAR)",
}
SHOWN |= {"ti0": "CAST(ti0 AS CHAR)"}
HERE = {"b1": "b1::int", "dt": "to_char(dt, 'YYYY-MM-DD HH24:MI:SS.MS')"}


def _equal(pair: Pair) -> bool:
    columns = [row[0] for row in pair.sql("SHOW COLUMNS FROM t")]
    there = f"SELECT 1 FROM information_schema.columns WHERE table_schema = '{pair.name}' AND table_name = 't'"
    if len(pair.select(there)) != len(columns):
        return False
    return pair.equal(
        columns=", ".join(HERE.get(name, f'"{name}"') for name in columns),
        source_columns=", ".join(SHOWN.get(name, f"`{name}`") for name in columns),
    )


def test_c77_the_rows_that_are_there_have_the_default(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    with both.task(both.code("t")) as running:
        running.settle()
        columns = [f"ADD COLUMN `{name}` {type_}" for name, type_ in TYPES.items()]
        both.sql(f"ALTER TABLE t {', '.join(columns[:10])}", f"ALTER TABLE t {', '.join(columns[10:])}")
        both.sql("SET sql_mode = ''", "INSERT INTO t (id) VALUES (3)", "UPDATE t SET i = 5, n = 'x' WHERE id = 1")
        running.settle()
        assert _equal(both) and both.ledger.dirty == []
    defaults = (
        f"SELECT column_default FROM information_schema.columns WHERE table_schema = '{both.name}' AND table_name = 't'"
    )
    assert {default for (default,) in both.select(defaults)} == {None}, "the target decides nothing"
    assert {outcome for _, _, outcome in both.ledger.changes} == {"followed"}


def test_c77_several_at_once_wherever_they_are_put(both: Pair) -> None:
    """In one statement, in several that the task finds together, and while nobody reads."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, w INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql(
            "ALTER TABLE t ADD i INT DEFAULT 1 FIRST, ADD COLUMN v VARCHAR(9) NOT NULL DEFAULT 'v' AFTER id, DROP w"
        )
        running.settle()
    both.sql("INSERT INTO t (id) VALUES (3)", "ALTER TABLE t ADD a INT DEFAULT 2", "INSERT INTO t (id) VALUES (4)")
    both.sql("ALTER TABLE t ADD b INT DEFAULT 3", "INSERT INTO t (id, a) VALUES (5, 50)", "DELETE FROM t WHERE id = 1")
    with both.task(both.code("t")) as running:
        running.settle()
        columns = "id, i, v, a, b"
        assert both.equal(columns=columns)


@pytest.mark.parametrize(
    ("column", "then"),
    [
        ("c TIMESTAMP DEFAULT CURRENT_TIMESTAMP", []),
        ("c INT AS (id * 2) STORED", []),
        ("c INT DEFAULT (1 + 1)", []),
        ("c INT DEFAULT 1", ["ALTER TABLE t ALTER c SET DEFAULT 2"]),
    ],
)
def test_c77_what_nobody_can_tell_is_said(pair: Pair, column: str, then: list[str]) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with pair.task(pair.code("t")) as running:
        running.settle()
    pair.sql(f"ALTER TABLE t ADD COLUMN {column}", *then, "INSERT INTO t (id) VALUES (2)")
    with pair.task(pair.code("t")) as running:
        running.settle()
    assert pair.select("SELECT id, c IS NULL FROM t ORDER BY id") == [(1, True), (2, False)]
    assert "followed, but rows that were there have null in c" in [outcome for _, _, outcome in pair.ledger.changes]


def test_c77_what_is_only_appended_stays_as_it_was(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with pair.task(pair.code("t", writeMode="insert")) as running:
        running.settle()
        pair.sql("ALTER TABLE t ADD COLUMN c INT DEFAULT 7", "INSERT INTO t (id) VALUES (2)")
        running.settle()
        assert pair.select("SELECT id, c FROM t ORDER BY id") == [(1, None), (2, 7)]
