"""One seed: a source that lives, a task that dies, and in the end two databases that must be equal."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from appended import Appended
from crash import WAIT_SECONDS
from eye import Rows, SourceEye, TargetEye
from host import Host, Part
from house import House
from journal import Journal
from scenario import Scenario
from truth import Difference, differences
from turns import InTurn
from witness import Witness
from workload import Workload
from writer import Writer

from disync.engine import pace, plan

AHEAD = 150
"""Transactions by which the source may be ahead of the target before it waits."""

REACHED_SECONDS = 30.0
"""A blow that is not struck by then was chosen badly: it must not pass for one that was survived."""

POLL_SECONDS = 0.01

MANY = 1_000_000
"""More rows than a table has here."""

TICKS = 6
"""Rows that count where several sessions write: each has some of them, most likely."""

_NUMBER = count(1)


class World:
    def __init__(self, house: House, scenario: Scenario, part: Part | None = None) -> None:
        self.name = f"seed_{scenario.seed}_{next(_NUMBER)}"
        self._house, self._scenario = house, scenario
        self._here, self._there = SourceEye(house.source), TargetEye(house.target)
        self._here.run(f"CREATE DATABASE {self.name}")
        self.journal = Journal()
        self._writer = Writer(house.source, self.name, self._hold_on, self.journal)
        self._writer.workload = Workload(scenario.seed, self._writer.statement, self._settle, scenario.appends)
        writers = scenario.writers
        self._writer.workload.create(TICKS if max(writers) > 1 else 1, scenario.keyless)
        self._appended = Appended(house.source, self.name) if scenario.appends else None
        mode = "insert" if scenario.appends else "replay"
        self._task_id = house.start_task(self.name, scenario.read_rows, scenario.write_rows, mode, writers[0])
        self._witness = Witness(self.name, house.dispatch, self._task_id, self.source, self.target)
        part = part or (InTurn(scenario.seed) if scenario.in_turn and max(writers) > 1 else Part())
        self._host = Host(house, self._task_id, part, self.journal, self._witness.examine, writers, scenario.dismisses)

    def live(self) -> None:
        """Raises Difference, or whatever else has gone wrong."""
        pace.FLUSH_ROWS = pace.KEPT_ROWS = self._scenario.flush_rows
        plan.FEW = MANY if self._scenario.small else 0
        self._writer.start()
        for blow in self._scenario.blows:
            self.journal.note("world", blow)
            struck = self._host.deal(blow, self._writer.altering)
            self._host.begin()
            self._until(struck.is_set, f"{blow} strikes")
            if blow.what == "freeze":
                self._thaw()
            self._until(lambda: self._host.works, "a run is at work")
        self._writer.enough.set()
        self._until(lambda: not self._writer.is_alive(), "the writer has come to its end")
        self._settle()
        self._compare()
        self._host.end()
        self._check_alive()
        self._compare()
        assert self._host.task is not None
        self._witness.examine_end(self._host.task)

    def end(self) -> None:
        """Whatever has become of it, nothing of this seed is at work when the next one begins."""
        self._writer.enough.set()
        for proxy in (self._house.before_source, self._house.before_target):
            proxy.arm(None)
        try:
            self._host.abandon()
            self._writer.join(WAIT_SECONDS)
            self._house.end_task(self._task_id)
            self._here.run(f"DROP DATABASE {self.name}")
            for schema in (self.name, f"{self.name}_fresh"):
                self._there.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        finally:
            if self._appended is not None:
                self._appended.close()
            self._here.close()
            self._there.close()

    def source(self, statement: str) -> Rows:
        return self._here.run(statement, self._check_alive)

    def target(self, statement: str) -> Rows:
        return self._there.run(statement, self._check_alive)

    def _hold_on(self) -> None:
        """Now and then, between two transactions of the writer."""
        self._check_alive()
        if self._witness.loaded and self._scenario.alters:
            self._writer.may_alter.set()
        self._until(
            lambda: self._writer.enough.is_set() or self._witness.tick_here() - self._witness.tick_there() < AHEAD,
            "the target has followed so far",
        )

    def _settle(self) -> None:
        """Return once the target holds, by its log, all that the source has committed so far."""
        self._until(lambda: self._witness.loaded, "the load is over")
        self.source(f"UPDATE {self.name}.tick SET n = n + 1")
        tick = self._witness.tick_here()
        self._until(lambda: self._witness.tick_there() >= tick, f"the target has followed up to tick {tick}")
        self._until(self._at_one_place, "those sessions have followed, too, that have no row of the tick")

    def _at_one_place(self) -> bool:
        places = f"SELECT count(DISTINCT position) FROM {self.name}.disync_checkpoint"
        return self.target(f"{places} WHERE split_part(split, '/', 1) = 'binlog' AND NOT done")[0][0] <= 1

    def _thaw(self) -> None:
        """What was frozen may hold locks that the new run waits for, and who looks at the table behind it: then it goes
        on first."""
        before = self._host.saves
        with suppress(TimeoutError):
            self._until(lambda: self._host.saves > before + 2, "the new run has come on", 0.5)
        self._host.thaw()

    def _compare(self) -> None:
        if self._appended is not None:
            found = self._appended.differences(self.source, self.target, self._witness.tick_here())
        else:
            found = differences(self.source, self.target, self.name)
        if found:
            raise Difference("; ".join(found))

    def _until(self, condition: Callable[[], bool], what: str, within: float = REACHED_SECONDS) -> None:
        deadline = time.monotonic() + within
        while not condition():
            self._check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {within:.1f} s in vain until {what}")
            time.sleep(POLL_SECONDS)

    def _check_alive(self) -> None:
        for failure in (self._host.failure, self._writer.failure):
            if failure is not None:
                raise failure
