"""Tables that change their names, or places (C79, C03): none is taken for another one."""

from __future__ import annotations

import pytest
from pair import ALL, Pair

import mysqld
from disync.connectors.mysql.binlog.errors import NotServed
from disync.model.ddl import Policy

TABLES = (
    "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(20))",
    "CREATE TABLE b LIKE a",
    "INSERT INTO a VALUES (1, 'a'), (2, 'a')",
    "INSERT INTO b VALUES (1, 'b'), (3, 'b')",
)
SWAP = "RENAME TABLE a TO tmp, b TO a, tmp TO b"


def test_c79_two_tables_change_places(both: Pair, full: None) -> None:
    both.sql(*TABLES)
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
        both.sql("INSERT INTO a VALUES (10, 'old a')", SWAP, "INSERT INTO a VALUES (11, 'new a')")
        both.sql("ALTER TABLE a RENAME TO c, ADD COLUMN n INT DEFAULT 5", "INSERT INTO c VALUES (12, 'c', 6)")
        running.settle()
        assert both.equal("b") and both.equal("c")
    both.sql("RENAME TABLE b TO x, c TO b, x TO c", "DELETE FROM b WHERE id = 1")
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
        assert both.equal("b") and both.equal("c")


def test_c79_a_table_from_outside_takes_the_place_of_one(both: Pair) -> None:
    """Its rows are not in the log: they are loaded. The columns follow, though nobody tells of them."""
    both.sql(*TABLES, "CREATE TABLE other (id INT PRIMARY KEY, v VARCHAR(200), n DECIMAL(5,2))")
    both.sql("INSERT INTO other SELECT seq, REPEAT('o', 150), 1.25 FROM seq_5_to_300")
    with both.task(both.code("a", "b"), ddl=ALL) as running:
        running.settle()
        both.sql("RENAME TABLE a TO gone, other TO a", "INSERT INTO a VALUES (1000, 'after', 2)", "DELETE FROM b")
        running.until(lambda: len(running.runs) > 1 and _columns(both, "a") == 3)
        running.until(lambda: both.equal("a") and both.equal("b"))
        both.sql("DELETE FROM a WHERE id < 50", "UPDATE b SET v = 'x'", "INSERT INTO b VALUES (9, 'nine')")
        running.until(lambda: both.equal("a") and both.equal("b"))


def test_c79_the_same_while_nobody_reads(pair: Pair) -> None:
    pair.sql(*TABLES, "CREATE TABLE other LIKE a", "INSERT INTO other SELECT seq, 'other' FROM seq_5_to_300")
    with pair.task(pair.code("a", "b"), ddl=ALL) as running:
        running.settle()
    pair.sql("RENAME TABLE a TO gone, other TO a", "INSERT INTO a VALUES (1000, 'after')")
    for _ in range(2):
        with pair.task(pair.code("a", "b"), ddl=ALL) as running:
            pair.sql("UPDATE b SET v = CONCAT(v, '!')")
            running.until(lambda: pair.equal("a") and pair.equal("b"))


def test_c79_a_table_that_is_dropped_and_replaced_by_one_from_outside(pair: Pair) -> None:
    pair.sql(*TABLES, "CREATE TABLE other LIKE a", "INSERT INTO other SELECT seq, 'other' FROM seq_5_to_300")
    with pair.task(pair.code("a", "b"), ddl=ALL) as running:
        running.settle()
        pair.sql("DROP TABLE a", "RENAME TABLE other TO a")
        running.until(lambda: pair.equal("a"))


def test_c79_a_renaming_that_is_not_followed_has_its_table_loaded(pair: Pair) -> None:
    """While nobody reads: what the target holds under the old name stays there, so the new one needs its rows."""
    pair.sql(*TABLES)
    ddl = {"RENAMETABLE": Policy.IGNORE}
    with pair.task(pair.code(), ddl=ddl) as running:
        running.settle()
    pair.sql("RENAME TABLE a TO c", "INSERT INTO c VALUES (7, 'c')")
    with pair.task(pair.code(), ddl=ddl) as running:
        running.until(lambda: pair.equal("c"))
        pair.sql("DELETE FROM c WHERE id = 1")
        running.until(lambda: pair.equal("c"))


def test_c79_where_rows_are_only_appended_nothing_is_loaded_anew(pair: Pair) -> None:
    pair.sql(*TABLES, "CREATE TABLE other LIKE a", "INSERT INTO other VALUES (50, 'other')")
    with pair.task(pair.code("a", "b", writeMode="insert"), ddl=ALL) as running:
        running.settle()
        pair.sql("RENAME TABLE a TO gone, other TO a", "INSERT INTO a VALUES (51, 'after')")
        running.settle()
        assert pair.select("SELECT id, v FROM a ORDER BY id") == [(1, "a"), (2, "a"), (51, "after")]
    assert "not followed" in pair.ledger.changes[-1][2]


