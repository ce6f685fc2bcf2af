"""Several sessions write one log, parted by key: whatever the tables are like, both sides are equal, and all are at one
place."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pair import ALL, Pair, Running, made
from verifying import compared, found, opened

from disync.connectors.postgres.sink import PostgresSink
from disync.engine import fan, pace
from disync.engine.ledger import Notebook
from disync.engine.reunion import Reunion, fence
from disync.model.data import Batch, Dirty, Position
from disync.model.errors import BadConfig, Fenced, Unreachable
from disync.model.run import Checkpoint
from disync.native import pgcopy
from mysqld import Server
from mysqld_group import caught_up, group, promote

SEVERAL = 3
Went = dict[str, Counter[str]]


@pytest.fixture
def pair(pair_source: Server, pair_target: str) -> Iterator[Pair]:
    yield from made(pair_source, pair_target, pgcopy.FORMAT)


@pytest.fixture
def went(monkeypatch: pytest.MonkeyPatch) -> Went:
    """By table: how many rows of the log each sink got."""
    counts: Went = {}
    write = PostgresSink.write

    def counted(self: PostgresSink, batch: Batch) -> None:
        if self._split.endless and batch.table.name != "mark":
            counts.setdefault(batch.table.name, Counter())[self._split.id] += batch.count
        write(self, batch)

    monkeypatch.setattr(PostgresSink, "write", counted)
    return counts


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Position, Position]]:
    """Where sinks were found apart."""
    seen: list[tuple[Position, Position]] = []
    real = Reunion._once_more

    def noted(self: Reunion, lead: Any, behind: Position, ahead: Position) -> Checkpoint | None:
        seen.append((behind, ahead))
        return real(self, lead, behind, ahead)

    monkeypatch.setattr(Reunion, "_once_more", noted)
    return seen


def task(pair: Pair, writers: int = SEVERAL, tables: tuple[str, ...] = ("t",), **more: Any) -> Running:
    writer = more.pop("writer", {})
    return pair.task(pair.code(*tables, writerConcurrent=writers, **writer), **more)


def places(pair: Pair) -> dict[str, tuple[str, bool]]:
    """(position, done) of each sink of the log."""
    rows = pair.select("SELECT split, position, done FROM disync_checkpoint WHERE split LIKE 'binlog%'")
    return {split: (position, done) for split, position, done in rows}


def one_place(pair: Pair, count: int) -> bool:
    live = {split: position for split, (position, done) in places(pair).items() if not done}
    return len(live) == count and set(live.values()) == {pair.ledger.checkpoints()["binlog"].position}


def fails_once(monkeypatch: pytest.MonkeyPatch, *splits: str, after: int = 0) -> None:
    """The session of each of these sinks breaks, once, at a flush of rows; the others' rows are durable then."""
    left = dict.fromkeys(splits, after)
    others = threading.Event()
    flush = PostgresSink.flush

    def broken(self: PostgresSink, checkpoint: Checkpoint) -> list[Dirty]:
        if any(lane.waits for lane in self._lanes.values()) and self._split.id in left:
            left[self._split.id] -= 1
            if left[self._split.id] < 0:
                others.wait(5)
                del left[self._split.id]
                raise Unreachable("the session broke")
        rows = any(lane.waits for lane in self._lanes.values())
        found = flush(self, checkpoint)
        if rows:
            others.set()
        return found

    monkeypatch.setattr(PostgresSink, "flush", broken)


