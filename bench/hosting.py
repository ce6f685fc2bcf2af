"""What a worker needs for tasks that only follow: memory and CPU time with one MySQL → PostgreSQL task, or more."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil

from bench import memory, replication
from bench.databases import DATABASE, Databases, databases
from bench.table import Row

COUNTS = (1, 10, 20)
_REST_SECONDS = 10
_TABLE = "CREATE TABLE t (id bigint PRIMARY KEY, name varchar(64))"


@dataclass(frozen=True, slots=True)
class Hosted:
    """`cpu`: of a core; nothing changes at the source."""

    tasks: int
    rss_mb: float
    threads: int
    cpu: float


def measure_all(most: int | None = None) -> list[Row]:
    """`most`: how many tasks in the end, instead of the last of COUNTS."""
    counts = [count for count in COUNTS if most is None or count < most] + ([most] if most else [])
    found = _measure(counts)
    first, last = found[0], found[-1]
    rows = [
        Row(f"worker that hosts {one.tasks} quiet tasks", f"{one.rss_mb:.0f} MB RSS, {one.threads} threads", _cpu(one))
        for one in found
    ]
    if last.tasks > first.tasks:
        each = (last.rss_mb - first.rss_mb) / (last.tasks - first.tasks)
        rows.append(Row("… each further task", f"{each:.1f} MB RSS"))
    return rows


def _cpu(one: Hosted) -> str:
    return f"{100 * one.cpu:.1f} % of a core"


def _measure(counts: list[int]) -> list[Hosted]:
    found = list[Hosted]()
    with databases() as servers, replication.serving() as service:
        servers.source.run(_TABLE, DATABASE)
        process, tasks = memory.worker(service), list[replication.Replication]()
        for count in counts:
            while len(tasks) < count:
                tasks.append(_task(service, servers, len(tasks)))
            found.append(_look(process, count))
        for task in tasks:
            task.stop()
    return found


def _task(service: replication.Service, servers: Databases, number: int) -> replication.Replication:
    schema = f"quiet_{number}"
    servers.empty_schema(schema)
    task = replication.deploy(service, servers, schema, ["t"])
    task.settle()
    task.resume()
    return task


def _look(process: psutil.Process, tasks: int) -> Hosted:
    time.sleep(_REST_SECONDS / 2)
    before = process.cpu_times()
    time.sleep(_REST_SECONDS)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    return Hosted(tasks, process.memory_info().rss / 1e6, process.num_threads(), spent / _REST_SECONDS)