def test_c03_c79_rows_of_tables_that_are_gone_are_read_by_what_the_log_says_of_them(both: Pair, full: None) -> None:
    """Dropped, renamed, or made and dropped while nobody read."""
    both.sql(*TABLES)
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
    both.sql("INSERT INTO a VALUES (5, 'é')", "UPDATE b SET v = 'b2' WHERE id = 1")
    both.sql("ALTER TABLE a RENAME COLUMN v TO w", "INSERT INTO a VALUES (6, 'w')", "RENAME TABLE a TO c")
    both.sql("DROP TABLE b", "CREATE TABLE brief (id INT PRIMARY KEY, u BIGINT UNSIGNED, e ENUM('x', 'y'))")
    both.sql("INSERT INTO brief VALUES (1, 18446744073709551615, 'y')", "DROP TABLE brief")
    if not mysqld.MYSQL:
        both.sql("CREATE SEQUENCE s", "SELECT NEXTVAL(s)", "DROP SEQUENCE s")
    both.sql("CREATE TABLE made (id INT PRIMARY KEY, x INT DEFAULT 3)")
    both.sql("INSERT INTO made (id) VALUES (1)", "RENAME TABLE made TO kept", "INSERT INTO c VALUES (8, 'last')")
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
        assert both.equal("c") and both.equal("kept")
    tables = f"SELECT table_name::text FROM information_schema.tables WHERE table_schema = '{both.name}'"
    assert {name for (name,) in both.select(tables)} == {"c", "kept", "disync_checkpoint"}


def test_c03_without_metadata_they_stop_the_task_by_name(pair: Pair) -> None:
    pair.sql(*TABLES)
    with pair.task(pair.code(), ddl=ALL) as running:
        running.settle()
    pair.sql("INSERT INTO a VALUES (5, 'five')", "DROP TABLE a")
    with pair.task(pair.code(), ddl=ALL) as running:
        error = running.fails()
    assert isinstance(error, NotServed) and f"{pair.name}.a, which is not there any more" in str(error)


COLUMNS = {
    "dropped": ("INSERT INTO t (id, a, b) VALUES (2, 'é', 2)", "ALTER TABLE t DROP COLUMN a"),
    "renamed": ("INSERT INTO t (id, a, b) VALUES (2, 'é', 2)", "ALTER TABLE t RENAME COLUMN a TO z"),
    "another type": ("INSERT INTO t (id, a, b) VALUES (2, 'é', -2)", "ALTER TABLE t MODIFY b BIGINT"),
    "unsigned": (
        "INSERT INTO t (id, a, b) VALUES (2, 'é', -2)",
        "UPDATE t SET b = 2",
        "ALTER TABLE t MODIFY b INT UNSIGNED",
    ),
    "another set": ("INSERT INTO t (id, a, b) VALUES (2, 'é', 2)", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4"),
    "moved": ("INSERT INTO t (id, a, b) VALUES (2, 'é', 2)", "ALTER TABLE t MODIFY c INT AFTER id"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_c15_c70_rows_from_before_their_columns_changed(both: Pair, full: None, name: str) -> None:
    """Their names, signs and character sets are in the log."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), b INT, c INT) CHARACTER SET latin1")
    both.sql("INSERT INTO t VALUES (1, 'ü', 1, 1)")
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
    both.sql(*COLUMNS[name], "UPDATE t SET c = 77")
    with both.task(both.code(), ddl=ALL) as running:
        running.settle()
        columns = ", ".join(row[0] for row in both.sql("SHOW COLUMNS FROM t"))
        assert both.equal(columns=columns)


def _columns(pair: Pair, table: str) -> int:
    found = pair.select(
        f"SELECT 1 FROM information_schema.columns WHERE table_schema = '{pair.name}' AND table_name = '{table}'"
    )
    return len(found)


def test_c79_a_refused_exchange_of_names_tells_of_both_tables(pair: Pair, full: None) -> None:
    pair.sql(*TABLES)
    with pair.task(pair.code(), ddl=ALL | {"RENAMETABLE": Policy.CRITICAL}) as running:
        running.settle()
        pair.sql(SWAP)
        error = running.fails()
    assert "RENAMETABLE of a, b stops this task" in str(error), str(error)