def test_c87_a_chain_of_key_updates_in_one_transaction(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_10000")
    with task(pair) as running:
        running.settle()
        pair.sql("UPDATE t SET id = id + 1 ORDER BY id DESC")
        running.settle()
        assert pair.select("SELECT count(*), min(id), max(id), sum(id - v) FROM t") == [(10000, 2, 10001, 10000)]
        pair.sql("UPDATE t SET id = id - 1 ORDER BY id")
        running.settle()
        assert pair.equal() and one_place(pair, SEVERAL)
    assert set(went["t"]) == {"binlog", "binlog/1", "binlog/2"}
    assert sum(went["t"].values()) == 40_000


@pytest.mark.parametrize("batch", [7, 10_000])
def test_c87_swaps_and_keys_that_come_again(pair: Pair, batch: int) -> None:
    pair.sql(
        "CREATE TABLE t (a INT, b VARCHAR(9), v INT, PRIMARY KEY (b, a))",
        "INSERT INTO t SELECT seq, 'x', seq FROM seq_1_to_90",
    )
    with task(pair, writer={"batchSize": batch}) as running:
        running.settle()
        for one in range(1, 60, 3):
            pair.sql(
                "BEGIN",
                f"UPDATE t SET a = 0 WHERE a = {one}",
                f"UPDATE t SET a = {one} WHERE a = {one + 1}",
                f"UPDATE t SET a = {one + 1} WHERE a = 0",
                f"DELETE FROM t WHERE a = {one + 2}",
                f"INSERT INTO t VALUES ({one + 2}, 'X', 0), ({one + 2}, 'y', 1)",
                f"UPDATE t SET b = 'é', v = v + 100 WHERE a = {one} AND b = 'x'",
                "COMMIT",
            )
        running.settle()
        assert pair.equal() and one_place(pair, SEVERAL)


KEYS = {
    "INT": ("{}", True),
    "BIGINT UNSIGNED": ("{} + 18446744073709550000", True),
    "DECIMAL(12,3)": ("{} + 0.25", True),
    "VARCHAR(20) COLLATE utf8mb4_general_ci": ("concat('k', {})", True),
    "VARBINARY(8)": ("unhex(lpad(hex({}), 8, '0'))", True),
    "DATETIME(6)": ("'2026-01-01' + INTERVAL {} SECOND", True),
    "DOUBLE": ("{} + 0.5", False),
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_of_every_kind(pair: Pair, went: Went, kind: str) -> None:
    """Those that the target may compare otherwise than as they lie are not parted."""
    value, parted = KEYS[kind]
    pair.sql(f"CREATE TABLE t (id {kind} PRIMARY KEY, v INT)")
    with task(pair) as running:
        running.settle()
        pair.sql(f"INSERT INTO t SELECT {value.format('seq')}, seq FROM seq_1_to_500")
        pair.sql("UPDATE t SET v = v + 1 WHERE v % 3 = 0", "DELETE FROM t WHERE v % 7 = 0")
        running.settle()
        assert pair.equal("t", "count(*), sum(v)")
    assert len(went["t"]) == (SEVERAL if parted else 1)
    assert {str(row) for row in pair.sql("SELECT v FROM t")} == {str(row) for row in pair.select("SELECT v FROM t")}


TIED = {
    "another unique index": "CREATE UNIQUE INDEX other ON t (u)",
    "a unique index of some rows": "CREATE UNIQUE INDEX other ON t (u) WHERE v >= 0",
    "an exclusion constraint": "ALTER TABLE t ADD EXCLUDE USING btree (u WITH =) DEFERRABLE INITIALLY DEFERRED",
    "a trigger": "CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW "
    "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
}


@pytest.mark.parametrize("what", TIED)
def test_rows_that_more_than_the_key_ties_go_to_one_session(pair: Pair, went: Went, what: str) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, u INT, v INT)", "INSERT INTO t SELECT seq, seq, 0 FROM seq_1_to_100")
    with task(pair) as running:
        running.settle()
    pair.select(TIED[what])
    with task(pair) as running:
        pair.sql("UPDATE t SET v = v + 1")
        turned = ["UPDATE t SET u = -u, v = 1", "UPDATE t SET u = 101 + u"] if what == "another unique index" else []
        pair.sql(
            "BEGIN",
            *turned,
            "DELETE FROM t WHERE id < 10",
            "INSERT INTO t SELECT seq + 200, 1000 + seq, 2 FROM seq_1_to_9",
            "COMMIT",
        )
        running.settle()
        assert pair.equal()
    assert len(went["t"]) == 1 and not pair.ledger.dirty


def test_an_index_that_is_made_while_they_write_refuses_no_row(pair: Pair, went: Went) -> None:
    """They looked before it was there. The run begins again, and one session writes the table."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, u INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_200")
    with task(pair) as running:
        running.settle()
        pair.sql("INSERT INTO t SELECT seq, seq FROM seq_201_to_300")
        running.settle()
        pair.select("CREATE UNIQUE INDEX other ON t (u)")
        pair.sql("BEGIN", "UPDATE t SET u = -u", "UPDATE t SET u = 301 + u", "COMMIT")
        assert isinstance(running.fails(), Unreachable)
    assert len(went["t"]) == SEVERAL
    went.clear()
    with task(pair) as running:
        running.settle()
        assert pair.equal() and not pair.ledger.dirty
    assert len(went["t"]) == 1


def test_tables_with_foreign_keys_go_to_one_session_together(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE parent (id INT PRIMARY KEY, v INT)", "CREATE TABLE child (id INT PRIMARY KEY, p INT)")
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    tables = ("parent", "child", "t")
    with task(pair, tables=tables) as running:
        running.settle()
    pair.select("ALTER TABLE child ADD FOREIGN KEY (p) REFERENCES parent DEFERRABLE INITIALLY DEFERRED")
    with task(pair, tables=tables) as running:
        for one in range(0, 300, 10):
            pair.sql(
                "BEGIN",
                f"INSERT INTO parent SELECT seq, 0 FROM seq_{one}_to_{one + 9}",
                f"INSERT INTO child SELECT seq, seq FROM seq_{one}_to_{one + 9}",
                f"INSERT INTO t SELECT seq FROM seq_{one}_to_{one + 9}",
                "COMMIT",
            )
        pair.sql("BEGIN", "DELETE FROM child WHERE id % 2 = 0", "DELETE FROM parent WHERE id % 2 = 0", "COMMIT")
        running.settle()
        assert all(pair.equal(table) for table in tables)
    assert set(went["parent"]) == set(went["child"]) == {"binlog"} and len(went["t"]) == SEVERAL
    assert not pair.ledger.dirty


def test_tables_that_become_one_go_to_one_session(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE b (id INT PRIMARY KEY, v INT)")
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    rule = {"ruleName": "r", "ruleActionType": "Rename", "ruleTargetType": "Table"}
    selected = [{"objectType": "Table", "expressionType": "Regex", "expression": "[ab]"}]
    mapping = {
        "tableMappings": [{"sourceObjectSelectionRules": selected, "transformationRules": [rule]}],
        "transformationRules": [{**rule, "ruleExpression": {"expression": "both"}}],
    }
    writer = {"tableMappingRule": mapping}
    with task(pair, tables=("a", "b", "t"), writer=writer) as running:
        running.settle()
        pair.sql("INSERT INTO a SELECT seq, 1 FROM seq_1_to_200", "INSERT INTO t SELECT seq FROM seq_1_to_200")
        pair.sql("BEGIN", "DELETE FROM a WHERE id > 50", "INSERT INTO b SELECT seq, 2 FROM seq_51_to_150", "COMMIT")
        running.settle()
        assert pair.select('SELECT v, count(*) FROM "both" GROUP BY v ORDER BY v') == [(1, 50), (2, 100)]
    assert len(went["both"]) == 1 and len(went["t"]) == SEVERAL


def test_rows_deleted_by_name_go_to_one_session(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_50")
    rule = {"ruleName": "d", "ruleActionType": "HandleDml", "ruleTargetType": "Table"}
    expression = {"dmlPolicies": [{"dmlType": "Delete", "dmlAction": "LogicalDelete"}]}
    selected = [{"objectType": "Table", "expressionType": "Regex", "expression": ".*"}]
    mapping = {
        "tableMappings": [{"sourceObjectSelectionRules": selected, "transformationRules": [rule]}],
        "transformationRules": [{**rule, "ruleExpression": expression}],
    }
    with task(pair, writer={"tableMappingRule": mapping}) as running:
        running.settle()
        pair.sql("DELETE FROM t WHERE id % 2 = 0", "UPDATE t SET id = id + 100 WHERE id < 10")
        running.settle()
        kept = "SELECT count(*) FROM t WHERE _is_deleted_"
        assert pair.select(kept) == [(25,)]
        assert sorted(pair.select("SELECT id FROM t WHERE NOT _is_deleted_")) == sorted(pair.sql("SELECT id FROM t"))
    assert len(went["t"]) == 1


def test_rows_that_are_appended_are_written_by_one(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY)")
    with task(pair, writer={"writeMode": "insert"}) as running:
        running.settle()
        pair.sql("INSERT INTO t SELECT seq FROM seq_1_to_300")
        running.settle()
    assert pair.select("SELECT count(*), count(DISTINCT _sequence_id_) FROM t") == [(300, 300)]
    assert set(went["t"]) == {"binlog"} and set(places(pair)) == {"binlog"}


def test_an_insert_that_is_to_be_ignored_is(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    with task(pair, writer={"conflictMode": "ignore"}) as running:
        running.settle()
        pair.select("INSERT INTO t SELECT n, -1 FROM generate_series(1, 20) n")
        pair.sql("INSERT INTO t SELECT seq, seq FROM seq_1_to_40", "UPDATE t SET v = 100 WHERE id IN (3, 30)")
        running.settle()
        want = {n: 100 if n in (3, 30) else -1 if n <= 20 else n for n in range(1, 41)}
        assert dict(pair.select("SELECT id, v FROM t")) == want
    assert len(went["t"]) == SEVERAL


def test_tables_change_while_several_write_them(pair: Pair, went: Went) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_100")
    pair.plain.prepare_threshold = None
    with task(pair, tables=(), ddl=ALL) as running:
        running.settle()
        for statement in (
            "ALTER TABLE t ADD COLUMN w VARCHAR(9) DEFAULT 'w'",
            "ALTER TABLE t MODIFY COLUMN v BIGINT",
            "ALTER TABLE t MODIFY COLUMN id BIGINT",
            "ALTER TABLE t RENAME COLUMN w TO x",
            "ALTER TABLE t DROP COLUMN x",
            "TRUNCATE TABLE t",
            "CREATE TABLE n (id INT PRIMARY KEY, v INT)",
            "RENAME TABLE t TO o, n TO t",
            "RENAME TABLE t TO n, o TO t",
        ):
            pair.sql("INSERT INTO t (id, v) SELECT max(id) + 1 + seq, 0 FROM t, seq_1_to_30 GROUP BY seq")
            pair.sql("UPDATE t SET id = -id, v = v + 1 WHERE id % 3 = 0 AND id > 0")
            if "RENAME" in statement or "MODIFY" in statement or "DROP" in statement:
                running.settle()
            pair.sql(statement)
            pair.sql("INSERT INTO t (id, v) SELECT 5000 + seq, 0 FROM seq_1_to_30", "UPDATE t SET v = v + 5")
            pair.sql("DELETE FROM t WHERE id > 5000")
            running.settle()
            assert pair.equal(), statement
        assert pair.equal("n") and one_place(pair, SEVERAL)
    assert len(went["t"]) == SEVERAL


@pytest.mark.parametrize("broken", [("binlog",), ("binlog/1",), ("binlog", "binlog/2")], ids=str)
def test_c20_some_sessions_break_and_the_others_have_committed(
    pair: Pair,
    went: Went,
    steps: list[tuple[Position, Position]],
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[str, ...],
) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_300")
    with task(pair) as running:
        running.settle()
    pair.sql("UPDATE t SET v = v + 1, id = id + 1 ORDER BY id DESC", "DELETE FROM t WHERE id > 250")
    with monkeypatch.context() as patch:
        fails_once(patch, *broken)
        with task(pair) as running:
            assert isinstance(running.fails(), Unreachable)
    assert len({position for position, _ in places(pair).values()}) == 2
    pair.sql("UPDATE t SET v = v + 10")
    with task(pair) as running:
        running.settle()
        assert pair.equal() and one_place(pair, SEVERAL)
    assert len(steps) == 1


@pytest.mark.parametrize("broken", [("binlog",), ("binlog/1",), ("binlog", "binlog/2")], ids=str)
@pytest.mark.parametrize("dies", [False, True], ids=["", "and dies before it could save"])
def test_rows_that_are_refused_count_once(
    pair: Pair,
    steps: list[tuple[Position, Position]],
    monkeypatch: pytest.MonkeyPatch,
    broken: tuple[str, ...],
    dies: bool,
) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    with task(pair) as running:
        running.settle()
    pair.select("ALTER TABLE t ADD CHECK (v % 10 <> 0)")
    pair.sql("INSERT INTO t SELECT seq, seq FROM seq_1_to_100")
    with monkeypatch.context() as patch:
        fails_once(patch, *broken)
        with task(pair) as running:
            running.fails()
    if dies:
        with monkeypatch.context() as patch:
            patch.setattr(Notebook, "save", no_save)
            with task(pair) as running:
                assert "no store" in str(running.fails())
    with task(pair) as running:
        running.settle()
        pair.sql("INSERT INTO t SELECT seq, seq FROM seq_101_to_200")
        running.settle()
    assert steps
    assert len(pair.ledger.dirty) == 20 == len({row.row for row in pair.ledger.dirty})
    assert pair.select("SELECT count(*) FROM t") == [(180,)]


@pytest.mark.parametrize("apart", [False, True], ids=["at one place", "apart"])
def test_c32_their_number_may_change(pair: Pair, monkeypatch: pytest.MonkeyPatch, apart: bool) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_300")
    for writers in (1, 4, 2, 3, 1, 2):
        if apart and writers > 1:
            pair.sql("UPDATE t SET v = v + 1, id = id + 1 ORDER BY id DESC")
            with monkeypatch.context() as patch:
                fails_once(patch, f"binlog/{writers - 1}")
                with task(pair, writers) as running:
                    running.fails()
            continue
        with task(pair, writers) as running:
            pair.sql("UPDATE t SET v = v + 1, id = id - 1 ORDER BY id", f"INSERT INTO t VALUES ({1000 + writers}, 0)")
            pair.sql(f"DELETE FROM t WHERE id > 900 AND id <> {1000 + writers}")
            running.settle()
            assert pair.equal() and one_place(pair, writers)
    with task(pair, 2) as running:
        running.settle()
        assert pair.equal() and one_place(pair, 2)


def test_a_position_set_by_hand_is_that_of_all(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    with task(pair) as running:
        running.settle()
        begun = pair.ledger.checkpoints()["binlog"].position
        pair.sql("INSERT INTO t SELECT seq, 0 FROM seq_1_to_60")
        running.settle()
        middle = pair.ledger.checkpoints()["binlog"].position
        assert middle != begun
    pair.select("DELETE FROM t WHERE id < 31")
    chosen = replace(pair.ledger.checkpoints()["binlog"], position=begun, chosen=pair.epoch)
    pair.ledger.begin([chosen])
    with task(pair) as running:
        running.settle()
        assert pair.equal()
    # And forward: what lies in between never comes.
    pair.sql("INSERT INTO t SELECT seq, 0 FROM seq_61_to_90")
    with task(pair, tables=("t",)) as running:
        running.settle()
        last = pair.ledger.checkpoints()["binlog"].position
    pair.select("DELETE FROM t WHERE id > 60")
    pair.ledger.begin([replace(pair.ledger.checkpoints()["binlog"], position=middle, chosen=None)])
    pair.ledger.begin([replace(pair.ledger.checkpoints()["binlog"], position=last, chosen=pair.epoch)])
    with task(pair) as running:
        pair.sql("INSERT INTO t VALUES (1000, 1)")
        running.settle()
        assert pair.select("SELECT max(id), count(*) FROM t") == [(1000, 61)] and one_place(pair, SEVERAL)


def test_c29_a_fence_is_put_up_before_all_of_them(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    with task(pair) as running:
        running.settle()
    with opened(pair, pair.code("t", writerConcurrent=SEVERAL)) as pipeline:
        (stream,) = pipeline.streams(())
        splits = ["binlog", "binlog/1", "binlog/2"]
        old = [pipeline.writer.open(replace(stream, id=split)) for split in splits]
        fence(pipeline.writer, stream, None, pair.epoch + 5)
        for sink in old:
            held = sink.last()
            assert held is not None
            with pytest.raises(Fenced):
                sink.flush(replace(held, position=Position("elsewhere")))
    assert one_place(pair, SEVERAL)


def test_nobody_is_told_of_a_place_that_some_have_not_reached(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_50")
    code = pair.code("t", writerConcurrent=SEVERAL)
    with task(pair) as running:
        running.settle()
    with opened(pair, code) as pipeline:
        (stream,) = pipeline.streams(())
        here = pipeline.writer.held(stream)
        assert here == pair.ledger.checkpoints()["binlog"].position
        pair.select("UPDATE disync_checkpoint SET position = 'further' WHERE split = 'binlog/1'")
        assert pipeline.writer.held(stream) is None
        pair.select("UPDATE disync_checkpoint SET done = true WHERE split = 'binlog/1'")
        assert pipeline.writer.held(stream) == here


def test_a_comparison_while_several_write(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t SELECT seq, 0 FROM seq_1_to_2000")
    code = pair.code("t", writerConcurrent=SEVERAL)
    with task(pair) as running:
        running.settle()
        over = threading.Event()

        def busy() -> None:
            while not over.is_set():
                pair.sql("UPDATE t SET v = v + 1 WHERE id % 3 = 0", "UPDATE t SET id = id + 5000 WHERE id % 97 = 1")
                time.sleep(0.01)

        writer = threading.Thread(target=busy)
        writer.start()
        try:
            reports = [compared(pair, code)["t"] for _ in range(3)]
        finally:
            over.set()
            writer.join()
        assert [found(report) for report in reports] == [set()] * 3
        assert not any(report.unsettled for report in reports)
        running.settle()
        pair.select("UPDATE t SET v = -7 WHERE id = 12")
        assert found(compared(pair, code)["t"]) == {("different", (12,), ("v",))}


def test_what_they_hold_together_is_bounded_and_kept(pair: Pair, went: Went, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction larger than what is gathered: all have sent some of it, and hold it, and nothing of it is seen."""
    held: Counter[str] = Counter()
    hold = PostgresSink.hold

    def noted(self: PostgresSink) -> None:
        held[self._split.id] += 1
        hold(self)

    monkeypatch.setattr(fan, "HOLD_SECONDS", 0.0)
    monkeypatch.setattr(PostgresSink, "hold", noted)
    monkeypatch.setattr(pace, "KEPT_ROWS", 500)
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
    seen: set[int] = set()
    with pair.task(pair.code("t", reader={"batchSize": 300}, writerConcurrent=SEVERAL, batchSize=600)) as running:
        running.settle()
        pair.sql("INSERT INTO t SELECT seq, 0 FROM seq_1_to_30000")

        def all_there() -> bool:
            seen.update(count for (count,) in pair.select("SELECT count(*) FROM t"))
            return 30_000 in seen

        running.until(all_there)
        running.settle()
        assert pair.equal("t", "count(*), sum(id)") and one_place(pair, SEVERAL)
    assert held and len(went["t"]) == SEVERAL
    assert len(seen) <= 1 + SEVERAL + 1


SETTLED = ["CREATE DATABASE settled", "CREATE TABLE settled.mark (id INT PRIMARY KEY, v CHAR(36))"]


@pytest.fixture
def grouped(pair_target: str) -> Iterator[tuple[Pair, Server]]:
    """A pair whose source is a primary, and its replica, whose log is cut otherwise."""
    with group(1) as (primary, replica):
        primary.run(SETTLED)
        found = Pair(primary, "own", pair_target, pgcopy.FORMAT)
        found.select("CREATE SCHEMA own")
        found.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)")
        replica.run(["FLUSH BINARY LOGS", "FLUSH BINARY LOGS"])
        yield found, replica
        found.select("DROP SCHEMA own CASCADE")
        found.plain.close()


