"""The loop, over the memory connector: what it delivers, in which order, and what a failure may repeat."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from disync.connectors.memory import Faults, Memory, forget, place
from disync.engine.ledger import Notebook
from disync.engine.pace import FLUSH_ROWS
from disync.engine.plan import plan
from disync.engine.task import Run
from disync.model.connector import ChangeReader
from disync.model.data import Batch, Column, Dirty, Event, Idle, Position, Table, record_batch
from disync.model.errors import DirtyLimit, DISyncError, Fenced, Unreachable
from disync.model.run import Checkpoint, Limits, Split, Start, Tally, Task
from disync.model.types import Kind

TABLE = Table("orders", (Column("id", Kind.BIGINT), Column("note", Kind.STRING)))


class Held:
    valid = True


class Lost:
    valid = False


@pytest.fixture
def memory() -> Iterator[Memory]:
    source = place("source")
    source.create(TABLE)
    yield source
    forget("source")
    forget("target")


def job(follow: bool = True, transactional: bool = False, load: bool = False) -> str:
    return json.dumps(
        {
            "steps": [
                {
                    "name": "w",
                    "stepType": "memory",
                    "parameter": {"place": "target", "table": "copy", "transactional": transactional},
                },
                {
                    "name": "r",
                    "stepType": "memory",
                    "parameter": {"place": "source", "table": "orders", "follow": follow, "load": load},
                },
            ],
            "order": {"hops": [{"from": "r", "to": "w"}]},
        }
    )


def task(code: str, epoch: int = 1, start: Start = Start(), dirty: int | None = None) -> Task:  # noqa: B008
    return Task(1, "copy", epoch, code, {}, start, Limits(dirty=dirty))


class Running:
    """A run in a thread of its own."""

    def __init__(self, of: Task, ledger: Notebook, lease: Held | Lost | None = None) -> None:
        self.run = Run(plan(of), of, ledger, lease or Held())
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._go)
        self.thread.start()

    def _go(self) -> None:
        try:
            with self.run:
                self.run.go()
        except DISyncError as error:
            self.error = error

    def stop(self) -> BaseException | None:
        self.run.stop()
        return self.end()

    def end(self) -> BaseException | None:
        self.thread.join(20)
        assert not self.thread.is_alive()
        return self.error


def until(condition: Callable[[], bool], within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def ids(rows: Sequence[tuple[object, ...]]) -> list[object]:
    return [row[0] for row in rows]


def numbered(first: int, last: int) -> list[tuple[int, str]]:
    return [(i, f"note {i}") for i in range(first, last)]


def copied() -> list[object]:
    return ids(place("target").rows("copy"))


def test_every_row_in_order_and_then_what_comes_later(memory: Memory) -> None:
    memory.append("orders", "0", numbered(0, 250))
    running = Running(task(job()), Notebook())
    until(lambda: len(copied()) == 250)
    memory.append("orders", "0", numbered(250, 300))
    until(lambda: len(copied()) == 300)
    assert running.stop() is None
    assert copied() == list(range(300))


def test_a_stopped_task_resumes_where_it_was(memory: Memory) -> None:
    ledger = Notebook()
    memory.append("orders", "0", numbered(0, 100))
    running = Running(task(job()), ledger)
    until(lambda: len(copied()) == 100)
    assert running.stop() is None
    memory.append("orders", "0", numbered(100, 150))
    running = Running(task(job(), epoch=2), ledger)
    until(lambda: len(copied()) >= 150)
    assert running.stop() is None
    assert copied() == list(range(150))


def test_the_source_is_told_last(memory: Memory) -> None:
    memory.append("orders", "0", numbered(0, 10))
    order: list[str] = []

    class Witness(Notebook):
        def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
            assert len(copied()) == int(checkpoint.position), "saved before it was durable in the target"
            assert memory.acknowledged.get("0", "0") < checkpoint.position, "acknowledged before it was saved"
            order.append(checkpoint.position)
            return super().save(checkpoint, dirty, tally)

    running = Running(task(job()), Witness())
    until(lambda: memory.acknowledged.get("0") == "10")
    assert running.stop() is None
    assert order == ["10"]


@pytest.mark.parametrize("durable", [0, 1, 37, 100])
def test_a_crash_between_acceptance_and_checkpoint_repeats_at_most_what_was_not_checkpointed(
    memory: Memory, durable: int
) -> None:
    ledger = Notebook()
    memory.append("orders", "0", numbered(0, 100))
    place("target").create(Table("copy", TABLE.columns))
    place("target").faults = Faults(flush_after=durable)
    assert isinstance(Running(task(job()), ledger).end(), Unreachable)
    running = Running(task(job(), epoch=2), ledger)
    until(lambda: len(copied()) >= 100 + durable)
    assert running.stop() is None
    assert copied() == [*range(durable), *range(100)]
    assert durable <= FLUSH_ROWS


def test_a_target_with_transactions_gets_every_row_once(memory: Memory) -> None:
    ledger = Notebook()
    memory.append("orders", "0", numbered(0, 100))
    place("target").faults = Faults(flush_after=37)
    assert isinstance(Running(task(job(transactional=True)), ledger).end(), Unreachable)
    running = Running(task(job(transactional=True), epoch=2), ledger)
    until(lambda: len(copied()) >= 100)
    assert running.stop() is None
    assert copied() == list(range(100))


def test_children_of_a_split_wait_for_their_parent_and_begin_at_their_first_row(memory: Memory) -> None:
    memory.append("orders", "parent", numbered(0, 500))
    ledger = Notebook()
    running = Running(task(job(), start=Start("latest")), ledger)
    until(lambda: "parent" in ledger.checkpoints())
    memory.append("orders", "parent", numbered(500, 600))
    memory.append("orders", "child", numbered(600, 700))
    parent, child = memory.streams["orders"]
    child.parents = ("parent",)
    parent.sealed = True
    until(lambda: len(copied()) >= 200)
    assert running.stop() is None
    assert copied() == list(range(500, 700))
    assert ledger.checkpoints()["parent"].done


def test_where_a_task_begins_is_decided_once(memory: Memory) -> None:
    """Rows that arrive between the start and a failure before the first checkpoint are not skipped by `latest`."""
    memory.append("orders", "0", numbered(0, 10))
    ledger = Notebook()
    place("target").faults = Faults(write_after=0)
    running = Running(task(job(), start=Start("latest")), ledger)
    until(lambda: "0" in ledger.checkpoints())
    memory.append("orders", "0", numbered(10, 20))
    assert isinstance(running.end(), Unreachable)
    running = Running(task(job(), epoch=2, start=Start("latest")), ledger)
    until(lambda: len(copied()) >= 10)
    assert running.stop() is None
    assert copied() == list(range(10, 20))


def test_a_bounded_read_ends_by_itself(memory: Memory) -> None:
    target = place("source")
    target.tables["orders"].rows = {(i,): (i, "x") for i in range(1000)}
    ledger = Notebook()
    assert Running(task(job(follow=False)), ledger).end() is None
    assert sorted(copied()) == list(range(1000))
    assert all(mark.done for mark in ledger.checkpoints().values())
    assert ledger.tally.rows_written == 1000


@pytest.mark.parametrize("fault", [None, 0, 150, 600])
def test_a_full_load_is_followed_by_what_the_log_says_since_it_began(memory: Memory, fault: int | None) -> None:
    """The log's position is taken before the load, and kept when the load has to go on after a failure."""
    memory.append("orders", "log", numbered(-100, 0))
    memory.tables["orders"].rows = {(i,): (i, "loaded") for i in range(500)}
    ledger = Notebook()
    code = job(load=True, transactional=True)
    if fault is not None:
        memory.faults = Faults(read_after=fault)
        running = Running(task(code), ledger)
        until(lambda: "log" in ledger.checkpoints())
        memory.append("orders", "log", numbered(500, 700))
        until(lambda: running.error is not None)
        running.end()
    running = Running(task(code, epoch=2), ledger)
    until(lambda: "log" in ledger.checkpoints())
    if fault is None:
        memory.append("orders", "log", numbered(500, 700))
    until(lambda: len(copied()) >= 700)
    memory.append("orders", "log", numbered(700, 750))
    until(lambda: len(copied()) >= 750)
    assert running.stop() is None
    assert sorted(copied()) == list(range(750))
    assert copied()[500:] == list(range(500, 750))


