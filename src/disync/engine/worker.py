"""A worker: one process that hosts many runs.

It takes runs that nobody holds, keeps its hold on them, and stops what is no longer wanted; and while none of its own
has a full load to read, it helps other workers with theirs. A worker that cannot renew
its leases stops its runs by itself before they expire, so that two workers never run one task; should it be frozen
and wake up late, the lease check before every write and every flush holds it back, and epochs reject what it saves.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

import structlog

from disync.engine.carry import carry
from disync.engine.dispatch import Dispatch, Hold
from disync.engine.helping import Helping
from disync.engine.lease import Clock, Held
from disync.engine.memory import resident_bytes
from disync.engine.task import Run
from disync.model.errors import DISyncError, TaskError
from disync.model.run import Task

log = structlog.get_logger()

TICK_SECONDS = 0.2
"""Between two looks at what is wanted: the most that a start or a stop waits here."""

MAX_RUNS = 1000

STUCK_SECONDS = 180.0
"""A look takes longer than this only where something hangs: a store that cannot be reached is given up before."""

SAMPLE_SECONDS = 10.0
FIRST_SAMPLE_SECONDS = 2.0
"""Between two samples of a run, and before its first one."""


@dataclass(slots=True)
class Hosted:
    task: Task
    thread: threading.Thread
    lease: Held
    run: Run | None = None
    stopping: bool = False
    seen: bool = False
    sample_at: float = 0.0

    @property
    def runs(self) -> bool:
        return self.run is not None and self.run.running

    @property
    def loads(self) -> bool:
        """Whether it is busy with a full load, or may be about to."""
        return self.run is None or self.run.loading

    def due(self, now: float) -> bool:
        """Whether it is time for a sample. The first time only begins to count."""
        if not self.runs or now < self.sample_at:
            return False
        self.sample_at = now + (SAMPLE_SECONDS if self.seen else FIRST_SAMPLE_SECONDS)
        self.seen = True
        return True

    def begun(self, run: Run) -> None:
        self.run = run
        if self.stopping:
            run.stop()


class Worker:
    def __init__(self, name: str, dispatch: Dispatch) -> None:
        self._name = name
        self._dispatch = dispatch
        self._lease = Clock()
        self._hosted: dict[Hold, Hosted] = {}
        self._helping = Helping(name, dispatch.help)
        self._stop = threading.Event()
        self._looked = time.monotonic()

    @property
    def well(self) -> bool:
        """Whether it still looks after its runs, be the store there or not."""
        return time.monotonic() - self._looked < STUCK_SECONDS

    @property
    def ready(self) -> bool:
        """Whether it can hold runs: it has reached the store just now."""
        return self._lease.valid

    @property
    def name(self) -> str:
        return self._name

    def stop(self) -> None:
        """Ask every run to flush and end; `work` returns when they have. Not for signal handlers, which may come while
        the lock is held that this takes."""
        self._stop.set()

    def work(self, parent: int | None = None) -> None:
        """Host runs until `stop`, or until the process `parent` is gone."""
        threading.Thread(target=self._watch, name="leases", daemon=True).start()
        while not self._stop.wait(TICK_SECONDS):
            if parent is not None and os.getppid() != parent:
                log.warning("the server is gone: this worker stops", worker=self._name)
                break
            self._tick()
        self._drain()

    def _watch(self) -> None:
        """Beside the look at the store, which may hang for longer than a lease lasts: behind a network that was cut,
        nothing is refused and nothing is answered."""
        while not self._stop.wait(TICK_SECONDS):
            held = [] if self._lease.valid else [each for each in list(self._hosted.values()) if not each.stopping]
            if held:
                log.error("leases could not be renewed: stopping all runs", worker=self._name)
            for hosted in held:
                self._halt(hosted)

    def _tick(self) -> None:
        self._looked = time.monotonic()
        try:
            self._renew()
            self._claim()
            self._helping.tend(free=not any(hosted.loads for hosted in list(self._hosted.values())))
            self._sample()
        except Exception:
            # The store may be away for a moment; the lease decides how long the runs may go on without it.
            log.exception("cannot reach the store", worker=self._name)

    def _renew(self) -> None:
        before = time.monotonic()
        begun = dict(self._hosted)
        running = {hold for hold, hosted in begun.items() if hosted.runs}
        wanted, lost = self._dispatch.renew(self._name, running, begun.keys() - running)
        for hold in lost:  # before the worker's clock is right again: what has stood still must not go on
            begun[hold].lease.lose()
        self._lease.renewed(before)
        for hold, hosted in begun.items():
            if hold not in wanted:
                self._halt(hosted)

    def _claim(self) -> None:
        if len(self._hosted) >= MAX_RUNS:
            return
        task = self._dispatch.claim(self._name)
        if task is None:
            return
        thread = threading.Thread(target=self._host, args=(task,), name=f"task-{task.id}", daemon=True)
        hosted = Hosted(task, thread, Held(self._lease))
        self._hosted[Hold(task.id, task.epoch)] = hosted
        hosted.thread.start()

    def _sample(self) -> None:
        now = time.monotonic()
        due = {hold: hosted.run for hold, hosted in list(self._hosted.items()) if hosted.due(now)}
        delays = {hold: run.delay_ms for hold, run in due.items() if run is not None}
        if delays:
            self._dispatch.sample(delays, resident_bytes())

    def _halt(self, hosted: Hosted) -> None:
        hosted.stopping = True
        if hosted.run is not None:
            hosted.run.stop()

    def _host(self, task: Task) -> None:
        hold = Hold(task.id, task.epoch)
        hosted = self._hosted[hold]
        error: TaskError | None = None
        log.info("run begins", task=task.id, name=task.name, epoch=task.epoch, worker=self._name)
        try:
            carry(task, self._dispatch.ledger(task), hosted.lease, hosted.begun, desk=self._dispatch.desk(task))
        except TaskError as failure:
            error = failure
        except DISyncError as failure:
            error = _as_task_error(failure)
        except Exception as failure:
            log.exception("a run failed in a way nobody foresaw", task=task.id, epoch=task.epoch)
            error = TaskError(f"{type(failure).__name__}: {failure}")
        finally:
            self._hosted.pop(hold, None)
        log.info("run ends", task=task.id, epoch=task.epoch, error=str(error) if error else None)
        self._finish(task, error)

    def _finish(self, task: Task, error: TaskError | None) -> None:
        try:
            self._dispatch.finish(task, error)
        except Exception:
            # Not told: the lease runs out by itself and the task fails over.
            log.exception("cannot report the end of a run", task=task.id, epoch=task.epoch)

    def _drain(self) -> None:
        deadline = time.monotonic() + 7.0
        for hosted in list(self._hosted.values()):
            self._halt(hosted)
        self._helping.stop(deadline - time.monotonic())
        for hosted in list(self._hosted.values()):
            hosted.thread.join(max(0.0, deadline - time.monotonic()))


def _as_task_error(failure: DISyncError) -> TaskError:
    error = TaskError(str(failure))
    error.retry = False
    return error
