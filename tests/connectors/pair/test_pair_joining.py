"""Tables that come to a task, leave it and come back while it goes on: the others do not wait, and all are equal."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from busy import ROWS, Busy
from pair import Pair

from disync.connectors.mysql import chunks
from disync.connectors.mysql.pages import Pages
from disync.connectors.postgres.writer import PostgresWriter
from disync.engine.joining import Joining
from disync.engine.plan import plan
from disync.model.data import Batch, Table
from disync.model.errors import Fenced, Unreachable
from disync.model.run import Checkpoint
from waiting import until

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(30))"
FILL = f"INSERT INTO t SELECT seq * 2, 'first' FROM seq_0_to_{ROWS - 1}"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "LEAST_ROWS", 1)
    monkeypatch.setattr("disync.connectors.mysql.pages.PAGE_ROWS", 150)


def streams(pair: Pair) -> set[str]:
    return {split.stream for split in pair.ledger.load()}


def joined(pair: Pair) -> bool:
    marks = pair.ledger.checkpoints()
    return streams(pair) == {""} and all(split.id in marks and marks[split.id].done for split in pair.ledger.load())


@pytest.mark.parametrize("seed", range(3))
def test_a_table_comes_while_all_are_written_to(both: Pair, seed: int) -> None:
    both.sql(TABLE, FILL, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
    with both.task(both.code("t")) as running:
        running.settle()
    both.sql("UPDATE u SET v = 'between' WHERE id < 500", "DELETE FROM u WHERE id > 3000", "DELETE FROM t WHERE id < 9")
    code = both.code("t", "u", reader={"batchSize": 100})
    with both.task(code) as carried:
        with Busy(both, seed):
            for number in range(150):
                both.sql(
                    f"UPDATE u SET v = 'round {number}' WHERE id % 50 = {number % 50}",
                    f"DELETE FROM u WHERE id = {number * 2}",
                    f"REPLACE INTO u VALUES ({number * 3}, 'again')",
                )
        until(lambda: len(carried.runs) > 1 and joined(both))
        both.sql("INSERT INTO u VALUES (99999, 'last')", "INSERT INTO t VALUES (99999, 'last')")
        until(lambda: both.equal("t") and both.equal("u"))


def test_the_others_go_on_while_a_large_table_is_loaded(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.sql(TABLE, FILL, "CREATE TABLE u LIKE t")
    with pair.task(pair.code("t")) as running:
        running.settle()
    pair.sql("INSERT INTO u SELECT * FROM t")
    held, rows_after = threading.Event(), Pages.rows_after

    def slow(self: Pages, *arguments: Any) -> Iterator[Any]:
        assert held.wait(20)
        return rows_after(self, *arguments)

    monkeypatch.setattr(Pages, "rows_after", slow)
    with pair.task(pair.code("t", "u")) as running:
        pair.sql("INSERT INTO t VALUES (-1, 'meanwhile')", "INSERT INTO u VALUES (-1, 'meanwhile')")
        running.until(lambda: pair.select("SELECT v FROM t WHERE id = -1") == [("meanwhile",)])
        assert pair.select("SELECT count(*) FROM u") == [(0,)]
        held.set()
        running.until(lambda: pair.equal("u"))
        running.until(lambda: len(running.runs) > 1)
    with pair.task(pair.code("t", "u")) as running:
        running.until(lambda: pair.equal("u") and pair.equal("t"))


def test_they_join_and_one_stream_tells_of_all(pair: Pair) -> None:
    pair.sql(TABLE, "CREATE TABLE u LIKE t", "INSERT INTO u VALUES (1, 'one')")
    with pair.task(pair.code("t")) as running:
        running.settle()
    code = pair.code("t", "u")
    with pair.task(code) as carried:
        until(lambda: len(carried.runs) == 2 and joined(pair))
        pair.sql("INSERT INTO u VALUES (2, 'two')", "INSERT INTO t VALUES (3, 'three')")
        until(lambda: pair.equal("u") and pair.equal("t"))
        assert [name for name in pair.ledger.checkpoints() if name.startswith("binlog")] == ["binlog"]


def test_a_table_that_comes_back_is_loaded_anew(pair: Pair) -> None:
    """What happened to it meanwhile, deletions too, nobody has told."""
    pair.sql(TABLE, FILL, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
    for tables, change in (
        (("t", "u"), "DELETE FROM u WHERE id < 100"),
        (("t",), "UPDATE u SET v = 'changed' WHERE id < 300"),
        (("t",), "DELETE FROM u WHERE id > 900"),
        (("t", "u"), "INSERT INTO u VALUES (-5, 'back')"),
    ):
        with pair.task(pair.code(*tables)) as running:
            running.settle()
            pair.sql(change)
            running.settle()
            if "u" in tables:
                running.until(lambda: pair.equal("u"))
            assert pair.equal("t")


def test_c17_a_second_load_that_fails_half_way_loses_nothing(both: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one table is loaded again alone: it fails, it is stopped, and it goes on from where it was."""
    both.sql(TABLE, FILL, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
    code = both.code("t", "u", reader={"batchSize": 100})
    with both.task(code) as running:
        running.settle()
    both.select("DELETE FROM u WHERE id < 100")
    both.select("INSERT INTO u VALUES (-1, 'from nowhere')")
    both.ledger.leave({"u"})
    pages, rows_after = itertools.count(1), Pages.rows_after

    def failing(self: Pages, *arguments: Any) -> Iterator[Any]:
        if next(pages) % 3 == 0:
            raise Unreachable("The source is away.")
        return rows_after(self, *arguments)

    monkeypatch.setattr(Pages, "rows_after", failing)
    with both.task(code) as running:
        assert "away" in str(running.fails())
    both.sql("DELETE FROM u WHERE id > 5900", "UPDATE u SET v = 'changed' WHERE id % 7 = 0")
    both.sql("DELETE FROM t WHERE id < 50")
    monkeypatch.setattr(Pages, "rows_after", rows_after)
    with both.task(code):
        until(lambda: both.select("SELECT count(*) FROM u") != [(0,)])
    with both.task(code) as running:
        running.until(lambda: joined(both) and both.equal("t") and both.equal("u"))
        both.sql("INSERT INTO u VALUES (99999, 'last')")
        running.until(lambda: both.equal("u"))


def test_nothing_of_a_former_load_comes_after_the_table_was_emptied(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that helped still holds rows of a part that was not read to its end when the table left; its session
    could not be ended."""
    monkeypatch.setattr(PostgresWriter, "dismiss", lambda *_: None)
    pair.sql(TABLE, FILL)
    code, rows_after = pair.code("t", reader={"batchSize": 100}), Pages.rows_after

    def failing(self: Pages, last: Any, most: int) -> Iterator[Any]:
        if last is not None:
            raise Unreachable("The source is away.")
        return rows_after(self, last, most)

    monkeypatch.setattr(Pages, "rows_after", failing)
    with pair.task(code) as running:
        assert "away" in str(running.fails())
    monkeypatch.setattr(Pages, "rows_after", rows_after)
    opened = plan(pair.latest(code))
    (table,), part = opened.tables, pair.ledger.load()[0]
    late = opened.writer.open(replace(part, table=table))
    (old,) = list(opened.reader.read(replace(part, table=table), None))[:1]
    assert isinstance(old, Batch)
    pair.ledger.leave({"t"})
    pair.sql("DELETE FROM t WHERE id < 1000")
    with pair.task(code) as running:
        running.until(lambda: pair.equal("t"))
        late.write(opened.transform.batch(old))
        with pytest.raises((Fenced, Unreachable)):
            late.flush(Checkpoint(part.id, old.position, pair.epoch - 1))
        late.close()
        opened.close()
        assert pair.equal("t")


def test_a_run_that_was_replaced_empties_nothing_any_more(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wakes when the next one has emptied the table, and loaded it."""
    pair.sql(TABLE, FILL)
    code, fence = pair.code("t"), Joining._fence
    with pair.task(code) as running:
        running.settle()
    pair.ledger.leave({"t"})
    asleep, awake = threading.Event(), threading.Event()

    def sleeping(self: Joining, tables: Sequence[Table]) -> None:
        fence(self, tables)
        if not asleep.is_set():
            asleep.set()
            awake.wait(30)

    monkeypatch.setattr(Joining, "_fence", sleeping)
    with pair.task(code) as old:
        assert asleep.wait(30)
        with pair.task(code) as running:
            running.settle()
            awake.set()
            assert isinstance(old.fails(), Fenced)
            assert pair.equal("t")


def test_every_table_is_loaded_again_at_once(pair: Pair) -> None:
    """What the source has no longer goes, too."""
    pair.sql(TABLE, FILL, "CREATE TABLE u LIKE t", "INSERT INTO u SELECT * FROM t")
    code = pair.code("t", "u")
    with pair.task(code) as running:
        running.settle()
    for table in "tu":
        pair.select(f"INSERT INTO {table} VALUES (-1, 'from nowhere')")
        pair.select(f"UPDATE {table} SET v = 'spoilt' WHERE id < 500")
    pair.ledger.leave({"t", "u"})
    with pair.task(code) as running:
        pair.sql("UPDATE t SET v = 'changed' WHERE id > 5000", "DELETE FROM u WHERE id > 5000")
        running.until(lambda: joined(pair) and pair.equal("t") and pair.equal("u"))
        pair.sql("INSERT INTO t VALUES (99999, 'last')", "INSERT INTO u VALUES (99999, 'last')")
        running.until(lambda: pair.equal("t") and pair.equal("u"))