def no_save(*_: object) -> int:
    raise Unreachable("there is no store")


def breaks(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends with some sinks behind the others."""
    with monkeypatch.context() as patch:
        fails_once(patch, "binlog/1")
        with task(pair) as running:
            assert isinstance(running.fails(), Unreachable)
    assert len({position for position, _ in places(pair).values()}) == 2


def test_c43_another_server_answers_while_they_are_apart(
    grouped: tuple[Pair, Server], steps: list[tuple[Position, Position]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, replica = grouped
    with task(pair) as running:
        running.settle()
    for one in range(5):
        pair.sql(f"INSERT INTO t SELECT seq + {one * 100}, {one} FROM seq_1_to_50")
    pair.sql("UPDATE t SET id = id + 1 ORDER BY id DESC")
    breaks(pair, monkeypatch)
    caught_up(replica, pair.source)
    promote(replica)
    pair.source = replica
    pair.sql("UPDATE t SET v = v + 1, id = id - 1 ORDER BY id")
    with task(pair) as running:
        running.until(lambda: pair.equal("t", "id, v") and one_place(pair, SEVERAL))
    assert len(steps) == 1


def mixed(pair: Pair, replica: Server, instead: dict[int, str]) -> None:
    """Transactions of two domains, which lie otherwise in the log of the replica, and one more that it alone has.
    `instead`: what some of them do that is no insert."""
    caught_up(replica, pair.source)
    promote(replica)
    for server, order in ((pair.source, (1, 11, 2, 12)), (replica, (1, 2, 3, 11, 12))):
        for number in order:
            domain, sequence = (1, number - 10) if number > 10 else (0, number + 1000)
            session = {"gtid_domain_id": domain, "server_id": 1, "gtid_seq_no": sequence, "timestamp": 1_700_000_000}
            insert = f"INSERT INTO t (id, v) SELECT seq + {number * 100}, 0 FROM seq_1_to_50"
            server.run(instead.get(number, insert), "own", **session)


@pytest.mark.mariadb
def test_c44_they_are_apart_in_a_log_whose_domains_lie_mixed_otherwise(
    grouped: tuple[Pair, Server], steps: list[tuple[Position, Position]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the other server a transaction that nobody has read lies between those that some sinks have."""
    pair, replica = grouped
    with task(pair) as running:
        running.settle()
    mixed(pair, replica, {})
    breaks(pair, monkeypatch)
    pair.source, read, bounds = replica, Reunion._read, []

    def noted(self: Reunion, *given: Any, bounded: bool = True) -> Position:
        bounds.append(bounded)
        return read(self, *given, bounded=bounded)

    monkeypatch.setattr(Reunion, "_read", noted)
    with task(pair) as running:
        running.until(lambda: pair.equal("t", "id, v") and one_place(pair, SEVERAL))
    assert len(steps) == 1 and bounds == [True, False]


@pytest.mark.mariadb
@pytest.mark.parametrize("statement", ["TRUNCATE TABLE t", "ALTER TABLE t ADD COLUMN w INT DEFAULT 7"])
def test_a_change_of_the_schema_that_lies_mixed_is_not_passed_over(
    grouped: tuple[Pair, Server], monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Nobody has read it, and it lies before what some sinks have: the task stops, and says what to do."""
    pair, replica = grouped
    pair.plain.prepare_threshold = None
    with task(pair) as running:
        running.settle()
    mixed(pair, replica, {3: statement})
    breaks(pair, monkeypatch)
    pair.source = replica
    with task(pair, ddl=ALL) as running:
        error = running.fails()
    assert isinstance(error, BadConfig) and "UpdateDISyncCheckpoint" in str(error)
    behind = pair.ledger.checkpoints()["binlog"]
    assert behind.position in str(error)
    pair.ledger.begin([replace(behind, chosen=pair.epoch)])
    with task(pair, ddl=ALL) as running:
        running.until(lambda: pair.equal("t") and one_place(pair, SEVERAL))
