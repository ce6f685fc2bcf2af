"""A full load that several workers share: one table of many rows, and a database of many tables.

All workers are on this machine, beside the source and the target. As they are, one of them nearly keeps its two cores
busy, and more of them can win little: that row tells what sharing costs. Where each is held to a small share of a core,
as a worker is that sits on a slow machine or behind a slow link, it is what the load waits for; that row tells what
another one brings.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from bench import contents, memory, orders, replication
from bench.databases import DATABASE, Databases, databases
from bench.orders import TABLE
from bench.shares import held_to
from bench.table import Row

WORKERS = (1, 2, 4)
ROUNDS = 3
ROWS = 4_000_000
SHARE = 0.1
"""Of a core."""
TABLES, HELD, EACH = 2_000, 500, 100
"""Small tables, how many of them are loaded where workers are held, and the rows of each."""
_CHANNELS = 8
_SCHEMA = "spread"
_SMALL = "CREATE TABLE {} (id bigint PRIMARY KEY, name varchar(32) NOT NULL, amount decimal(12,2) NOT NULL)"


@dataclass(frozen=True, slots=True)
class Loads:
    """One thing to load. `share`: what each worker has of a core; None: all that it can get."""

    what: str
    tables: tuple[str, ...]
    rows: int
    share: float | None
    check: Callable[[], None]


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: those of the one table; as many hundredths of them are tables."""
    count, tables = rows or ROWS, (rows or TABLES * 100) // 100
    with databases() as servers:
        orders.fill(servers, count)
        small, held = _fill_small(servers, tables), tables * HELD // TABLES
        expected = contents.source_checksum(servers, TABLE, DATABASE)

        def one_table() -> None:
            contents.same(servers, TABLE, _SCHEMA, expected)

        names = (TABLE.name,)
        loads = (
            Loads(f"full load of {count:,} rows of one table", names, count, None, one_table),
            Loads(f"the same, each worker held to {SHARE:g} of a core", names, count, SHARE, one_table),
            Loads(f"full load of {tables:,} tables of {EACH} rows", small, tables * EACH, None, lambda: None),
            Loads(f"{held:,} of them, each worker held to {SHARE:g}", small[:held], held * EACH, SHARE, lambda: None),
        )
        return [row for each in loads for row in _rows(servers, each)]


def _rows(servers: Databases, load: Loads) -> list[Row]:
    times: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    for number in range(ROUNDS):
        for workers in WORKERS if number % 2 == 0 else reversed(WORKERS):
            times[workers].append(_load(servers, load, workers))
        print(f"    {load.what}: {times}", flush=True)
    alone = median(times[1])
    told = f"{load.rows / alone:,.0f} rows/s (1 worker)"
    return [
        Row(f"{load.what}, {workers} workers", f"{load.rows / median(took):,.0f} rows/s", told, alone / median(took))
        for workers, took in times.items()
        if workers > 1
    ]


def _load(servers: Databases, load: Loads, workers: int) -> float:
    """Seconds from the start to the last key."""
    servers.empty_schema(_SCHEMA)
    with ExitStack() as stack:
        service = stack.enter_context(replication.serving(workers))
        task = replication.deploy(service, servers, _SCHEMA, load.tables, channels=_CHANNELS)
        if load.share is not None:
            stack.enter_context(held_to(load.share, [one.pid for one in memory.workers(service)]))
        took = task.load_all(load.rows)
    load.check()
    return took


def _fill_small(servers: Databases, tables: int) -> tuple[str, ...]:
    names = tuple(f"small_{number:05}" for number in range(tables))
    values = ", ".join(f"({key}, 'name {key}', {key}.25)" for key in range(EACH))
    servers.source.run(
        [one for name in names for one in (_SMALL.format(name), f"INSERT INTO {name} VALUES {values}")], DATABASE
    )
    return names
