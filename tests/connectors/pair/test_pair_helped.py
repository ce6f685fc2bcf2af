"""A worker that reads parts of another's full load: what it may write, and what it must leave to the run."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import pytest
from pair import Held, Pair
from verifying import opened

from disync.engine.carry import carry
from disync.engine.helper import help_out
from disync.engine.helping import Helping, Sitting
from disync.engine.ledger import Ledger, Notebook
from disync.engine.lending import Back, Returned, shapes_of
from disync.engine.plan import plan
from disync.engine.task import Run
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


class Elsewhere:
    """All channels of a run are seats of others, who begin at once and read what they are given."""

    def __init__(self, pair: Pair, code: str) -> None:
        self.task = pair.latest(code)
        self._notes = pair.ledger
        self._lock = threading.Lock()
        self._seats: list[Sitting] = []
        self._helping: list[Helping] = []
        self._parts: dict[str, str] = {}
        self._back: list[Returned] = []
        self._over = threading.Event()

    def open(self, seats: int, shapes: str) -> None:
        self._seats = [Sitting(self.task, f"seat{number}", shapes) for number in range(seats)]
        self._helping = [Helping(seat.seat, self, most=1) for seat in self._seats]
        threading.Thread(target=self._tend).start()

    def _tend(self) -> None:
        while not self._over.wait(0.05):
            for helping in self._helping:
                helping.tend(free=True)
        for helping in self._helping:
            helping.stop(10)

    def shut(self) -> None: ...

    def lend(self, parts: Mapping[str, str]) -> None:
        with self._lock:
            self._parts.update(parts)

    def look(self) -> tuple[Set[str], Sequence[Returned]]:
        with self._lock:
            back, self._back = self._back, []
        return {seat.seat for seat in self._seats}, back

    def close(self) -> None:
        self._over.set()

    def sit(self, worker: str) -> Sitting | None:
        return next(seat for seat in self._seats if seat.seat == worker)

    def hold(self, worker: str) -> Set[str]:
        return {worker}

    def given(self, sitting: Sitting) -> Sequence[Split]:
        with self._lock:
            return [split for split in self._notes.load() if self._parts.get(split.id) == sitting.seat]

    def give_back(self, sitting: Sitting, returned: Returned) -> None:
        with self._lock:
            del self._parts[returned.split]
            self._back.append(returned)

    def refuse(self, sitting: Sitting) -> None:
        raise AssertionError("nobody has altered a table")

    def leave(self, sitting: Sitting) -> None: ...

    def ledger(self, sitting: Sitting) -> Ledger:
        return self._notes


def test_a_run_of_which_others_have_all_channels_ends_what_they_have_read_as_it_comes(pair: Pair) -> None:
    """Not some at a time: a load of many small tables waited for its run, which had nothing to do, for minutes."""
    names = [f"t{number}" for number in range(150)]
    pair.sql(*[f"CREATE TABLE {name} (id INT PRIMARY KEY, a INT)" for name in names])
    pair.sql(*[f"INSERT INTO {name} VALUES (1, {number})" for number, name in enumerate(names)])
    pair.epoch += 1
    job = json.loads(pair.code()) | {"setting": {"speed": {"concurrent": 2}}}
    elsewhere = Elsewhere(pair, json.dumps(job))
    runs: list[Run] = []
    thread = threading.Thread(target=carry, args=(elsewhere.task, pair.ledger, Held(), runs.append, plan, elsewhere))
    thread.start()
    try:
        until(lambda: bool(runs) and runs[0].running and not runs[0].loading, seconds=60)
    finally:
        for run in runs:
            run.stop()
        thread.join()
    assert [pair.select(f"SELECT a FROM {name}") for name in names] == [[(number,)] for number in range(150)]


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