class Transactions(ChangeReader):
    """A log of transactions of three batches each; a position is the number of transactions before."""

    def __init__(self, count: int) -> None:
        self._count = count

    def check(self) -> list[str]:
        return []

    def tables(self) -> list[Table]:
        return [TABLE]

    def split(self, want: int) -> list[Split]:
        return []

    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        return iter(())

    def streams(self) -> list[Split]:
        return [Split("log", TABLE)]

    def seek(self, stream: Split, start: Start) -> Position:
        return Position("0")

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        for number in range(int(after), self._count):
            for part in range(3):
                here = Position(str(number + 1 if part == 2 else number))
                rows = [(number * 12 + part * 4 + i, "x") for i in range(4)]
                yield Batch(TABLE, record_batch(TABLE, rows), b"IIII", here)
                if part < 2:
                    yield Idle(here)

    def ack(self, stream: Split, upto: Position) -> None:
        return None


def test_a_position_is_never_saved_with_rows_that_lie_beyond_it(memory: Memory) -> None:
    """Idle inside a transaction, and a source that fails after each of its batches: whole transactions, once each."""
    ledger = Notebook()
    for epoch in range(1, 30):
        pipeline = plan(task(job(transactional=True), epoch=epoch))
        fails_after = epoch % 4

        class Failing(Transactions):
            def changes(self, stream: Split, after: Position, limit: int = fails_after) -> Iterator[Event]:
                batches = 0
                for event in super().changes(stream, after):
                    yield event
                    batches += isinstance(event, Batch)
                    if batches > limit:
                        raise Unreachable("cut off")

        of = task(job(transactional=True), epoch=epoch)
        try:
            with Run(replace(pipeline, reader=Failing(7)), of, ledger, Held()) as run:
                run.go()
        except Unreachable:
            done = int(ledger.checkpoints()["log"].position)
            assert copied() == list(range(done * 12))
    assert copied() == list(range(7 * 12))


