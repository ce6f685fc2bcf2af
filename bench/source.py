"""What a source delivers to who throws the rows away, and what of its CPU that takes: the input of bench/bulk.py.

One session that reads a whole table as it comes, by MariaDB's own client. The client shares two cores with the server,
so it is the server's CPU time for a row that is kept in bench/source.json, not the rate.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from statistics import median

import psutil

from bench import orders
from bench.databases import DATABASE, Databases, databases
from bench.orders import TABLE
from bench.table import Row

KEPT = Path(__file__).with_name("source.json")
ROWS = 2_000_000
ROUNDS = 5


def measure_all(rows: int | None = None) -> list[Row]:
    count = rows or ROWS
    with databases() as servers:
        orders.fill(servers, count)
        found = [_read(servers) for _ in range(ROUNDS + 1)][1:]  # the first one reads what is not in memory yet
        size = _bytes(servers)
    seconds, cpu = (median(each) for each in zip(*found, strict=True))
    if rows is None:
        kept = {
            "machine": f"{os.cpu_count()} cores",
            "date": time.strftime("%Y-%m-%d"),
            "rows_a_core": round(count / cpu),
            "rows_of_one_session": round(count / seconds),
            "row_bytes": round(size),
        }
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    told = f"{count / seconds:,.0f} rows/s of {size:.0f} bytes, {count / cpu:,.0f} rows/s for each core of the server"
    return [Row(f"source: {count:,} rows of 12 columns, read by one session and thrown away", told)]


def _read(servers: Databases) -> tuple[float, float]:
    """Seconds, and CPU seconds of the server."""
    command = ["mariadb", "--no-defaults", "--quick", "--skip-ssl", "-uroot", f"-S{servers.source.socket}", DATABASE]
    process = _server(servers)
    began, before = time.perf_counter(), process.cpu_times()
    subprocess.run([*command, "-e", f"SELECT * FROM {TABLE.name}"], stdout=subprocess.DEVNULL, check=True)
    took, after = time.perf_counter() - began, process.cpu_times()
    return took, after.user + after.system - before.user - before.system


def _server(servers: Databases) -> psutil.Process:
    process = servers.source.process
    assert process is not None
    return psutil.Process(process.pid)


def _bytes(servers: Databases) -> float:
    """Of a row as the server sends it: the text of each value with its length, and four of the packet."""
    sent = " + ".join(f"1 + COALESCE(LENGTH({column.name}), 0)" for column in TABLE.columns)
    return float(servers.source.run(f"SELECT AVG(4 + {sent}) FROM {DATABASE}.{TABLE.name}")[0][0])
