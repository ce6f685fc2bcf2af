"""A full load that several workers share: one table of many rows, and a database of many tables. After each the rows of
all tables are compared with the source's.

All workers are on this machine, beside the source and the target. As they are, one of them nearly keeps its two cores
busy, and more of them can win little: that row tells what sharing costs. Where each is held to a small share of a core,
as a worker is that sits on a slow machine or behind a slow link, it is what the load waits for; that row tells what
another one brings.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import psutil

from bench import contents, memory, orders, replication
from bench.contents import Checksum, Column, Table
from bench.databases import DATABASE, Databases, databases
from bench.orders import TABLE
from bench.shares import held_to
from bench.table import Row

WORKERS = (1, 2, 4)
ROUNDS = 3
ROWS = 4_000_000
SHARE = 0.1
"""Of a core."""
MOST, TABLES, HELD, EACH = 5_000, 2_000, 500, 100
"""Small tables: of one round, of ROUNDS rounds, and those that are loaded where workers are held; the rows of each."""
_CHANNELS = 8
_SCHEMA = "spread"
_SMALL = (
    Column("id", "BIGINT NOT NULL", "bigint NOT NULL"),
    Column("name", "VARCHAR(32) NOT NULL", "varchar(32) NOT NULL"),
    Column("amount", "DECIMAL(12,2) NOT NULL", "numeric(12,2) NOT NULL"),
)


@dataclass(frozen=True, slots=True)
class Loads:
    """One thing to load. `share`: what each worker has of a core; None: all that it can get."""

    what: str
    tables: Sequence[Table]
    expected: Sequence[Checksum]
    share: float | None = None
    rounds: int = ROUNDS

    @property
    def rows(self) -> int:
        return sum(rows for rows, _, _ in self.expected)


@dataclass(frozen=True, slots=True)
class Ran:
    """Seconds from the start to the last key, and the CPU seconds of each worker meanwhile, the busiest first."""

    seconds: float
    cpu: Sequence[float]


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: those of the one table; as many hundredths of them are tables."""
    with databases() as servers:
        return [row for each in loads(servers, rows) for row in _rows(servers, each)]


def loads(servers: Databases, rows: int | None = None) -> list[Loads]:
    """All that is measured, in the source."""
    count, most = rows or ROWS, (rows or MOST * 100) // 100
    some, held = most * TABLES // MOST, most * HELD // MOST
    orders.fill(servers, count)
    large = (TABLE,), [contents.source_checksum(servers, TABLE, DATABASE)]
    small = fill_small(servers, most)
    sums = contents.source_checksums(servers, small, DATABASE)
    return [
        Loads(f"full load of {count:,} rows of one table", *large),
        Loads(f"the same, each worker held to {SHARE:g} of a core", *large, share=SHARE),
        Loads(f"full load of {some:,} tables of {EACH} rows", small[:some], sums[:some]),
        Loads(f"{held:,} of them, each worker held to {SHARE:g}", small[:held], sums[:held], share=SHARE),
        Loads(f"full load of {most:,} tables of {EACH} rows, one round", small, sums, rounds=1),
    ]


def _rows(servers: Databases, load: Loads) -> list[Row]:
    ran: dict[int, list[Ran]] = {workers: [] for workers in WORKERS}
    for number in range(load.rounds):
        for workers in WORKERS if number % 2 == 0 else reversed(WORKERS):
            ran[workers].append(_load(servers, load, workers))
            print(f"    {load.what}, {workers} workers: {ran[workers][-1]}", flush=True)
    took = {workers: median(one.seconds for one in each) for workers, each in ran.items()}
    told = f"{load.rows / took[1]:,.0f} rows/s (1 worker)"
    return [
        Row(
            f"{load.what}, {workers} workers",
            f"{load.rows / took[workers]:,.0f} rows/s; of the workers' CPU time {_shares(ran[workers])}",
            told,
            took[1] / took[workers],
        )
        for workers in WORKERS
        if workers > 1
    ]


def _shares(ran: Sequence[Ran]) -> str:
    return ", ".join(
        f"{100 * median(one.cpu[at] / sum(one.cpu) for one in ran):.0f} %" for at in range(len(ran[0].cpu))
    )


def _load(servers: Databases, load: Loads, workers: int) -> Ran:
    names = [table.name for table in load.tables]
    servers.drop(_SCHEMA, names)
    servers.empty_schema(_SCHEMA)
    with ExitStack() as stack:
        service = stack.enter_context(replication.serving(workers))
        task = replication.deploy(service, servers, _SCHEMA, names, channels=_CHANNELS)
        processes = memory.workers(service)
        if load.share is not None:
            stack.enter_context(held_to(load.share, [one.pid for one in processes]))
        before = [_cpu(one) for one in processes]
        took = task.load_all(load.rows)
        cpu = [_cpu(one) - was for one, was in zip(processes, before, strict=True)]
    contents.all_same(servers, load.tables, _SCHEMA, load.expected)
    return Ran(round(took, 2), sorted((round(one, 2) for one in cpu), reverse=True))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def fill_small(servers: Databases, tables: int) -> list[Table]:
    """No two tables have the same rows."""
    made = [Table(f"small_{number:05}", _SMALL, ("id",)) for number in range(tables)]
    for number, table in enumerate(made):
        values = ", ".join(f"({key}, 'row {key} of {number}', {number}.25)" for key in range(EACH))
        servers.source.run([table.create_source(), f"INSERT INTO {table.name} VALUES {values}"], DATABASE)
    return made
