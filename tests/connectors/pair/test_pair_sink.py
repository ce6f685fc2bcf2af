"""What keys, batches and names of the source become in the target (group F), from server to server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pair import Pair, made

import mysqld
from disync.connectors.mysql.reader import MySQLReader
from disync.connectors.postgres.sql import quote
from disync.model.errors import BadConfig, DirtyLimit
from disync.model.run import Split
from disync.native import pgcopy
from mysqld import Server


def test_c87_a_chain_of_key_updates_in_one_transaction(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_10000")
    with pair.task(pair.code("t")) as running:
        running.settle()
        pair.sql("UPDATE t SET id = id + 1 ORDER BY id DESC")
        running.settle()
        assert pair.select("SELECT count(*), min(id), max(id), sum(id - v) FROM t") == [(10000, 2, 10001, 10000)]
        pair.sql("UPDATE t SET id = id - 1 ORDER BY id")
        running.settle()
        assert pair.equal()


def test_c87_one_transaction_that_swaps_and_moves_keys(both: Pair) -> None:
    both.sql(
        "CREATE TABLE t (a INT, b INT, v INT, PRIMARY KEY (a, b))", "INSERT INTO t SELECT seq, 1, seq FROM seq_1_to_9"
    )
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql(
            "BEGIN",
            "UPDATE t SET a = 0 WHERE a = 1",
            "UPDATE t SET a = 1 WHERE a = 2",
            "UPDATE t SET a = 2 WHERE a = 0",
            "UPDATE t SET b = 2, v = v + 100 WHERE a > 5",
            "COMMIT",
        )
        running.settle()
        assert both.equal()


def test_c88_one_key_many_times_in_a_transaction(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql(
            "BEGIN", "INSERT INTO t VALUES (3, 1)", "UPDATE t SET v = 2 WHERE id = 3", "DELETE FROM t WHERE id = 3"
        )
        both.sql(
            "BEGIN",
            "DELETE FROM t WHERE id = 1",
            "INSERT INTO t VALUES (1, 10)",
            "UPDATE t SET v = 11 WHERE id = 1",
            "REPLACE INTO t VALUES (2, 20)",
            "INSERT INTO t VALUES (4, 1)",
            "UPDATE t SET v = 2 WHERE id = 4",
            "DELETE FROM t WHERE id = 4",
            "INSERT INTO t VALUES (5, 1) ON DUPLICATE KEY UPDATE v = 9",
            "INSERT INTO t VALUES (5, 1) ON DUPLICATE KEY UPDATE v = 9",
            "COMMIT",
        )
        running.settle()
        assert both.equal() and both.select("SELECT * FROM t ORDER BY id") == [(1, 11), (2, 20), (5, 9)]


@pytest.mark.parametrize("collation", ["utf8mb4_general_ci", "utf8mb4_unicode_520_ci", "latin1_swedish_ci"])
def test_c89_keys_whose_spelling_changes(both: Pair, collation: str) -> None:
    """What is one key in the source is several texts in the target: case, accents, and spaces at the end."""
    charset = collation.partition("_")[0]
    both.sql(
        f"CREATE TABLE t (k VARCHAR(20) CHARACTER SET {charset} COLLATE {collation} PRIMARY KEY, v INT)",
        "INSERT INTO t VALUES ('alpha', 1), ('Beta', 2), ('cafe', 3), ('delta', 4), ('omega', 5)",
    )
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql("UPDATE t SET k = 'ALPHA' WHERE k = 'alpha'", "UPDATE t SET k = 'beta  ' WHERE k = 'beta'")
        both.sql("UPDATE t SET k = 'café' WHERE k = 'CAFE'", "REPLACE INTO t VALUES ('DELTA ', 40)")
        both.sql("INSERT INTO t VALUES ('Omega', 50) ON DUPLICATE KEY UPDATE k = 'Omega', v = 50")
        running.settle()
        assert both.equal()
        both.sql("DELETE FROM t WHERE k = 'BETA'", "UPDATE t SET v = 41 WHERE k = 'delta'")
        running.settle()
        assert both.equal() and len(both.select("SELECT * FROM t")) == 4


def test_c89_a_spelling_that_changes_while_the_load_runs(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The load has the new spelling, the log then tells the old one first."""
    pair.sql("CREATE TABLE t (k VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)")
    pair.sql("INSERT INTO t VALUES ('alpha', 1), ('Beta', 2)")
    split = MySQLReader.split

    def changed(self: MySQLReader, want: int) -> list[Split]:
        pair.sql("INSERT INTO t VALUES ('gamma', 3)", "UPDATE t SET k = 'GAMMA ' WHERE k = 'gamma'")
        pair.sql("UPDATE t SET k = 'BETA' WHERE k = 'beta'", "DELETE FROM t WHERE k = 'Alpha'")
        return split(self, want)

    monkeypatch.setattr(MySQLReader, "split", changed)
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert pair.equal() and pair.select("SELECT k FROM t ORDER BY v") == [("BETA",), ("GAMMA ",)]


def test_c89_keys_that_the_target_alone_takes_for_equal_are_refused(pair: Pair) -> None:
    bare = "utf8mb4_0900_bin" if mysqld.MYSQL else "utf8mb4_nopad_bin"
    pair.sql(f"CREATE TABLE t (k VARCHAR(20) COLLATE {bare} PRIMARY KEY)", "INSERT INTO t VALUES ('a'), ('a ')")
    pair.select("CREATE TABLE t (k character(20) PRIMARY KEY)")
    with pair.task(pair.code("t")) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and "takes different texts for equal" in str(error)
    assert pair.select("SELECT count(*) FROM t") == [(0,)]


