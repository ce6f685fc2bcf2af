"""A target whose owner changes its rules while a task runs: said by name, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pair import Pair, Running, made
from verifying import compared, found

from disync.engine.findings import What
from disync.engine.ledger import Notebook
from disync.model.errors import BegunAnew, DirtyLimit
from disync.native import pgcopy
from mysqld import Server

ROLE = "no_superuser"


@pytest.fixture
def low(pair_source: Server, pair_target: str) -> Iterator[Pair]:
    """The task's user may do what it was granted, and no more."""
    for pair in made(pair_source, pair_target, pgcopy.FORMAT):
        pair.select(f"CREATE ROLE {ROLE} LOGIN")
        pair.select(f"GRANT ALL ON SCHEMA {pair.name} TO {ROLE}")
        pair.url = pair.url.replace("postgres@", f"{ROLE}@")
        yield pair
        pair.select(f"DROP OWNED BY {ROLE}")
        pair.select(f"DROP ROLE {ROLE}")


def test_rows_that_a_policy_hides_are_no_silent_loss(low: Pair) -> None:
    """A DELETE of a row that its user may not see does nothing, and says nothing."""
    low.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20")
    with low.task(low.code("t")) as running:
        running.settle()
        low.select("CREATE POLICY partly ON t USING (id > 10)")
        low.select("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        low.select("ALTER TABLE t FORCE ROW LEVEL SECURITY")
        low.sql("DELETE FROM t WHERE id = 5")
        assert "row-level security" in str(running.fails())
    assert "row-level security" in compared(low, running=False)["t"].trouble
    low.select("ALTER TABLE t DISABLE ROW LEVEL SECURITY")
    low.select("DELETE FROM t WHERE id = 7")
    with low.task(low.code("t")) as running:
        running.settle()
        assert found(compared(low)["t"]) == {(What.MISSING, (7,), ())}


def test_a_delete_that_the_target_refuses_is_kept(pair: Pair) -> None:
    """Another table refers to the row. It stays in the target, so somebody has to be told; a key that the target
    cannot hold is not there, and nobody is."""
    pair.sql("CREATE TABLE t (id VARCHAR(9) PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20")
    pair.select("CREATE TABLE t (id varchar(3) PRIMARY KEY, v int)")
    with pair.task(pair.code("t"), confirmed=True) as running:
        running.settle()
        pair.select("CREATE TABLE child (t varchar(3) REFERENCES t (id))")
        pair.select("INSERT INTO child VALUES ('5'), ('6')")
        pair.sql(
            "DELETE FROM t WHERE id = '5'", "UPDATE t SET id = '600' WHERE id = '6'", "DELETE FROM t WHERE id = '7'"
        )
        pair.sql("INSERT INTO t VALUES ('longer', 1)", "UPDATE t SET v = 2 WHERE id = 'longer'")
        pair.sql("DELETE FROM t WHERE id = 'longer'")
        running.settle()
        assert pair.select("SELECT id FROM t WHERE id IN ('5', '6', '7', '600') ORDER BY id") == [
            ("5",),
            ("6",),
            ("600",),
        ]
        kept = {row.row: row.reason for row in pair.ledger.dirty if "longer" not in row.row}
        assert set(kept) == {'{"id":"5"}', '{"id":"6"}'}
        assert all("it cannot be deleted: " in why and "foreign key" in why for why in kept.values())


def test_a_target_that_takes_no_row_stops_a_task_that_allows_few(pair: Pair) -> None:
    """Each would be tried by itself, and the task could neither end nor be stopped until all of a step were."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_20000")
    pair.select("CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v < 0))")
    with pair.task(pair.code("t"), dirty=10) as running:
        error = running.fails()
        assert isinstance(error, DirtyLimit) and "allows 10; the last: " in str(error) and error.tables == {"t"}
    pair.select("ALTER TABLE t DROP CONSTRAINT t_v_check")
    with pair.task(pair.code("t"), dirty=10) as running:
        running.settle()
        assert pair.equal()


def test_an_update_counts_as_one_row(pair: Pair, full: None) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    with pair.task(pair.code("t")) as running:
        running.settle()
        before = pair.ledger.tally
        pair.sql("UPDATE t SET v = 5", "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (3, 3)")
        running.settle()
        after = pair.ledger.tally
    counted = (after.rows_read - before.rows_read, after.rows_written - before.rows_written)
    assert (before.rows_read, counted) == (2, (4, 4))


def test_a_store_that_knows_only_an_earlier_beginning_does_not_go_on(pair: Pair) -> None:
    """The target is the later one's, whose changes would be followed twice, or not at all."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 1 FROM seq_1_to_20")
    backup = pair.ledger
    for number, pair.ledger in ((1, backup), (2, Notebook())):
        task = replace(pair.latest(pair.code("t")), owner=f"here/7/{number}", epoch=number)
        with Running(pair, task, pair.format) as running:
            running.settle()
    pair.ledger = backup
    pair.sql("UPDATE t SET v = 2")
    with Running(pair, replace(task, owner="here/7/1", epoch=2), pair.format) as running:
        error = running.fails()
    assert isinstance(error, BegunAnew) and not error.epoch, "no epoch that the store should take for its own"
    assert pair.select("SELECT DISTINCT v FROM t") == [(1,)]
