"""Ours: a real task from MariaDB to PostgreSQL, through the API of a `disync serve` with one worker."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import memory, signed
from bench.databases import Databases
from servers import Service, disync

WORKSPACE = 10000
_LOOK_SECONDS = 0.02
_STATE_SECONDS = 1.0
_DONE = "SELECT count(*) >= {} AND bool_and(done) FROM disync_checkpoint WHERE split !~ '^(binlog(/|$)|$)'"
"""Every table is at least one split."""
_PLACES = "SELECT count(DISTINCT position) FROM disync_checkpoint WHERE split ~ '^binlog(/|$)' AND NOT done"
_KEYED = """
SELECT count(*) >= {} FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
WHERE c.contype = 'p' AND c.connamespace = '{}'::regnamespace AND t.relname <> 'disync_checkpoint'
"""
"""A load is not over before the keys are there."""

Session = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """`seconds` from the call that started the task until all was there and said to be done; `rate` in rows a second
    after the first rows had become visible, those not counted."""

    seconds: float
    rate: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Replication:
    """A task that is deployed: the named tables, into one schema of the target, under the names they have."""

    service: Service
    servers: Databases
    schema: str
    tables: tuple[str, ...]
    task: dict[str, Any]

    def start(self) -> None:
        _call(self.service, "StartDISyncInstance", **self.task, StartParam='{"startTime":"earliest"}')

    def stop(self) -> None:
        _call(self.service, "StopDISyncInstance", **self.task)
        self.until(lambda: self.state() == "PAUSE", 60, running=False)

    def state(self) -> str:
        return str(self._info()["Status"])

    def load(self, rows: int) -> Loaded:
        """Start the task, and wait until it has loaded this many rows."""
        with self.servers.session() as session:
            session.execute(f"SET search_path = {self.schema}".encode())
            began = time.perf_counter()
            self.start()
            self.until(lambda: any(_holds(session, table) for table in self.tables), 60)
            first, early = time.perf_counter(), self._count(session)
            ended = 0.0

            def loaded() -> bool:
                nonlocal ended
                ended = time.perf_counter()
                # Counting costs the server much, so it is done only once the task says that it is done.
                return self._done(session) and self._count(session) == rows

            self.until(loaded, 60 + rows / 1000)
        rate = (rows - early) / (ended - first) if ended > first else float("inf")
        return Loaded(ended - began, rate, self.peak_mb())

    def load_all(self, rows: int) -> float:
        """Seconds from the call that starts the task until it has loaded this many rows, in however many tables."""
        with self.servers.session() as session:
            session.execute(f"SET search_path = {self.schema}".encode())
            began = time.perf_counter()
            self.start()
            self.until(lambda: self._done(session), 120 + rows / 1000)
            took = time.perf_counter() - began
            if (found := self._count(session)) != rows:
                raise RuntimeError(f"{found} rows instead of {rows}")
        return took

    def settle(self) -> None:
        """Start the task, let it load what there is, even nothing, and stop it: it then goes on from here."""
        with self.servers.session() as session:
            session.execute(f"SET search_path = {self.schema}".encode())
            self.start()
            self.until(lambda: self._done(session), 60)
        self.stop()

    def resume(self) -> None:
        """Start a settled task; returns when it runs."""
        _call(self.service, "StartDISyncInstance", **self.task)
        self.until(lambda: self.state() == "RUN", 60, running=False)

    def follow(self, table: str, key: int) -> float:
        """Seconds from the call that starts a settled task until this row, the last of the log, is there."""
        with self.servers.session() as session:
            session.execute(f"SET search_path = {self.schema}".encode())
            began = time.perf_counter()
            _call(self.service, "StartDISyncInstance", **self.task)
            last = f"SELECT EXISTS (SELECT FROM {table} WHERE id = {key})"
            # Of several sessions one has the last row, and the others may not have theirs yet.
            self.until(lambda: bool(_one(session, last)) and _one(session, _PLACES) == 1, 600)
            return time.perf_counter() - began

    def flushes(self) -> int:
        """How often the task, which has stopped, has written a checkpoint into the target."""
        query = "SELECT n_tup_ins + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'disync_checkpoint'"
        with self.servers.session() as session:
            return int(_one(session, f"{query} AND schemaname = '{self.schema}'"))

    def peak_mb(self) -> float:
        return memory.peak_mb(memory.worker(self.service).pid)

    def until(self, condition: Callable[[], bool], seconds: float, running: bool = True) -> None:
        """Look again and again; a task that has stopped by itself is told about."""
        deadline = time.perf_counter() + seconds
        asked = time.perf_counter()
        while not condition():
            now = time.perf_counter()
            if now - asked > _STATE_SECONDS:
                info, asked = self._info(), now
                if running and info["Status"] == "PAUSE":
                    raise RuntimeError(f"the task has stopped: {info.get('Message')}")
            if now > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s; {self._info()}\n{self.service.log[-4000:]}")
            time.sleep(_LOOK_SECONDS)

    def _done(self, session: Session) -> bool:
        tables = len(self.tables)
        done = bool(_one(session, _DONE.format(tables)))
        return done and bool(_one(session, _KEYED.format(tables, self.schema)))

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = _call(self.service, "GetDISyncInstanceInfo", **self.task)["Data"]
        return info

    def _count(self, session: Session) -> int:
        return sum(int(_one(session, f"SELECT count(*) FROM {table}")) for table in self.tables)


def sources(servers: Databases, schema: str) -> dict[str, tuple[str, dict[str, str]]]:
    """The data sources that the job of this schema names: type and content."""
    return {
        f"{schema}_source": ("mysql", servers.source_content()),
        f"{schema}_target": ("postgresql", servers.target_content()),
    }


def job(schema: str, tables: Sequence[str], writers: int = 1, channels: int | None = None) -> str:
    reader = {"datasource": f"{schema}_source", "table": list(tables)}
    writer: dict[str, Any] = {"datasource": f"{schema}_target", "writeMode": "replay", "datasourceSchema": schema}
    writer["writerConcurrent"] = writers
    steps = [
        {"stepType": "mysql", "name": "reader", "category": "reader", "parameter": reader},
        {"stepType": "postgresql", "name": "writer", "category": "writer", "parameter": writer},
    ]
    setting = {} if channels is None else {"speed": {"concurrent": channels}}
    return json.dumps({"steps": steps, "order": {"hops": [{"from": "reader", "to": "writer"}]}, "setting": setting})


def deploy(
    service: Service,
    servers: Databases,
    schema: str,
    tables: Sequence[str],
    writers: int = 1,
    channels: int | None = None,
) -> Replication:
    """A task named after the schema."""
    for name, (kind, content) in sources(servers, schema).items():
        source = {"Name": name, "DataSourceType": kind, "EnvType": 1, "Content": json.dumps(content)}
        _call(service, "CreateDataSource", ProjectId=WORKSPACE, **source)
    place = {"ProjectId": WORKSPACE, "TaskType": "DI_REALTIME"}
    made = _call(
        service, "CreateDISyncTask", **place, TaskName=schema, TaskContent=job(schema, tables, writers, channels)
    )
    task = place | {"FileId": made["Data"]["FileId"]}
    _call(service, "DeployDISyncTask", **task)
    return Replication(service, servers, schema, tuple(tables), task)


@contextmanager
def serving(workers: int = 1) -> Iterator[Service]:
    """A fresh `disync serve`: the peak of its worker's memory is that of what is run in it."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as home,
        disync(Path(home), "--workers", str(workers), datahub=False) as service,
    ):
        # It takes requests before its worker has started up, which is no part of a task's time.
        for worker in memory.workers(service):
            memory.wait_for_rest(worker)
        yield service


def load(servers: Databases, schema: str, tables: Sequence[str], rows: int) -> Loaded:
    """One full load in a service of its own. The schema is there, with or without the tables."""
    with serving() as service:
        replication = deploy(service, servers, schema, tables)
        loaded = replication.load(rows)
        replication.stop()
    return loaded


def _call(service: Service, action: str, **parameters: Any) -> dict[str, Any]:
    return signed.call(service.address, service.key, action, **parameters)


def _holds(session: Session, table: str) -> bool:
    return bool(_one(session, f"SELECT EXISTS (SELECT FROM {table})"))


def _one(session: Session, query: str) -> Any:
    """None where there is no row, and while there is no such table."""
    try:
        row = session.execute(query.encode()).fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return row[0] if row else None
