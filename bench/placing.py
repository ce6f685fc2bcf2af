"""How tasks come to workers: how long until each has one after a start and after the loss of a worker, and how evenly.

Who takes what is decided by the real code over a real store. The workers here do what `engine/worker.py` does at each
look (they renew, and take one task), and host nothing. `simulated` runs them one after another by a clock of its own,
on which a look takes as long as it took here: many workers, as if each and the store had cores enough. `measured` runs
them as threads in real time. What both say of the same tasks tells how far the simulation is to be trusted. All is kept
in bench/placing.json when it was measured in full.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest.mock import patch

import psycopg

from bench.hand import job
from bench.table import Row
from bench.workers import copy_tasks
from disync.engine.dispatch import Hold
from disync.engine.worker import MAX_RUNS, TICK_SECONDS
from disync.home import dispatch_of, open_home
from disync.services import Caller, dispatch, supervisor
from disync.services.dispatch import StoreDispatch
from disync.services.tasks import Wanted
from disync.settings import Settings
from servers import postgres_server

KEPT = Path(__file__).with_name("placing.json")
TASKS = 10_000
EACH = 100
"""Tasks of each worker where few of them are measured."""
SIMULATED = ((1, EACH), (2, 2 * EACH), (4, 4 * EACH), (10, 10 * EACH), (20, TASKS))
MEASURED = ((1, EACH), (2, 2 * EACH), (4, 4 * EACH), (10, 10 * EACH))
"""Workers, and tasks."""
_PATIENCE_SECONDS = 600
_LOCAL = Caller("root", "root", root=True)
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Placed:
    """`seconds` until all tasks are held, and what the workers with the fewest and the most then hold; the same after
    one of them was lost, and how many tasks nobody then has room for. With one worker, none is lost."""

    how: str
    workers: int
    tasks: int
    seconds: float
    fewest: int
    most: int
    lost_seconds: float = 0.0
    lost_fewest: int = 0
    lost_most: int = 0
    left: int = 0


@dataclass(slots=True)
class Node:
    """A worker process that hosts nothing of what it holds."""

    name: str
    dispatch: StoreDispatch
    held: set[Hold] = field(default_factory=set)

    def look(self) -> None:
        self.dispatch.renew(self.name, frozenset(), self.held)
        if not self.full and (task := self.dispatch.claim(self.name)) is not None:
            self.held.add(Hold(task.id, task.epoch))

    @property
    def full(self) -> bool:
        return len(self.held) >= MAX_RUNS


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workers that are there, and a server that frees what a lost one has held."""

    nodes: list[Node]
    server: StoreDispatch
    tasks: int

    def settled(self) -> bool:
        return self.held == self.tasks or all(node.full for node in self.nodes)

    @property
    def held(self) -> int:
        return sum(len(node.held) for node in self.nodes)

    def counts(self) -> list[int]:
        return [len(node.held) for node in self.nodes]


class Clock:
    """What `services/dispatch.py` takes the time from: both its clocks are at `now`, in seconds."""

    def __init__(self) -> None:
        self.now = time.time()

    def monotonic(self) -> float:
        return self.now

    def now_ms(self) -> int:
        return int(self.now * 1000)


Run = Callable[[Fleet], float]
"""Lets the fleet work until it is settled; how many seconds that took."""


def measure_all(most: int | None = None) -> list[Row]:
    """`most`: of tasks, instead of TASKS; the figures are then not kept."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _store(Path(folder), most or TASKS) as made:
        found = [
            place(made, how, workers, min(tasks, most or tasks))
            for how, sizes in (("simulated", SIMULATED), ("measured", MEASURED))
            for workers, tasks in sizes
        ]
    if most is None:
        kept = {"machine": f"{os.cpu_count()} cores", "date": time.strftime("%Y-%m-%d"), "placed": found}
        KEPT.write_text(json.dumps(kept, default=asdict, indent=1) + "\n")
    return [_row(one) for one in found]


def _row(one: Placed) -> Row:
    after = f"{one.lost_seconds:.1f} s after the loss of one, {one.lost_fewest} to {one.lost_most} each"
    left = f", {one.left} have no place" if one.left else ""
    return Row(
        f"placement, {one.how}: {one.tasks:,} tasks over {one.workers} workers",
        f"{one.seconds:.1f} s, {one.fewest} to {one.most} each",
        f"{after}{left}" if one.workers > 1 else "",
    )


@dataclass(frozen=True, slots=True)
class Made:
    url: str
    dispatch: Callable[[], StoreDispatch]


@contextmanager
def _store(home: Path, tasks: int) -> Iterator[Made]:
    """A store with so many tasks that are wanted and that nobody holds."""
    with postgres_server() as server:
        settings = Settings(home, server.url)
        store, services = open_home(settings)
        try:
            services.bootstrap("bench", "bench")
            made = services.tasks.create(_LOCAL, 10000, Wanted("DI_REALTIME", job(0), "first"))
            services.tasks.deploy(_LOCAL, 10000, made.file_id)
            services.instances.start(_LOCAL, 10000, made.file_id, None)
            copy_tasks(server.url, tasks - 1, "RUN")
            yield Made(server.url, lambda: dispatch_of(store, services, settings))
        finally:
            store.close()


def place(made: Made, how: str, workers: int, tasks: int) -> Placed:
    _free(made.url, tasks)
    nodes = [Node(f"node-{number:03}", made.dispatch()) for number in range(workers)]
    fleet = Fleet(nodes, made.dispatch(), tasks)
    with _simulating(workers) if how == "simulated" else _measuring() as run:
        seconds = run(fleet)
        counts = fleet.counts()
        placed = Placed(how, workers, tasks, round(seconds, 1), min(counts), max(counts))
        if workers > 1:
            nodes.pop(workers // 2)
            lost = round(run(fleet), 1)
            after = fleet.counts()
            placed = Placed(
                *(how, workers, tasks, placed.seconds, placed.fewest, placed.most),
                *(lost, min(after), max(after), tasks - sum(after)),
            )
    print("   ", placed, flush=True)
    return placed


def _free(url: str, tasks: int) -> None:
    """So many tasks are wanted, and all are as if nobody had ever held them."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("DELETE FROM failover")
        session.execute("UPDATE instance SET worker = NULL, running = false, lease_until_ms = 0, desired = 'STOP'")
        session.execute(
            "UPDATE instance SET desired = 'RUN' WHERE file_id IN (SELECT file_id FROM instance ORDER BY 1 LIMIT %s)",
            (tasks,),
        )
        session.execute("VACUUM ANALYZE")


