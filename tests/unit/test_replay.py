"""Rows that were refused, written again: what comes of each, and that none of it outlives what is newer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from test_task import Held, Running, job, task, until

from disync.connectors.memory import Faults, Memory, forget, place
from disync.engine.ledger import Notebook
from disync.engine.plan import plan
from disync.engine.replay import SPLIT, source_of
from disync.engine.task import Run
from disync.model import kept
from disync.model.data import Batch, Column, Position, Table, rows_of
from disync.model.errors import Fenced, Unreachable
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Split, Start, Tally
from disync.model.table_mapping import Route
from disync.model.types import Kind

COLUMNS = (Column("id", Kind.BIGINT), Column("note", Kind.STRING))
KEYED = Table("orders", COLUMNS, ("id",))
PLAIN = Table("orders", COLUMNS)


@pytest.fixture
def memory() -> Iterator[Memory]:
    yield place("source")
    forget("source")
    forget("target")


class Asked(Notebook):
    """A ledger that is asked for rows; `fails` times it cannot take note of what came of them."""

    def __init__(self, *rows: tuple[int, str], fails: int = 0, request: int = 1) -> None:
        super().__init__()
        self.fails = fails
        for number, (id_, note) in enumerate(rows, 1):
            self.kept[number] = Kept(number, request, "copy", json.dumps({"id": id_, "note": note}))

    def settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        if self.fails:
            self.fails -= 1
            raise Unreachable("the store is away")
        super().settle(outcomes, tally)


def source(memory: Memory, table: Table, *rows: tuple[int, str]) -> None:
    stored = memory.create(table)
    for number, row in enumerate(rows):
        stored.rows[(row[0],) if table.keys else number] = row


def target(table: Table, *rows: tuple[int, str]) -> Memory:
    copy = place("target")
    source(copy, replace(table, name="copy"), *rows)
    return copy


def followed(memory: Memory, ledger: Notebook, transactional: bool = True, epoch: int = 1) -> list[Any]:
    """The target after a run that follows the log to its end, without the marks that end it."""
    memory.append("orders", "log", [(100 + epoch, "mark")], "U")
    running = Running(task(job(transactional=transactional), epoch=epoch), ledger)
    until(lambda: (100 + epoch, "mark") in place("target").rows("copy") or running.error is not None)
    error = running.stop()
    if error is not None:
        raise error
    return sorted(row for row in place("target").rows("copy") if row[0] < 100)


def test_a_row_is_written_as_it_is_now(memory: Memory) -> None:
    source(memory, KEYED, (1, "mended"), (2, "two"))
    target(KEYED, (2, "two"))
    ledger = Asked((1, "refused"))
    assert followed(memory, ledger) == [(1, "mended"), (2, "two")]
    assert ledger.outcomes == {1: None}
    assert ledger.kept == {}


def test_a_row_that_is_gone_is_deleted(memory: Memory) -> None:
    source(memory, KEYED, (2, "two"))
    target(KEYED, (1, "an older value"), (2, "two"))
    ledger = Asked((1, "refused"))
    assert followed(memory, ledger) == [(2, "two")]
    assert ledger.outcomes == {1: None}


def test_the_log_comes_after_and_wins(memory: Memory) -> None:
    """What the log holds from its checkpoint on is older and newer than what was read: at its end all is as it is."""
    source(memory, KEYED, (1, "newest"), (2, "there again"))
    target(KEYED, (1, "oldest"))
    memory.append("orders", "log", [(1, "oldest")], "I")
    memory.append("orders", "log", [(1, "in between"), (2, "in between")], "U")
    memory.append("orders", "log", [(2, "in between")], "D")
    memory.append("orders", "log", [(1, "newest"), (2, "there again")], "U")
    ledger = Asked((1, "refused"), (2, "refused"))
    ledger.begin([Checkpoint("log", Position("1"), 1)])
    assert followed(memory, ledger, epoch=2) == [(1, "newest"), (2, "there again")]


def test_a_row_refused_again_stays_with_its_new_reason(memory: Memory) -> None:
    source(memory, KEYED, (1, "still bad"), (2, "good"))
    target(KEYED).faults = Faults(refuse=lambda row: "it is still bad" if row[1] == "still bad" else None)
    ledger = Asked((1, "bad"), (2, "bad"))
    assert followed(memory, ledger) == [(2, "good")]
    assert ledger.outcomes == {1: "it is still bad", 2: None}
    assert (ledger.tally.rows_written, ledger.tally.rows_dirty) == (2, 0)


def test_a_row_without_a_key_is_written_as_it_was_kept(memory: Memory) -> None:
    source(memory, PLAIN)
    target(PLAIN, (5, "before"))
    ledger = Asked((1, "kept"), (1, "kept"))
    assert followed(memory, ledger) == [(1, "kept"), (1, "kept"), (5, "before")]


def test_a_crash_after_the_target_took_it_repeats_it_by_key(memory: Memory) -> None:
    source(memory, KEYED, (1, "mended"))
    target(KEYED)
    ledger = Asked((1, "refused"), fails=1)
    with pytest.raises(Unreachable):
        followed(memory, ledger)
    memory.tables["orders"].rows[(1,)] = (1, "mended twice")
    assert followed(memory, ledger, epoch=2) == [(1, "mended twice")]
    assert ledger.outcomes == {1: None}


def test_a_crash_after_the_target_took_it_appends_nothing_twice(memory: Memory) -> None:
    """The target's own checkpoint tells that it was there; another request writes it once more."""
    source(memory, PLAIN)
    target(PLAIN)
    ledger = Asked((1, "kept"), fails=1)
    with pytest.raises(Unreachable):
        followed(memory, ledger)
    assert followed(memory, ledger, epoch=2).count((1, "kept")) == 1
    assert ledger.outcomes == {1: None}
    ledger.kept = Asked((1, "kept"), request=2).kept
    assert followed(memory, ledger, epoch=3).count((1, "kept")) == 2
    assert ledger.outcomes == {1: None}


