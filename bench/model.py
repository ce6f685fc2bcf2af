"""What very many tasks would cost, computed from measured points: `python -m bench.model [--docs]`.

The store's CPU time is taken to be a sum: of what a worker asks for however few tasks it has, of what it costs to keep
a task, to save a checkpoint, and to look through the rows of tasks that the store knows. Each part comes from two
points that differ in it alone. How well the sum agrees with the points that it was not made from is told with it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.workers import KNOWN, POINTS, Point

DOCS = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"

TASKS = 10_000
PB = 1e15
DAY = 86_400.0

ACTIVE = (0.0, 0.1, 1.0)
"""Shares of tasks whose source changes all the time: each then saves SAVES checkpoints a second, never more."""
SAVES = 2.0
NODES = (10, 20, 50, 100)
WORKERS_A_NODE = 1
"""Worker processes: each has a core or two to itself."""

WORKER_ROWS, ROW_BYTES = 680_635.0, 250.0
"""README, `load`: rows of 12 columns a second; source, target and worker share two cores. A row as it is sent."""
LINK_BYTES = (1.25e9, 3.125e9, 12.5e9)
"""10, 25 and 100 Gbit/s."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of the store: of a worker for a second, of a task held for a second, of a checkpoint; and for a
    worker and a second, of each row that is known. `transactions` of a worker in a second, and the bytes of log
    of a task held for a second, and of a checkpoint."""

    worker: float
    task: float
    checkpoint: float
    known: float
    transactions: float
    task_bytes: float
    checkpoint_bytes: float

    def cpu(self, workers: int, tasks: int, checkpoints: float, known: int) -> float:
        """Cores of the store."""
        looks = workers * (self.worker + self.known * known)
        return looks + tasks * self.task + checkpoints * self.checkpoint


def points() -> list[Point]:
    return [Point(**one) for one in json.loads(POINTS.read_text())["points"]]


def cost_of(measured: Sequence[Point]) -> Cost:
    """From the points of one worker, and of four where the rows are many."""
    empty = _one(measured, workers=1, tasks=0)
    idle = next(p for p in measured if p.workers == 1 and p.tasks and p.checkpoints < 1 and p.known < KNOWN)
    busy = next(p for p in measured if p.workers == 1 and p.checkpoints >= 1)
    known = next(p for p in measured if p.workers == 1 and p.known >= KNOWN)
    per_task = max(0.0, idle.cpu - empty.cpu) / idle.tasks
    saved = busy.checkpoints - idle.checkpoints
    return Cost(
        worker=empty.cpu,
        task=per_task,
        checkpoint=max(0.0, busy.cpu - idle.cpu) / saved,
        known=max(0.0, known.cpu - idle.cpu) / (known.known - idle.known),
        transactions=empty.transactions,
        task_bytes=max(0.0, idle.log_bytes - empty.log_bytes) / idle.tasks,
        checkpoint_bytes=max(0.0, busy.log_bytes - idle.log_bytes) / saved,
    )


def _one(measured: Sequence[Point], workers: int, tasks: int) -> Point:
    return next(p for p in measured if p.workers == workers and p.tasks == tasks)


def text(measured: Sequence[Point]) -> str:
    """What docs/scale.md has between its markers."""
    cost = cost_of(measured)
    return "\n\n".join("\n".join(part) for part in (_measured(measured, cost), _parts(cost), _store(cost), _load()))


def _measured(measured: Sequence[Point], cost: Cost) -> Iterator[str]:
    yield (
        "| workers | tasks | known | checkpoints/s | transactions/s | store, % of a core | by the model | log, kB/s "
        "| renewal, ms | 99 of 100 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for p in measured:
        told = 100 * cost.cpu(p.workers, p.tasks, p.checkpoints, p.known)
        yield (
            f"| {p.workers} | {p.tasks} | {p.known:,} | {p.checkpoints:.0f} | {p.transactions:.0f} | {100 * p.cpu:.1f} "
            f"| {told:.1f} | {p.log_bytes / 1000:.0f} | {p.renewal_ms:.1f} | {p.late_ms:.1f} |"
        )


def _parts(cost: Cost) -> Iterator[str]:
    yield "| part | CPU of the store |"
    yield "|---|---|"
    yield f"| a worker that waits, a second | {1e6 * cost.worker:,.0f} µs, {cost.transactions:.0f} transactions |"
    yield f"| a task that is held, a second | {1e6 * cost.task:,.0f} µs, {cost.task_bytes:,.0f} bytes of log |"
    yield f"| a checkpoint | {1e6 * cost.checkpoint:,.0f} µs, {cost.checkpoint_bytes:,.0f} bytes of log |"
    yield f"| a task that is known, a worker and a second | {1e6 * cost.known:.2f} µs |"


def _store(cost: Cost) -> Iterator[str]:
    yield f"| {TASKS:,} tasks over | of which change all the time | checkpoints/s | cores of the store | log, MB/s |"
    yield "|---|---|---|---|---|"
    for nodes in NODES:
        workers = nodes * WORKERS_A_NODE
        for share in ACTIVE:
            saves = TASKS * share * SAVES
            cores = cost.cpu(workers, TASKS, saves, TASKS)
            log = (TASKS * cost.task_bytes + saves * cost.checkpoint_bytes) / 1e6
            yield f"| {workers} workers | {share:.0%} | {saves:,.0f} | {cores:.1f} | {log:.1f} |"


def _load() -> Iterator[str]:
    rate = WORKER_ROWS * ROW_BYTES
    yield "| pairs of one source and one target | GB/s | 1 PB takes | links of 10, 25, 100 Gbit/s that fills |"
    yield "|---|---|---|---|"
    for pairs in (1, 10, 100, 1000):
        total = pairs * rate
        links = ", ".join(f"{total / link:.1f}" for link in LINK_BYTES)
        yield f"| {pairs:,} | {total / 1e9:.2f} | {PB / total / DAY:,.1f} days | {links} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.model", description=__doc__)
    parser.add_argument("--docs", action="store_true", help="keep the tables in docs/scale.md")
    tables = text(points())
    print(tables)
    if parser.parse_args().docs:
        page = DOCS.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        DOCS.write_text(f"{before}{BEGIN}\n{tables}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
