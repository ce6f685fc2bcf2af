"""One solution over very many tables on a Ray cluster of two nodes, beside the same over one and two workers of this
machine: until all of it follows, until a change in each table is there, and who did it. All rows are compared.

Both nodes are on this machine, as are the source and the target: what this can tell is what a cluster costs, and that
the load is spread. What it brings wants other machines.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench import contents, memory, replication, scale, spread
from bench.contents import Table
from bench.databases import DATABASE, Databases, databases
from bench.table import Row
from ray_cluster import cluster
from servers import Service, disync, postgres_server
from waiting import until

TABLES = 5_000
GROUP = "group_219193793999490"
"""That of GetDISyncTask's sample."""
NODES = ("one", "two")
CPUS = 3
"""That each node says to have: one for its worker, the others for Ray tasks."""
_LOOK_SECONDS = 0.25
_PATIENCE_SECONDS = 600

Processes = Callable[[], Sequence[psutil.Process]]


@dataclass(frozen=True, slots=True)
class Ran:
    """`load`: seconds until all follow; `change`: until a change in each table is there. `cpu`: seconds of CPU time of
    each process that took part in the load, the busiest first."""

    load: float
    change: float
    cpu: Sequence[float]


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: how many tables."""
    with databases() as servers:
        tables = spread.fill_small(servers, rows or TABLES)
        ran = [_ran(servers, tables, name, number) for number, name in enumerate(SERVING)]
    what = f"solution over {len(tables):,} tables"
    loads = {name: one.load for name, one in zip(SERVING, ran, strict=True)}
    changes = {name: one.change for name, one in zip(SERVING, ran, strict=True)}
    return [*_rows(f"{what}: until all follow", loads), *_rows(f"{what}: until a change in each is there", changes)]


def _rows(what: str, seconds: Mapping[str, float]) -> list[Row]:
    """Each beside the first."""
    first, *_ = seconds.values()
    return [Row(f"{what}, {name}", f"{one:.1f} s", f"{first:.1f} s", first / one) for name, one in seconds.items()]


def _ran(servers: Databases, tables: Sequence[Table], name: str, number: int) -> Ran:
    servers.drop(scale.SCHEMA, [table.name for table in tables])
    servers.empty_schema(scale.SCHEMA)
    expected = contents.source_checksums(servers, tables, DATABASE)
    with SERVING[name]() as (service, processes), servers.session() as session:
        file_id = scale.create(service, servers)
        with _watched(processes) as cpu:
            began = time.perf_counter()
            scale.call(service, "StartDISyncInstance", file_id)
            scale.follows(service, file_id)
            load = time.perf_counter() - began
        contents.all_same(servers, tables, scale.SCHEMA, expected)
        began = time.perf_counter()
        servers.source.run(
            [f"UPDATE {table.name} SET amount = amount + 1 WHERE id = {number}" for table in tables], DATABASE
        )
        # The log is in order: the last change comes after all others. It makes an amount of this table that none had.
        last = f"SELECT amount > {len(tables)} FROM {scale.SCHEMA}.{tables[-1].name} WHERE id = {number}"
        until(lambda: session.execute(last.encode()).fetchall() == [(True,)], seconds=_PATIENCE_SECONDS)
        change = time.perf_counter() - began
        contents.all_same(servers, tables, scale.SCHEMA, contents.source_checksums(servers, tables, DATABASE))
        scale.call(service, "StopDISyncInstance", file_id)
    ran = Ran(load, change, sorted(cpu, reverse=True))
    print(f"    {len(tables):,} tables, {name}: {ran}", flush=True)
    return ran


@contextmanager
def _local(workers: int) -> Iterator[tuple[Service, Processes]]:
    with replication.serving(workers) as service:
        yield service, lambda: memory.workers(service)


@contextmanager
def _on_ray() -> Iterator[tuple[Service, Processes]]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        environment = {"DISYNC_STORE_URL": stack.enter_context(postgres_server()).url}
        ray = stack.enter_context(cluster(DISYNC_KEY_FILE=str(home / "key"), **environment))
        ray.head()
        where = ("--runner", "ray", "--ray-address", ray.address, "--workers", "1")
        service = stack.enter_context(disync(home, *where, datahub=False, **environment | ray.client))
        for name in NODES:
            ray.node(name, GROUP, cpus=CPUS)
        until(lambda: len(ray.actors()) == len(NODES), lambda: service.log[-4000:], seconds=100)
        for worker in ray.actors().values():
            memory.wait_for_rest(worker)
        yield service, ray.at_work


SERVING = {
    "one worker": lambda: _local(1),
    "two workers": lambda: _local(2),
    "Ray, two nodes of a worker and two CPUs more": _on_ray,
}


@contextmanager
def _watched(processes: Processes) -> Iterator[list[float]]:
    """What CPU time each of them has taken while the block lasted, there when it is over."""
    found: list[float] = []
    seen: dict[int, tuple[float, float]] = {}
    over = threading.Event()

    def look(first: bool = False) -> None:
        for process in processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            used = times.user + times.system
            began, _ = seen.get(process.pid, (used if first else 0.0, used))
            seen[process.pid] = began, used

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            look()

    look(first=True)
    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    yield found
    over.set()
    watching.join()
    look()
    found += [round(used - began, 2) for began, used in seen.values()]