def test_a_crash_after_the_target_refused_it_again_does_not_pass_for_success(memory: Memory) -> None:
    source(memory, PLAIN)
    target(PLAIN).faults = Faults(refuse=lambda row: "still bad" if row[1] == "bad" else None)
    ledger = Asked((1, "good"), (2, "bad"), (3, "good"))
    settle, calls = ledger.settle, iter(range(9))

    def second_fails(outcomes: Mapping[int, str | None], tally: Tally) -> None:
        if next(calls) == 1:
            raise Unreachable("the store is away")
        settle(outcomes, tally)

    ledger.settle = second_fails  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        followed(memory, ledger)
    assert followed(memory, ledger, epoch=2) == [(1, "good"), (3, "good")]
    assert ledger.outcomes == {1: None, 2: "still bad", 3: None}


def test_a_crash_before_the_target_took_it_loses_nothing(memory: Memory) -> None:
    source(memory, PLAIN)
    target(PLAIN).faults = Faults(flush_after=0)
    ledger = Asked((1, "kept"))
    with pytest.raises(Unreachable):
        followed(memory, ledger)
    assert followed(memory, ledger, epoch=2).count((1, "kept")) == 1
    assert ledger.outcomes == {1: None}


def test_an_earlier_run_writes_nothing_after_the_source_was_asked(memory: Memory) -> None:
    """A run that was frozen inside its flush wakes up when the next one has replayed: what it holds is older."""
    source(memory, KEYED, (1, "newest"))
    target(KEYED)
    memory.append("orders", "log", [(7, "seven")], "I")
    ledger = Asked((1, "refused"))
    ledger.begin([Checkpoint("log", Position("0"), 1)])
    pipeline = plan(task(job(transactional=True)))
    frozen = pipeline.writer.open(Split("log", KEYED))
    asked: list[str] = []
    reread = pipeline.reader.reread

    def wakes(table: Table, rows: Any) -> Iterator[Batch]:
        with pytest.raises(Fenced):
            frozen.flush(Checkpoint("log", Position("1"), 1))
        asked.append(table.name)
        return reread(table, rows)

    pipeline.reader.reread = wakes  # type: ignore[method-assign]
    with Run(pipeline, task(job(transactional=True), epoch=2), ledger, Held()) as run:
        thread = threading.Thread(target=run.go)
        thread.start()
        until(lambda: (7, "seven") in place("target").rows("copy"))
        run.stop()
        thread.join(20)
    assert asked == ["orders"]
    assert sorted(place("target").rows("copy")) == [(1, "newest"), (7, "seven")]


