"""What very many tasks would cost, computed from measured points: `python -m bench.model [--docs] [--source MB/s]`.

CPU time and log are taken to be sums: of what a worker asks for however few tasks it has, of what it costs to keep a
task, to save a checkpoint, and to look through the rows of tasks that the store knows. Each part comes from two points
that differ in it alone. How far the sums are from the points that they were not made from is told with them. What 1 PB
would take is in bench/bulk.py, how tasks come to workers in bench/placing.py.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import bulk, placing
from bench.workers import EACH, KNOWN, MANY, POINTS, Point
from disync.engine.worker import MAX_RUNS

DOCS = Path(__file__).parents[1] / "docs" / "scale.md"
_BLOCK = re.compile(r"(<!-- scale: (\w+) -->\n).*?(<!-- scale: end -->)", re.DOTALL)

TASKS = 10_000
ACTIVE = (0.0, 0.1, 1.0)
"""Shares of tasks whose source changes all the time: each then saves SAVES checkpoints a second, never more."""
SAVES = 2.0
WORKERS = (10, 20, 50, 100, 200)
CORE = 1.0
"""What a worker can use: it is one process, and its Python runs on one core at a time."""
BUSY = 0.7
"""Of a core: how busy we would let a worker be. The rest is for a lost worker's tasks, and for what is not measured."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Of a worker for a second, of a task held for a second, of a checkpoint; and for a worker and a second, of each
    row that is known."""

    worker: float
    task: float
    checkpoint: float
    known: float

    def total(self, workers: int, tasks: float, checkpoints: float, known: int) -> float:
        return workers * (self.worker + self.known * known) + tasks * self.task + checkpoints * self.checkpoint

    def of(self, point: Point) -> float:
        return self.total(point.workers, point.tasks, point.checkpoints, point.known)


@dataclass(frozen=True, slots=True)
class Cost:
    """Cores of the store, cores of all workers, and bytes of the store's log a second."""

    store: Parts
    workers: Parts
    log: Parts

    @classmethod
    def of(cls, measured: Sequence[Point]) -> Cost:
        return cls(*(_parts(makers(measured), field) for field in ("cpu", "worker_cpu", "log_bytes")))


def points() -> list[Point]:
    return [Point(**one) for one in json.loads(POINTS.read_text())["points"]]


def makers(measured: Sequence[Point]) -> tuple[Point, Point, Point, Point]:
    """What the parts are made from: the points of one worker with a few quiet tasks, with many, with a few that change,
    and with a few quiet ones among many that the store knows."""
    quiet = [p for p in measured if p.workers == 1 and p.checkpoints < 1]
    return (
        next(p for p in quiet if p.tasks == p.known == EACH),
        next(p for p in quiet if p.tasks == MANY),
        next(p for p in measured if p.workers == 1 and p.tasks == EACH and p.checkpoints >= 1),
        next(p for p in quiet if p.known >= KNOWN),
    )


def _parts(made: tuple[Point, Point, Point, Point], field: str) -> Parts:
    quiet, many, busy, known = ((p, float(getattr(p, field))) for p in made)
    task = max(0.0, many[1] - quiet[1]) / (many[0].tasks - quiet[0].tasks)
    return Parts(
        worker=max(0.0, quiet[1] - task * quiet[0].tasks),
        task=task,
        checkpoint=max(0.0, busy[1] - quiet[1]) / (busy[0].checkpoints - quiet[0].checkpoints),
        known=max(0.0, known[1] - quiet[1]) / (known[0].known - quiet[0].known),
    )


def errors(measured: Sequence[Point]) -> list[tuple[Point, float, float]]:
    """Of each point that the parts were not made from: by how much the model says more than was measured, of the store
    and of the workers, as a share of what was measured. A worker without tasks renews nothing, and is not told of."""
    cost, made = Cost.of(measured), makers(measured)
    return [
        (p, cost.store.of(p) / p.cpu - 1, cost.workers.of(p) / p.worker_cpu - 1)
        for p in measured
        if p.tasks and p not in made
    ]


