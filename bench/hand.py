"""A worker process whose tasks move rows in memory: all that it asks of the store is real, and little else costs.

`python -m bench.hand HOME TASKS RATE` with DISYNC_STORE_URL set: of TASKS tasks it hosts those that it can have, and
puts RATE rows a second into the stream of each. On SIGUSR1 it begins to count anew; on SIGTERM it prints one JSON
object (`Told`) and ends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path

from disync.connectors.memory import place
from disync.engine.dispatch import Dispatch, Hold, Renewed
from disync.engine.helping import Help
from disync.engine.ledger import Ledger
from disync.engine.lending import Desk
from disync.engine.worker import Worker
from disync.home import configure_logging, dispatch_of, open_home
from disync.model.data import Column, Table
from disync.model.errors import TaskError
from disync.model.run import Task
from disync.model.types import Kind
from disync.settings import Settings

PLACE = "bench"
STREAM = "0"


@dataclass(slots=True)
class Told:
    """Since the last SIGUSR1: milliseconds that each renewal took, seconds, CPU seconds of this process; and how many
    tasks it hosts."""

    renewals_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    cpu: float = 0.0
    hosted: int = 0
    rss_mb: float = 0.0


class Timed:
    """A dispatch whose renewals are timed."""

    def __init__(self, inner: Dispatch) -> None:
        self._inner = inner
        self.told = Told()

    def claim(self, worker: str) -> Task | None:
        return self._inner.claim(worker)

    def renew(self, worker: str, running: Set[Hold], begun: Set[Hold] = frozenset()) -> Renewed:
        began = time.perf_counter()
        wanted = self._inner.renew(worker, running, begun)
        self.told.renewals_ms.append(1000 * (time.perf_counter() - began))
        self.told.hosted = len(running)
        return wanted

    def sample(self, delays: Mapping[Hold, int | None], memory_bytes: int) -> None:
        self._inner.sample(delays, memory_bytes)

    def finish(self, task: Task, error: TaskError | None) -> None:
        self._inner.finish(task, error)

    def ledger(self, task: Task) -> Ledger:
        return self._inner.ledger(task)

    def desk(self, task: Task) -> Desk:
        return self._inner.desk(task)

    @property
    def help(self) -> Help:
        return self._inner.help


def source(number: int) -> str:
    """The place of a task. Each has its own: what comes into one wakes all who wait there."""
    return f"{PLACE}{number}"


def table(number: int) -> str:
    return f"t{number}"


def job(number: int) -> str:
    """The text of a task that follows one stream of memory."""
    where = source(number)
    steps = [
        {"name": "r", "stepType": "memory", "parameter": {"place": where, "table": table(number), "follow": True}},
        {"name": "w", "stepType": "memory", "parameter": {"place": where, "table": f"{table(number)}_copy"}},
    ]
    return json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})


def main() -> None:
    home, tasks, rate = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    configure_logging()
    settings = Settings.read(home)
    store, services = open_home(settings)
    for number in range(tasks):
        place(source(number)).create(Table(table(number), (Column("id", Kind.BIGINT),), ("id",)))
        place(source(number)).append(table(number), STREAM, [(0,)])
    dispatch = Timed(dispatch_of(store, services, settings))
    worker = Worker(f"hand-{os.getpid()}", dispatch)
    since = [time.perf_counter(), _cpu()]

    def anew(*_: object) -> None:
        dispatch.told = Told()
        since[:] = [time.perf_counter(), _cpu()]

    signal.signal(signal.SIGUSR1, anew)
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    if rate:
        threading.Thread(target=_feed, args=(tasks, rate), name="feed", daemon=True).start()
    print("ready", flush=True)
    told = _work(worker, dispatch, since)
    print(json.dumps(asdict(told)), flush=True)
    store.close()


def _work(worker: Worker, dispatch: Timed, since: list[float]) -> Told:
    worker.work()
    told = dispatch.told
    told.seconds, told.cpu = time.perf_counter() - since[0], _cpu() - since[1]
    told.rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return told


def _feed(tasks: int, rate: float) -> None:
    """A row into each stream in its turn, spread over the time."""
    number, began = 0, time.perf_counter()
    while True:
        number += 1
        place(source(number % tasks)).append(table(number % tasks), STREAM, [(number,)])
        time.sleep(max(0.0, began + number / (rate * tasks) - time.perf_counter()))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