class Pieces(Transactions):
    """The same, but no batch carries the place behind its transaction: an Idle tells it, and the next one begins."""

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        for number in range(int(after), self._count):
            for part in range(3):
                rows = [(number * 12 + part * 4 + i, "x") for i in range(4)]
                yield Batch(TABLE, record_batch(TABLE, rows), b"IIII", Position(str(number)))
            yield Idle(Position(str(number + 1)))


def test_a_transaction_whose_end_is_told_by_itself_goes_with_no_row_of_the_next(memory: Memory) -> None:
    ledger = Notebook()
    for epoch in range(1, 30):
        pipeline = plan(task(job(transactional=True), epoch=epoch))
        stops_after = 1 + epoch % 5

        class Failing(Pieces):
            def changes(self, stream: Split, after: Position, limit: int = stops_after) -> Iterator[Event]:
                for number, event in enumerate(super().changes(stream, after)):
                    if number > limit:
                        raise Unreachable("cut off")
                    yield event

        of = task(job(transactional=True), epoch=epoch)
        try:
            with Run(replace(pipeline, reader=Failing(7)), of, ledger, Held()) as run:
                run.go()
        except Unreachable:
            done = int(ledger.checkpoints()["log"].position)
            assert copied() == list(range(done * 12))
    assert copied() == list(range(7 * 12))


def test_a_table_that_is_gone_from_a_load_is_named(memory: Memory) -> None:
    ledger = Notebook()
    ledger.begin([], [Split("gone/0", Table("gone"))])
    assert "Table gone was to be loaded" in str(Running(task(job(follow=False)), ledger).end())


def test_a_table_that_was_loaded_may_be_gone(memory: Memory) -> None:
    ledger = Notebook()
    ledger.begin([], [Split("gone/0", Table("gone"))])
    ledger.save(Checkpoint("gone/0", Position(""), 1, done=True), [], Tally())
    assert Running(task(job(follow=False)), ledger).end() is None


def test_refused_rows_are_kept_and_counted_against_the_limit(memory: Memory) -> None:
    memory.append("orders", "0", numbered(0, 50))
    place("target").create(Table("copy", TABLE.columns))
    place("target").faults = Faults(refuse=lambda row: "odd" if row[0] % 2 else None)
    ledger = Notebook()
    running = Running(task(job(), dirty=25), ledger)
    until(lambda: len(ledger.dirty) == 25)
    assert running.run.running
    memory.append("orders", "0", numbered(50, 52))
    error = running.end()
    assert isinstance(error, DirtyLimit)
    assert "26 rows were refused" in str(error)
    assert [json.loads(row.row)["id"] for row in ledger.dirty] == list(range(1, 52, 2))
    assert ledger.tally.rows_written == 26
    assert ledger.tally.rows_dirty == 26


def test_refused_rows_survive_a_crash_between_the_target_and_the_store(memory: Memory) -> None:
    class Away(Notebook):
        away = True

        def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
            if self.away:
                self.away = False
                raise Unreachable("the store is away")
            return super().save(checkpoint, dirty, tally)

    memory.append("orders", "0", numbered(0, 50))
    place("target").create(Table("copy", TABLE.columns))
    place("target").faults = Faults(refuse=lambda row: "odd" if row[0] % 2 else None)
    ledger = Away()
    assert isinstance(Running(task(job(transactional=True)), ledger).end(), Unreachable)
    assert ledger.dirty == [] and copied() == list(range(0, 50, 2))
    running = Running(task(job(transactional=True), epoch=2), ledger)
    until(lambda: len(ledger.dirty) == 25)
    assert running.stop() is None
    assert ledger.tally.rows_dirty == 25 and ledger.checkpoints()["0"].position == "50"
    again = Running(task(job(transactional=True), epoch=3), ledger)
    until(lambda: again.run.running)
    assert again.stop() is None
    assert len(ledger.dirty) == 25 and copied() == list(range(0, 50, 2))


def test_without_a_valid_lease_nothing_is_written(memory: Memory) -> None:
    memory.append("orders", "0", numbered(0, 50))
    assert isinstance(Running(task(job()), Notebook(), Lost()).end(), Fenced)
    assert copied() == []


def test_an_error_in_one_stream_ends_the_run_visibly(memory: Memory) -> None:
    memory.append("orders", "0", numbered(0, 10))
    memory.append("orders", "1", numbered(10, 20))
    memory.faults = Faults(read_after=15)

    assert isinstance(Running(task(job()), Notebook()).end(), Unreachable)
