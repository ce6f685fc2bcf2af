"""A worker that reads parts of another's full load: what it may write, and what it must leave to the run."""

from __future__ import annotations

import threading
from collections.abc import Sequence, Set
from dataclasses import dataclass, field

import pytest
from pair import Pair
from verifying import opened

from disync.engine.helper import help_out
from disync.engine.helping import Helping, Sitting
from disync.engine.ledger import Ledger, Notebook
from disync.engine.lending import Back, Returned, shapes_of
from disync.model.data import Dirty
from disync.model.errors import Unreachable
from disync.model.run import Checkpoint, Split, Tally
from waiting import until


@dataclass
class Seat:
    """One seat in the run of a pair, with all parts of its load."""

    ledger_: Ledger
    sitting: Sitting
    splits: Sequence[Split]
    returned: list[Returned] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)
    taken = refused = False

    def sit(self, worker: str) -> Sitting | None:
        found = None if self.taken else self.sitting
        self.taken = True
        return found

    def hold(self, worker: str) -> Set[str]:
        return {self.sitting.seat}

    def given(self, sitting: Sitting) -> Sequence[Split]:
        back = {each.split for each in self.returned}
        return [split for split in self.splits if split.id not in back]

    def give_back(self, sitting: Sitting, returned: Returned) -> None:
        self.returned.append(returned)

    def refuse(self, sitting: Sitting) -> None:
        self.refused = True

    def leave(self, sitting: Sitting) -> None:
        self.left.set()

    def ledger(self, sitting: Sitting) -> Ledger:
        return self.ledger_


def seat(pair: Pair) -> Seat:
    """As a run has it when it begins: the target is made."""
    pair.epoch += 1
    code = pair.code("t")
    with opened(pair, code) as pipeline:
        pipeline.writer.prepare_load(pipeline.targets)
        sitting = Sitting(pair.latest(code), "seat", shapes_of(pipeline.tables))
        return Seat(pair.ledger, sitting, pipeline.load())


def test_parts_are_read_into_the_target(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000")
    given = seat(pair)
    helping = Helping("other", given)
    helping.tend(free=True)
    until(lambda: len(given.returned) == len(given.splits))
    assert {each.back for each in given.returned} == {Back.DONE} and pair.equal()
    helping.stop(10)
    assert given.left.is_set() and not given.refused


def test_a_helper_without_runs_takes_a_seat_and_leaves_when_there_is_none(pair: Pair) -> None:
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000")
    given = seat(pair)

    class Over(Seat):
        """The run wants it as long as it has something to read."""

        def hold(self, worker: str) -> Set[str]:
            return {self.sitting.seat} if len(self.returned) < len(self.splits) else set()

    over = Over(given.ledger_, given.sitting, given.splits)
    assert help_out("other", over) == len(given.splits)
    assert over.left.is_set() and pair.equal()
    assert help_out("late", over) == 0, "there is none left"


class Away(Notebook):
    """A store that cannot be reached when rows have become durable."""

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        raise Unreachable("away")


def test_rows_that_were_refused_when_a_helper_could_not_save_are_kept_by_the_next(pair: Pair) -> None:
    """The target holds them until somebody writes behind them."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000")
    first = seat(pair)
    pair.select("ALTER TABLE t ADD CHECK (a <> 7)")
    first.ledger_ = Away()
    Helping("first", first).tend(free=True)
    until(lambda: len(first.returned) == len(first.splits))
    assert {each.back for each in first.returned} == {Back.FAILED}
    second = seat(pair)
    Helping("second", second).tend(free=True)
    until(lambda: len(second.returned) == len(second.splits))
    assert {each.back for each in second.returned} == {Back.DONE}
    assert ['"a":7' in row.row.replace(" ", "") for row in pair.ledger.dirty] == [True]
    assert all(pair.ledger.checkpoints()[split.id].done for split in second.splits)


@pytest.mark.parametrize("statement", ["RENAME COLUMN a TO z", "ADD COLUMN z INT"])
def test_of_tables_that_were_altered_since_the_run_began_nothing_is_read(pair: Pair, statement: str) -> None:
    """The run knows them as they were, and so does the target: a column with another name would be left out."""
    pair.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000")
    given = seat(pair)
    pair.sql(f"ALTER TABLE t {statement}")
    Helping("other", given).tend(free=True)
    assert given.left.wait(10) and given.refused
    assert not given.returned and pair.select("SELECT count(*) FROM t") == [(0,)]