def tables(source: float | None = None) -> Mapping[str, str]:
    """What docs/scale.md has between its markers. `source`: MB/s of one source, instead of what was measured."""
    measured = points()
    cost = Cost.of(measured)
    parts = {
        "points": _measured(measured, cost),
        "parts": _told(cost),
        "tasks": _tasks(cost),
        "workers": _fewest(cost.workers),
        "placing": placing.tables(placing.kept()),
        "limits": bulk.limits(source),
        "load": bulk.load(source),
        "sources": bulk.sources(source),
    }
    return {name: "\n".join(lines) for name, lines in parts.items()}


def page(text: str) -> str:
    """The page with its tables as they are computed."""
    made = tables()
    return _BLOCK.sub(lambda found: f"{found[1]}{made[found[2]]}\n{found[3]}", text)


def _measured(measured: Sequence[Point], cost: Cost) -> Iterator[str]:
    yield (
        "| workers | tasks | known | checkpoints/s | transactions/s | store, % of a core | by the model "
        "| workers, % of a core | by the model | renewal, ms | 99 of 100 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    told = {p: ("made from it", "made from it") for p in makers(measured)}
    for p, store, workers in errors(measured):
        told[p] = (_beside(cost.store.of(p), store), _beside(cost.workers.of(p), workers))
    for p in measured:
        store_told, workers_told = told.get(p, ("", ""))
        yield (
            f"| {p.workers} | {p.tasks} | {p.known:,} | {p.checkpoints:.0f} | {p.transactions:.0f} | {100 * p.cpu:.1f} "
            f"| {store_told} | {100 * p.worker_cpu:.1f} | {workers_told} "
            f"| {p.renewal_ms:.1f} | {p.late_ms:.1f} |"
        )


def _beside(told: float, off: float) -> str:
    return f"{100 * told:.1f} ({off:+.0%})"


def _told(cost: Cost) -> Iterator[str]:
    yield "| part | CPU of the store | log of the store | CPU of the worker |"
    yield "|---|---|---|---|"
    for what, name in (
        ("a worker that has tasks, a second", "worker"),
        ("a task that is held, a second", "task"),
        ("a checkpoint", "checkpoint"),
        ("a task that is known, a worker and a second", "known"),
    ):
        store, log, worker = (float(getattr(each, name)) for each in (cost.store, cost.log, cost.workers))
        digits = 2 if name == "known" else 0
        yield f"| {what} | {1e6 * store:,.{digits}f} µs | {log:,.0f} bytes | {1e6 * worker:,.{digits}f} µs |"


def _tasks(cost: Cost) -> Iterator[str]:
    yield (
        f"| {TASKS:,} tasks over | of which change all the time | checkpoints/s | cores of the store | log, MB/s "
        "| cores of each worker |"
    )
    yield "|---|---|---|---|---|---|"
    for workers in WORKERS:
        for share in ACTIVE:
            saves = TASKS * share * SAVES
            store = cost.store.total(workers, TASKS, saves, TASKS)
            log = cost.log.total(workers, TASKS, saves, TASKS) / 1e6
            each = cost.workers.total(workers, TASKS, saves, TASKS) / workers
            mark = " (no worker can)" if each > CORE else ""
            yield f"| {workers} workers | {share:.0%} | {saves:,.0f} | {store:.1f} | {log:.1f} | {each:.2f}{mark} |"


def _fewest(worker: Parts) -> Iterator[str]:
    yield f"| of {TASKS:,} tasks change all the time | fewest workers | each holds | cores of each |"
    yield "|---|---|---|---|"
    for share in ACTIVE:
        saves = TASKS * share * SAVES
        alike = worker.total(0, TASKS, saves, 0) / (BUSY - worker.total(1, 0, 0, TASKS))
        workers = max(math.ceil(alike), math.ceil(TASKS / MAX_RUNS))
        each = worker.total(workers, TASKS, saves, TASKS) / workers
        yield f"| {share:.0%} | {workers} | {TASKS / workers:.0f} | {each:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.model", description=__doc__)
    parser.add_argument("--docs", action="store_true", help="keep the tables in docs/scale.md")
    parser.add_argument("--source", type=float, help="what one source delivers, in MB/s, instead of what was measured")
    chosen = parser.parse_args()
    print("\n\n".join(tables(chosen.source).values()))
    if chosen.docs:
        DOCS.write_text(page(DOCS.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
