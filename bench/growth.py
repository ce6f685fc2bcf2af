"""Full loads of 1, 2, 4 and 8 million rows: the time for a row must not grow with the table, nor must memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import contents, copyfile, orders, replication
from bench.databases import DATABASE, Databases, databases
from bench.load import SCHEMA, then_key
from bench.orders import TABLE
from bench.peers import Ran
from bench.replication import Loaded
from bench.table import Limit, Row

ROWS = 8_000_000
STEPS = 4
"""Each has half the rows of the next."""
ROUNDS = 3
MOST_TIMES = 1.15


@dataclass(frozen=True, slots=True)
class Size:
    rows: int
    us_a_row: float
    """After the first rows had become visible: what a start costs is not to make large tables look good."""
    rss_mb: float
    ready_us_a_row: float
    """The same rows from a ready file of binary COPY: what of the growth is the target's own."""


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: those of the greatest load."""
    greatest = rows or ROWS
    with databases() as servers, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        sizes = [_size(servers, greatest >> step, Path(folder, "orders.copy")) for step in reversed(range(STEPS))]
    least, most = sizes[0], sizes[-1]
    growth = most.us_a_row / least.us_a_row
    ready = most.ready_us_a_row / least.ready_us_a_row
    held = most.rss_mb / least.rss_mb
    what = f"full load of {most.rows:,} rows instead of {least.rows:,}"
    times = " / ".join(f"{size.us_a_row:.2f}" for size in sizes)
    floor = " / ".join(f"{size.ready_us_a_row:.2f}" for size in sizes)
    memory = " / ".join(f"{size.rss_mb:.0f}" for size in sizes)
    beside = f"{floor} µs (a ready binary COPY file and its key, {ready:.2f} times)"
    return [
        Row(
            f"{what}: time for a row, {growth:.2f} times",
            f"{times} µs",
            beside,
            limit=Limit(growth, MOST_TIMES, "times"),
        ),
        Row(f"… memory of the worker, {held:.2f} times", f"{memory} MB RSS", limit=Limit(held, MOST_TIMES, "times")),
    ]


def _size(servers: Databases, rows: int, file: Path) -> Size:
    orders.fill(servers, rows)
    expected = contents.source_checksum(servers, TABLE, DATABASE)
    runs, ready = list[Loaded](), list[Ran]()
    file.unlink(missing_ok=True)
    for _ in range(ROUNDS):
        servers.empty_schema(SCHEMA)
        runs.append(replication.load(servers, SCHEMA, [TABLE.name], rows))
        contents.same(servers, TABLE, SCHEMA, expected)
        if not file.exists():
            copyfile.export(servers, SCHEMA, TABLE, file)
        servers.empty_schema(SCHEMA, TABLE.create_target(key=False))
        ready.append(then_key(servers, copyfile.load(servers, SCHEMA, TABLE.name, file)))
    times = (
        f"{', '.join(f'{one.rate:,.0f}' for one in runs)}; {', '.join(f'{rows / one.seconds:,.0f}' for one in ready)}"
    )
    print(f"    {rows:,} rows: {times} rows/s", flush=True)
    return Size(
        rows,
        median(1e6 / one.rate for one in runs),
        max(one.rss_mb for one in runs),
        median(1e6 * one.seconds / rows for one in ready),
    )