@contextmanager
def _simulating(seed: int) -> Iterator[Run]:
    clock, chance = Clock(), random.Random(seed)

    def run(fleet: Fleet) -> float:
        began = clock.now
        looks = [(began + chance.uniform(0, TICK_SECONDS), order) for order in range(len(fleet.nodes))]
        looks.append((began + chance.uniform(0, supervisor.TICK_SECONDS), len(fleet.nodes)))
        heapq.heapify(looks)
        while not fleet.settled():
            clock.now, order = heapq.heappop(looks)
            if clock.now - began > _PATIENCE_SECONDS:
                raise TimeoutError(f"{fleet.held} of {fleet.tasks} tasks are held after {_PATIENCE_SECONDS} s")
            at = time.perf_counter()
            if order < len(fleet.nodes):
                fleet.nodes[order].look()
                pause = TICK_SECONDS
            else:
                fleet.server.free_lapsed()
                pause = supervisor.TICK_SECONDS
            heapq.heappush(looks, (clock.now + pause + time.perf_counter() - at, order))
        return clock.now - began

    with patch.object(dispatch, "time", clock), patch.object(dispatch, "now_ms", clock.now_ms):
        yield run


@contextmanager
def _measuring() -> Iterator[Run]:
    def run(fleet: Fleet) -> float:
        over, began = threading.Event(), time.perf_counter()
        looks = [*((node.look, TICK_SECONDS) for node in fleet.nodes)]
        looks.append((fleet.server.free_lapsed, supervisor.TICK_SECONDS))
        threads = [threading.Thread(target=_again, args=(over, *each), name="look") for each in looks]
        for thread in threads:
            thread.start()
        try:
            while not fleet.settled():
                if time.perf_counter() - began > _PATIENCE_SECONDS:
                    raise TimeoutError(f"{fleet.held} of {fleet.tasks} tasks are held after {_PATIENCE_SECONDS} s")
                time.sleep(_LOOK_SECONDS)
            return time.perf_counter() - began
        finally:
            over.set()
            for thread in threads:
                thread.join()

    yield run


def _again(over: threading.Event, look: Callable[[], None], pause: float) -> None:
    while not over.wait(pause):
        look()


def kept() -> Sequence[Placed]:
    return [Placed(**one) for one in json.loads(KEPT.read_text())["placed"]]


def pairs(found: Sequence[Placed]) -> list[tuple[Placed, Placed]]:
    """What was measured, each with what the simulation says of as many workers and tasks."""
    simulated = {(one.workers, one.tasks): one for one in found if one.how == "simulated"}
    return [(one, simulated[one.workers, one.tasks]) for one in found if one.how == "measured"]


def tables(found: Sequence[Placed]) -> Iterator[str]:
    yield "| workers | tasks | | all are held after | each holds | after a loss, all are again after | each holds |"
    yield "|---|---|---|---|---|---|---|"
    checked = [one for pair in pairs(found) for one in pair]
    for one in [*checked, *(one for one in found if one not in checked)]:
        again = f"{one.lost_seconds:.1f} s | {one.lost_fewest} to {one.lost_most}" if one.workers > 1 else " | "
        if one.left:
            again = f"never: nobody has room for {one.left:,} | {one.lost_fewest} to {one.lost_most}"
        first = f"{one.seconds:.1f} s | {one.fewest} to {one.most}"
        yield f"| {one.workers} | {one.tasks:,} | {one.how} | {first} | {again} |"
