"""Hosts the runs of one task, one after the other, as workers would, and deals the blows."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crash import WAIT_SECONDS, Crash, Gate, Strike, gated, gated_ledger
from house import House
from journal import Journal
from scenario import Blow

from cutting_proxy import At, Cut
from disync import worker
from disync.engine import pace
from disync.engine import plan as planning
from disync.engine.plan import Pipeline, plan
from disync.engine.task import Run
from disync.model.data import Position
from disync.model.errors import TaskError
from disync.model.run import Task
from disync.settings import Settings

WORKER = "here"
_CHILDREN = multiprocessing.get_context("forkserver")
_CHILDREN.set_forkserver_preload(["disync.worker", "disync.connectors.mysql", "disync.connectors.postgres"])


class Held:
    """Always valid: what keeps a run that lives too long from writing must be its epoch alone."""

    valid = True


class Part:
    """What a test may put in place of the real thing, in order to break it."""

    run: type[Run] = Run

    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        return gated(pipeline, gate)

    def ledger(self, ledger: Any, gate: Gate) -> Any:
        return gated_ledger(ledger, gate)


@dataclass(slots=True)
class Hosted:
    task: Task
    gate: Gate
    run: Run
    outcome: BaseException | None = None
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._carry, name=f"epoch-{self.task.epoch}", daemon=True)

    def _carry(self) -> None:
        try:
            with self.run:
                self.run.go()
        except BaseException as outcome:
            self.outcome = outcome


class Host:
    """`dead`: called whenever a run has died and nothing of it is at work any more. `writers`: how many sessions write
    the log, run after run, as if the task had been deployed anew each time; none: as it says itself. `dismisses`: as of
    a Gate."""

    def __init__(
        self,
        house: House,
        task_id: int,
        part: Part,
        journal: Journal,
        dead: Callable[[Task], None],
        writers: Sequence[int] = (),
        dismisses: bool = True,
    ) -> None:
        self._house, self._task_id = house, task_id
        self._journal = journal
        self._part = part
        self._dead = dead
        self._writers = writers
        self._dismisses = dismisses
        self._saved: set[Position] = set()
        self._over = threading.Event()
        self._strike: Strike | None = None
        self._hosted: Hosted | None = None
        self._lock = threading.Lock()
        self._frozen: list[Hosted] = []
        self._in_child = threading.Event()
        self.task: Task | None = None
        """The last that ran here."""
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._loop, name="host", daemon=True)

    def begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def end(self) -> None:
        """Stop the task in good order, unless it has failed."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(WAIT_SECONDS)
            assert not self._thread.is_alive(), "the task does not stop"

    def abandon(self) -> None:
        """After this nothing is at work any more, whatever has become of it."""
        for hosted in (*self._frozen, *([self._hosted] if self._hosted else [])):
            hosted.gate.die()
            hosted.run.stop()
        self.end()
        self._house.dispatch.worker_died(WORKER, "abandoned")

    @property
    def works(self) -> bool:
        """Whether a run is at work that nothing has happened to."""
        hosted = self._hosted
        return hosted is not None and not hosted.gate.dead and not hosted.gate.frozen and hosted.thread.is_alive()

    @property
    def saves(self) -> int:
        """How many positions all runs together have saved."""
        return len(self._saved)

    def deal(self, blow: Blow, calm: threading.Lock) -> threading.Event:
        """Set once it has struck. A server is killed while `calm` is held: not while its schema changes."""
        if blow.what == "kill -9":
            return self._kill(blow, calm)
        action = {"die": Gate.die, "freeze": Gate.freeze, "cut": _nothing}[blow.what]
        if "commit" in blow.where:
            return self._cut(self._house.before_target, At(blow.where), blow.nth, action)
        if blow.what == "cut":
            side, at = blow.where.split()
            proxy = self._house.before_source if side == "source" else self._house.before_target
            return self._cut(proxy, At(at), blow.nth, action)
        strike = Strike(blow.where, blow.nth, action)
        with self._lock:
            self._strike = strike
            if self._hosted is not None:
                self._hosted.gate.arm(strike)
        return strike.struck

    def thaw(self) -> None:
        """Let frozen runs go on, to their end: they must find that they have been replaced."""
        for hosted in self._frozen:
            hosted.gate.thaw()
            hosted.thread.join(WAIT_SECONDS)
            assert not hosted.thread.is_alive(), "a run that was replaced goes on"
            if not isinstance(hosted.outcome, TaskError):
                raise AssertionError(f"a run that was replaced ended with {hosted.outcome!r}") from hosted.outcome
        self._frozen.clear()

    def _cut(self, proxy: Any, at: At, nth: int, action: Callable[[Gate], None]) -> threading.Event:
        def strike() -> None:
            hosted = self._hosted
            if hosted is not None:
                action(hosted.gate)

        cut = Cut(at, nth, strike)
        proxy.arm(cut)
        return cut.struck

    # Runs in this process.

    def _loop(self) -> None:
        try:
            while not self._over.is_set() and self.failure is None:
                task = None if self._in_child.is_set() else self._house.dispatch.claim(WORKER)
                if task is None:
                    self._over.wait(0.01)
                    continue
                self._host(task)
        except BaseException as failure:
            self.failure = failure

    def _host(self, task: Task) -> None:
        if self._writers:
            task = written_by(task, self._writers[task.epoch % len(self._writers)])
        gate = Gate(self._journal, f"run {task.epoch}", self._saved, self._dismisses)
        pipeline = self._part.pipeline(plan(task), gate)
        run = self._part.run(pipeline, task, self._part.ledger(self._house.dispatch.ledger(task), gate), Held())
        self.task = task
        hosted = Hosted(task, gate, run)
        with self._lock:
            self._hosted = hosted
            gate.arm(self._strike)
        hosted.thread.start()
        stopping = False
        while hosted.thread.is_alive():
            hosted.thread.join(0.01)
            if gate.frozen:
                self._frozen.append(hosted)
                self._house.replaced(WORKER, task.id)
                return
            if not stopping and (self._over.is_set() or self._in_child.is_set()):
                stopping = True
                run.stop()
        self._ended(hosted)

    def _ended(self, hosted: Hosted) -> None:
        outcome, task = hosted.outcome, hosted.task
        with self._lock:
            self._hosted = None
        self._journal.note("host", f"run {task.epoch} ended:", outcome)
        if isinstance(outcome, Crash):
            self._dead(task)
            self._house.replaced(WORKER, task.id)
        elif outcome is None or (isinstance(outcome, TaskError) and outcome.retry):
            self._house.dispatch.finish(task, outcome)
        else:
            self._house.dispatch.worker_died(WORKER, str(outcome))
            self.failure = outcome

    # Processes that are killed.

    def _kill(self, blow: Blow, calm: threading.Lock) -> threading.Event:
        struck = threading.Event()
        kill = {"source": self._kill_source, "target": self._kill_target}.get(blow.where, self._kill_worker)
        threading.Thread(target=self._told, args=(kill, blow, calm, struck), name="kill", daemon=True).start()
        return struck

    def _told(
        self, kill: Callable[[Blow, threading.Lock], None], blow: Blow, calm: threading.Lock, struck: threading.Event
    ) -> None:
        try:
            kill(blow, calm)
        except BaseException as failure:
            self.failure = failure
        struck.set()

    def _kill_source(self, blow: Blow, calm: threading.Lock) -> None:
        time.sleep(blow.nth / 60_000)  # until a moment that the seed has chosen
        with calm:
            self._house.source.stop(signal.SIGKILL)
            self._house.source.start()

    def _kill_target(self, blow: Blow, _: threading.Lock) -> None:
        time.sleep(blow.nth / 60_000)
        self._house.target.kill()
        self._house.target.start()

    def _kill_worker(self, blow: Blow, _: threading.Lock) -> None:
        """The task goes to a worker process, which dies; and then it comes back here."""
        self._in_child.set()
        child = _CHILDREN.Process(target=_work, args=(self._house.home, pace.FLUSH_ROWS, planning.FEW), daemon=True)
        child.start()
        assert child.pid is not None
        name = f"{os.uname().nodename}-{child.pid}"
        cut = Cut(At.KEPT if "commit" in blow.where else At.ANSWERED, blow.nth, child.kill)
        self._house.before_target.arm(cut)
        if not cut.struck.wait(WAIT_SECONDS):
            raise AssertionError("the worker process never got so far as to be killed")
        child.join()
        self._house.replaced(name, self._task_id)
        self._in_child.clear()


def written_by(task: Task, writers: int) -> Task:
    """The same task, if it had been deployed with so many writers."""
    code = json.loads(task.code)
    code["steps"][1]["parameter"]["writerConcurrent"] = writers
    return replace(task, code=json.dumps(code))


def _nothing(_: Gate) -> None:
    return None


def _work(home: Path, flush_rows: int, few: int) -> None:
    pace.FLUSH_ROWS = pace.KEPT_ROWS = flush_rows
    planning.FEW = few
    worker.attend(Settings.read(home), os.getppid())
