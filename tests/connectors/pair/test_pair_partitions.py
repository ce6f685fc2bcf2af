"""Partitioned tables (C85): statements that take or bring whole partitions say nothing of their rows."""

from __future__ import annotations

import pytest
from pair import Pair

import mysqld
from disync.model.ddl import Policy
from disync.model.errors import DdlRefused

TABLE = (
    "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30)) PARTITION BY RANGE (id) "
    "(PARTITION p0 VALUES LESS THAN (100), PARTITION p1 VALUES LESS THAN (200), PARTITION p2 VALUES LESS THAN MAXVALUE)"
)
FILL = "INSERT INTO t SELECT seq, 'first' FROM seq_1_to_300"
OTHER = ("CREATE TABLE other (id INT PRIMARY KEY, v VARCHAR(30))", "INSERT INTO other VALUES (50, 'o'), (60, 'o')")


def test_c85_load_and_changes(both: Pair) -> None:
    """Rows wander between partitions; what only cuts them otherwise changes nothing."""
    both.sql(TABLE, FILL)
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql("UPDATE t SET id = id + 1000 WHERE id BETWEEN 90 AND 110", "DELETE FROM t WHERE id % 7 = 0")
        both.sql(
            "ALTER TABLE t REORGANIZE PARTITION p2 INTO "
            "(PARTITION p2 VALUES LESS THAN (1000), PARTITION p3 VALUES LESS THAN MAXVALUE)"
        )
        both.sql("INSERT INTO t VALUES (2000, 'more')", "ALTER TABLE t REMOVE PARTITIONING", "UPDATE t SET v = 'all'")
        running.settle()
        assert both.equal() and len(running.runs) == 1


STATEMENTS = {
    "truncated": "ALTER TABLE t TRUNCATE PARTITION p0",
    "dropped": "ALTER TABLE t DROP PARTITION p1",
    "exchanged": "ALTER TABLE t EXCHANGE PARTITION p0 WITH TABLE other",
    "made a table": "ALTER TABLE t CONVERT PARTITION p0 TO TABLE made",
    "made of a table": "ALTER TABLE t CONVERT TABLE other TO PARTITION p9 VALUES IN (9)",
}
LISTED = "ALTER TABLE t PARTITION BY LIST (id DIV 1000) (PARTITION p VALUES IN (0))"


@pytest.mark.parametrize("name", [n for n in STATEMENTS if not mysqld.MYSQL or "made" not in n])
@pytest.mark.parametrize("whole", [True, False], ids=["both tables", "one table"])
def test_c85_the_rows_of_whole_partitions_come_and_go(both: Pair, name: str, whole: bool) -> None:
    both.sql(TABLE, FILL, *OTHER)
    more = ["INSERT INTO t VALUES (250000, 'x')"]
    if name == "made of a table":
        both.sql(LISTED, "UPDATE other SET id = id + 9000")
        more = []
    ddl = {"CREATETABLE": Policy.NORMAL, "DROPTABLE": Policy.NORMAL}
    with both.task(both.code(*(() if whole else ("t",))), ddl=ddl) as running:
        running.settle()
        both.sql("UPDATE t SET v = 'changed' WHERE id % 3 = 0", STATEMENTS[name], *more)
        running.until(lambda: _equal(both, whole))
        both.sql("UPDATE t SET v = 'later' WHERE id % 5 = 0")
        running.until(lambda: _equal(both, whole))
    both.sql("DELETE FROM t WHERE id % 5 = 1")
    with both.task(both.code(*(() if whole else ("t",))), ddl=ddl) as running:
        running.until(lambda: _equal(both, whole))


def _equal(pair: Pair, whole: bool) -> bool:
    names = [row[0] for row in pair.sql("SHOW TABLES")] if whole else ["t"]
    there = f"SELECT table_name::text FROM information_schema.tables WHERE table_schema = '{pair.name}'"
    if whole and {name for (name,) in pair.select(there)} != {*names, "disync_checkpoint"}:
        return False
    return all(pair.equal(name) for name in names)


def test_c85_while_nobody_reads(pair: Pair) -> None:
    pair.sql(TABLE, FILL)
    with pair.task(pair.code("t")) as running:
        running.settle()
    pair.sql("ALTER TABLE t DROP PARTITION p0", "INSERT INTO t VALUES (1, 'one')")
    with pair.task(pair.code("t")) as running:
        running.until(pair.equal)


def test_c85_a_task_that_must_not_follow_stops_by_name(pair: Pair) -> None:
    pair.sql(TABLE, FILL)
    with pair.task(pair.code("t"), ddl={"TRUNCATETABLE": Policy.CRITICAL}) as running:
        running.settle()
        pair.sql("ALTER TABLE t DROP PARTITION p0")
        error = running.fails()
    assert isinstance(error, DdlRefused) and "DROP PARTITION p0" in str(error)
    assert len(pair.select("SELECT id FROM t")) == 300
