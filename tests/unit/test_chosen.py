"""A position that a person has set, over the memory connector: taken up once, whatever the target holds and dies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from disync.connectors.memory import Faults, Memory, forget, place
from disync.engine.ledger import Notebook
from disync.engine.plan import plan
from disync.engine.task import Run
from disync.model.data import Column, Dirty, Position, Table
from disync.model.errors import BadConfig, PositionGone, TaskError, Unreachable
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.model.types import Kind

TABLE = Table("orders", (Column("id", Kind.BIGINT), Column("note", Kind.STRING)))
CODE = """{"steps": [
 {"name": "w", "stepType": "memory", "parameter": {"place": "target", "table": "copy", "transactional": %s}},
 {"name": "r", "stepType": "memory", "parameter": {"place": "source", "table": "orders", "follow": true}}],
 "order": {"hops": [{"from": "r", "to": "w"}]}}"""


class Held:
    valid = True


class Book(Notebook):
    """A ledger that breaks at its next save, before or after it has kept anything."""

    breaks = ""

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        now, self.breaks = self.breaks, ""
        if now == "before save":
            raise Unreachable(now)
        refused = super().save(checkpoint, dirty, tally)
        if now == "after save":
            raise Unreachable(now)
        return refused


@pytest.fixture
def source() -> Iterator[Memory]:
    made = place("source")
    made.create(TABLE)
    made.append("orders", "0", [(number, "x") for number in range(10)])
    made.streams["orders"][0].sealed = True  # so that a run ends by itself
    yield made
    forget("source")
    forget("target")


def run(ledger: Notebook, epoch: int, transactional: bool = True) -> TaskError | None:
    task = Task(1, "copy", epoch, CODE % str(transactional).lower(), {})
    try:
        with Run(plan(task), task, ledger, Held()) as begun:
            begun.go()
    except TaskError as error:
        return error
    return None


def choose(ledger: Notebook, position: str, epoch: int) -> None:
    ledger.begin([replace(ledger.checkpoints()["0"], position=Position(position), done=False, chosen=epoch)])


def copied() -> list[object]:
    return [row[0] for row in place("target").rows("copy")]


@pytest.mark.parametrize("transactional", [True, False])
def test_it_is_taken_up_once(source: Memory, transactional: bool) -> None:
    ledger = Book()
    assert run(ledger, 1, transactional) is None and copied() == [*range(10)]
    choose(ledger, "7", 1)
    assert run(ledger, 2, transactional) is None
    assert copied() == [*range(10), 7, 8, 9]
    assert ledger.checkpoints()["0"] == Checkpoint("0", Position("10"), 2, done=True)
    assert run(ledger, 3, transactional) is None
    assert copied() == [*range(10), 7, 8, 9]


@pytest.mark.parametrize("breaks", ["flush", "before save", "after save"])
def test_a_run_that_dies_over_it_repeats_nothing_and_loses_nothing(source: Memory, breaks: str) -> None:
    ledger = Book()
    run(ledger, 1)
    choose(ledger, "7", 1)
    if breaks == "flush":
        place("target").faults = Faults(flush_after=0)
    else:
        ledger.breaks = breaks
    assert isinstance(run(ledger, 2), Unreachable)
    assert run(ledger, 3) is None
    assert copied() == [*range(10), 7, 8, 9]


def test_what_the_target_got_after_it_counts_again(source: Memory) -> None:
    """The run that has taken it up dies before it can save what it wrote: the next one believes the target."""
    ledger = Book()
    run(ledger, 1)
    choose(ledger, "7", 1)
    saves = iter(("", "before save"))

    class Later(Book):
        def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
            self.breaks = next(saves, "")
            return super().save(checkpoint, dirty, tally)

    later = Later()
    later.begin([*ledger.checkpoints().values()])
    assert isinstance(run(later, 2), Unreachable)
    assert copied() == [*range(10), 7, 8, 9]
    assert run(later, 3) is None
    assert copied() == [*range(10), 7, 8, 9]


def test_a_later_one_leaves_out_what_lies_before(source: Memory) -> None:
    ledger = Book()
    ledger.begin([Checkpoint("0", Position("8"), 0, chosen=0)])
    assert run(ledger, 1) is None
    assert copied() == [8, 9]


def test_a_replay_of_refused_rows_does_not_undo_it(source: Memory) -> None:
    """It fences off earlier runs by what the target holds, before any stream is read."""
    ledger = Book()
    run(ledger, 1)
    choose(ledger, "7", 1)
    ledger.kept[1] = Kept(1, 1, "copy", '{"id": 99, "note": "again"}', True)
    assert run(ledger, 2) is None
    assert ledger.outcomes == {1: None}
    assert copied() == [*range(10), 99, 7, 8, 9]


def test_the_source_says_what_it_has(source: Memory) -> None:
    source.streams["orders"][0].gone = 3
    reader = plan(Task(1, "copy", 1, CODE % "true", {})).reader
    (stream,) = reader.streams()  # type: ignore[attr-defined]
    assert reader.locate(stream, "4") == "4"
    with pytest.raises(PositionGone, match="begins at 3"):
        reader.locate(stream, "2")
    for text in ("11", "x", "", "-1"):
        with pytest.raises(BadConfig, match="no number of rows"):
            reader.locate(Split("0", TABLE), text)
    reader.close()