def test_c90_two_tables_into_one_are_refused_before_anything_is_written(pair: Pair) -> None:
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)")
    with pair.task(pair.code("a", "b", table="one")) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and "Several tables of the source would be written to one: a, b" in str(error)
    assert pair.select(
        f"SELECT count(*) FROM pg_class WHERE relname = 'one' AND relnamespace = '{pair.name}'::regnamespace"
    ) == [(0,)]


@pytest.fixture
def pairs(pair: Pair, pair_source: Server, pair_target: str) -> Iterator[tuple[Pair, Pair]]:
    for other in made(pair_source, pair_target, pgcopy.FORMAT):
        yield pair, other


def test_c91_a_bad_row_is_kept_and_counted_for_its_own_task_only(pairs: tuple[Pair, Pair]) -> None:
    """Two tasks in one process: one may have no refused row, the other one may, and neither counts for the other."""
    bad = "INSERT INTO t VALUES (1, 'good'), (2, 'a\\0b'), (3, 'good')"
    strict, lax = pairs
    for pair in (strict, lax):
        pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9))")
    with lax.task(lax.code("t"), dirty=2) as other, strict.task(strict.code("t"), dirty=0) as running:
        other.settle()
        running.settle()
        lax.sql(bad)
        other.settle()
        running.settle()
        strict.sql(bad)
        error = running.fails()
        assert isinstance(error, DirtyLimit) and error.retry is False and "1 rows were refused" in str(error)
        lax.sql("UPDATE t SET v = 'b\\0d' WHERE id = 1")
        other.settle()
        assert [len(pair.ledger.dirty) for pair in (strict, lax)] == [1, 2]
        assert lax.select("SELECT * FROM t ORDER BY id") == [(1, "good"), (3, "good")]
        lax.sql("INSERT INTO t VALUES (4, '\\0')")
        assert isinstance(other.fails(), DirtyLimit)
    assert [row.table for row in strict.ledger.dirty] == [f"{strict.name}.t"]


def test_c92_what_was_applied_is_not_applied_again(pair: Pair) -> None:
    """The store has lost the last checkpoints: the target's own say where to go on."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 0)")
    code = pair.code("t", writeMode="insert")
    with pair.task(code) as running:
        running.settle()
        old = dict(pair.ledger.checkpoints())
        pair.sql(*(f"UPDATE t SET v = {n} WHERE id = 1" for n in range(1, 20)))
        running.settle()
    pair.ledger.begin(list(old.values()))
    with pair.task(code) as running:
        running.settle()
        pair.sql("UPDATE t SET v = 20 WHERE id = 1")
        running.settle()
        found = pair.select("SELECT v FROM t WHERE _after_image_ = 'Y' ORDER BY v")
        assert found == [(n,) for n in range(21)]


NAMES = ["select", "a`b", 'a"b', "%s", "q?", "da-sh", "do.t", "x" * 64, "高德地图", "MiXed", "a'b", "\\", "a b", "$1"]


def test_c93_names_of_all_sorts(pair: Pair) -> None:
    quoted = ["`" + name.replace("`", "``") + "`" for name in NAMES]
    columns = ", ".join(f"{name} INT" for name in quoted)
    for name in quoted:
        keys = ", ".join(dict.fromkeys((name, quoted[0])))
        pair.sql(f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({keys}))")
        pair.sql(f"INSERT INTO {name} VALUES ({', '.join(['1'] * len(NAMES))})")
    with pair.task(pair.code()) as running:
        running.settle()
        for name in quoted:
            pair.sql(f"UPDATE {name} SET {name} = 2", f"INSERT INTO {name} VALUES ({', '.join(['5'] * len(NAMES))})")
        running.settle()
        for place, name in enumerate(NAMES):
            wanted = [tuple(2 if at == place else 1 for at in range(len(NAMES))), (5,) * len(NAMES)]
            assert pair.select(f"SELECT * FROM {quote(name)} ORDER BY 1 DESC, 2 DESC")[::-1] == sorted(wanted), name


def test_c94_a_target_that_was_altered_by_hand(pair: Pair) -> None:
    """Named before anything is written; mended, the task goes on from where it was."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), n INT)", "INSERT INTO t VALUES (1, 'one', NULL)")
    with pair.task(pair.code("t")) as running:
        running.settle()
    for damage, why, repair in [
        ("ALTER v SET NOT NULL", "v may be null in the source and not here", "ALTER v DROP NOT NULL"),
        ("ADD more int NOT NULL DEFAULT 1", "more must not be null", "DROP more"),
        ("DROP CONSTRAINT t_pkey", "the primary key here is none", "ADD PRIMARY KEY (id)"),
    ]:
        pair.select(f"ALTER TABLE t {damage}")
        if "DEFAULT" in damage:
            pair.select("ALTER TABLE t ALTER more DROP DEFAULT")
        with pair.task(pair.code("t")) as running:
            error = running.fails()
        assert isinstance(error, BadConfig) and why in str(error) and "Nothing was written" in str(error)
        pair.select(f"ALTER TABLE t {repair}")
    pair.sql("INSERT INTO t VALUES (2, 'two', 2)")
    with pair.task(pair.code("t")) as running:
        running.settle()
        assert pair.equal()


def test_a_limit_that_a_database_sets_for_its_users_does_not_cut_off_a_load(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20000")
    (database,) = pair.select("SELECT current_database()")[0]
    pair.select(f"ALTER DATABASE {database} SET statement_timeout = 1")
    try:
        with pair.task(pair.code("t")) as running:
            running.settle()
            pair.sql("UPDATE t SET v = v + 1")
            running.settle()
            assert pair.equal()
    finally:
        pair.select(f"ALTER DATABASE {database} RESET statement_timeout")