def test_a_bounded_task_replays_and_ends(memory: Memory) -> None:
    source(memory, KEYED, (1, "one"))
    ledger = Asked((1, "refused"))
    assert Running(task(job(follow=False)), ledger).end() is None
    assert ledger.outcomes == {1: None}
    assert SPLIT not in ledger.checkpoints()


def test_a_table_that_is_written_no_more_is_named(memory: Memory) -> None:
    source(memory, KEYED)
    a, b, both = (Table(name, COLUMNS) for name in ("a", "b", "x.a"))
    two = [Route(a, a), Route(b, b)]
    assert source_of("public.a", two) == a
    assert source_of("a", two) == a
    assert source_of("public.c", two) is None
    assert source_of("renamed", two[:1]) == a
    assert source_of("s.x.a", [Route(a, a), Route(both, both)]) == both
    moved = Route(a, replace(b, name="other.b", path=("other", "b")))
    assert source_of("other.b", [moved, Route(b, b)]) == a
    assert source_of("b", [replace(moved, target=b, merged=True), Route(b, b, merged=True)]) is None


@pytest.mark.parametrize(
    ("table", "row", "back"),
    [
        (PLAIN, '{"id":7,"note":null}', (7, None)),
        (PLAIN, '{"id":"7","note":"as DataHub writes it"}', (7, "as DataHub writes it")),
        (PLAIN, '{"id":7}', (7, None)),
        (
            Table("t", (Column("d", Kind.DECIMAL), Column("b", Kind.BYTES))),
            '{"d":"1.50","b":"AP8="}',
            ("1.50", b"\0\xff"),
        ),
        (Table("t", (Column("b", Kind.BOOLEAN), Column("f", Kind.DOUBLE))), '{"b":"true","f":"1.5"}', (True, 1.5)),
        (Table("blob"), '{"data":"AP8="}', (b"AP8=",)),
        (Table("blob"), '{"data:base64":"AP8="}', (b"\0\xff",)),
    ],
)
def test_what_was_kept_comes_back(table: Table, row: str, back: tuple[Any, ...]) -> None:
    (batch,) = kept.stored(table, [Kept(3, 2, "t", row)])
    assert (rows_of(batch.rows), batch.ops, batch.position) == ([back], None, "2/3")  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ['{"id":"seven"}', '{"id":1.5}', "[7]", "{", '{"id":1.5e400}', ""])
def test_what_does_not_come_back_exactly_does_not_come_back(row: str) -> None:
    assert list(kept.stored(PLAIN, [Kept(1, 1, "t", row)])) == []
    assert list(kept.stored(PLAIN, [Kept(1, 1, "t", '{"id":7}', whole=False)])) == []


def test_without_a_log_the_position_is_taken_first(memory: Memory) -> None:
    """A task that has never run has no log to fence: it begins where it is told to, then replays, then follows."""
    source(memory, KEYED, (1, "now"))
    memory.append("orders", "log", [(3, "before the start")], "I")
    ledger = Asked((1, "refused"))
    running = Running(task(job(transactional=True), start=Start("latest")), ledger)
    until(lambda: ledger.outcomes == {1: None})
    assert running.stop() is None
    assert place("target").rows("copy") == [(1, "now")]
