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
_DONE = "SELECT coalesce(bool_and(done), false) FROM disync_checkpoint WHERE split <> 'binlog'"

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
                return bool(_one(session, _DONE)) and self._count(session) == rows

            self.until(loaded, 60 + rows / 1000)
        rate = (rows - early) / (ended - first) if ended > first else float("inf")
        return Loaded(ended - began, rate, self.peak_mb())

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

    def _info(self) -> dict[str, Any]:
        info: dict[str, Any] = _call(self.service, "GetDISyncInstanceInfo", **self.task)["Data"]
        return info

    def _count(self, session: Session) -> int:
        return sum(int(_one(session, f"SELECT count(*) FROM {table}")) for table in self.tables)


def deploy(service: Service, servers: Databases, schema: str, tables: Sequence[str]) -> Replication:
    """A task named after the schema."""
    contents = {"mysql": servers.source_content(), "postgresql": servers.target_content()}
    for kind, content in contents.items():
        _call(
            service,
            "CreateDataSource",
            ProjectId=WORKSPACE,
            Name=f"{schema}_{kind}",
            DataSourceType=kind,
            EnvType=1,
            Content=json.dumps(content),
        )
    reader = {"datasource": f"{schema}_mysql", "table": list(tables)}
    writer = {"datasource": f"{schema}_postgresql", "writeMode": "replay", "datasourceSchema": schema}
    steps = [
        {"stepType": "mysql", "name": "reader", "category": "reader", "parameter": reader},
        {"stepType": "postgresql", "name": "writer", "category": "writer", "parameter": writer},
    ]
    code = json.dumps({"steps": steps, "order": {"hops": [{"from": "reader", "to": "writer"}]}})
    place = {"ProjectId": WORKSPACE, "TaskType": "DI_REALTIME"}
    made = _call(service, "CreateDISyncTask", **place, TaskName=schema, TaskContent=code)
    task = place | {"FileId": made["Data"]["FileId"]}
    _call(service, "DeployDISyncTask", **task)
    return Replication(service, servers, schema, tuple(tables), task)


@contextmanager
def serving() -> Iterator[Service]:
    """A fresh `disync serve`: the peak of its worker's memory is that of what is run in it."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as home,
        disync(Path(home), "--workers", "1", datahub=False) as service,
    ):
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
    try:
        return bool(_one(session, f"SELECT EXISTS (SELECT FROM {table})"))
    except psycopg.errors.UndefinedTable:
        return False


def _one(session: Session, query: str) -> Any:
    row = session.execute(query.encode()).fetchone()
    return row[0] if row else None
