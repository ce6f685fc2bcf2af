"""Full loads of 1, 2, 4 and 8 million rows: the time for a row must not grow with the table, nor must memory."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from bench import contents, orders, replication
from bench.databases import DATABASE, Databases, databases
from bench.load import SCHEMA
from bench.orders import TABLE
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


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: those of the greatest load."""
    greatest = rows or ROWS
    with databases() as servers:
        sizes = [_size(servers, greatest >> step) for step in reversed(range(STEPS))]
    least, most = sizes[0], sizes[-1]
    growth = most.us_a_row / least.us_a_row
    held = most.rss_mb / least.rss_mb
    what = f"full load of {most.rows:,} rows instead of {least.rows:,}"
    times = " / ".join(f"{size.us_a_row:.2f}" for size in sizes)
    memory = " / ".join(f"{size.rss_mb:.0f}" for size in sizes)
    return [
        Row(f"{what}: time for a row, {growth:.2f} times", f"{times} µs", limit=Limit(growth, MOST_TIMES, "times")),
        Row(f"… memory of the worker, {held:.2f} times", f"{memory} MB RSS", limit=Limit(held, MOST_TIMES, "times")),
    ]


def _size(servers: Databases, rows: int) -> Size:
    """The longer loads have fewer rounds: the more a load has to do, the less a moment's noise counts."""
    orders.fill(servers, rows)
    expected = contents.source_checksum(servers, TABLE, DATABASE)
    runs = list[Loaded]()
    for _ in range(ROUNDS if 4 * rows <= ROWS else 1):
        servers.empty_schema(SCHEMA, TABLE.create_target())
        runs.append(replication.load(servers, SCHEMA, [TABLE.name], rows))
        contents.same(servers, TABLE, SCHEMA, expected)
    print(f"    {rows:,} rows", flush=True)
    return Size(rows, median(1e6 / one.rate for one in runs), max(one.rss_mb for one in runs))
