"""One solution over very many tables: memory, connections, the time to the first row, to the last, and of a change."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from statistics import median

import psutil
import psycopg

from bench import memory, replication, signed
from bench.databases import DATABASE, Databases, databases
from bench.replication import WORKSPACE
from bench.table import Row
from disync.demo.seed import PROCESS_CONTENT
from servers import Service

COUNTS = (300, 5_000)
"""The first is the `tableNum` of GetDISyncTask's sample."""
ROWS = 20
"""Of each table: what many tables cost is not to hide behind their rows."""
CHANGES = 30
SCHEMA = "public"
_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 1800
_COLUMNS = "id bigint PRIMARY KEY, name varchar(64), amount decimal(12,2), at datetime"
_TARGET_COLUMNS = _COLUMNS.replace("decimal", "numeric").replace("datetime", "timestamp")


@dataclass(slots=True)
class Seen:
    """The most of each, while it was looked."""

    source: int = 0
    target: int = 0
    api_mb: float = 0.0


@dataclass(frozen=True, slots=True)
class Scale:
    tables: int
    first_seconds: float
    all_seconds: float
    floor_seconds: float
    change_ms: float
    worker_mb: float
    seen: Seen


def measure_all(rows: int | None = None) -> list[Row]:
    """`rows`: how many tables, instead of both numbers."""
    return [line for count in ([rows] if rows else COUNTS) for line in _rows(_measure(count))]


def _rows(found: Scale) -> list[Row]:
    beside = f"{found.floor_seconds:.1f} s (the tables created and filled from memory, one connection)"
    ratio = found.floor_seconds / found.all_seconds
    seen = found.seen
    return [
        Row(f"solution over {found.tables:,} tables: until all follow", f"{found.all_seconds:.1f} s", beside, ratio),
        Row("… until the first row is there", f"{found.first_seconds:.1f} s"),
        Row("… then, from the commit of a change until it is visible, median", f"{found.change_ms:.0f} ms"),
        Row("… memory, at most: worker, API process", f"{found.worker_mb:.0f} MB, {seen.api_mb:.0f} MB RSS"),
        Row("… connections, at most: source, target", f"{seen.source}, {seen.target}"),
    ]


def _measure(count: int) -> Scale:
    with databases() as servers:
        _make_source(servers, count)
        floor = _floor(servers, count)
        servers.empty_schema(SCHEMA)
        with replication.serving() as service:
            file_id = create(service, servers)
            with _watching(servers, service) as seen, servers.session() as session:
                began = time.perf_counter()
                call(service, "StartDISyncInstance", file_id)
                _until(lambda: _any_row(session), service, file_id)
                first = time.perf_counter() - began
                follows(service, file_id)
                ended = time.perf_counter() - began
                _compare(session, count)
                change = _change_ms(servers, session, count)
            worker_mb = memory.peak_mb(memory.worker(service).pid)
            call(service, "StopDISyncInstance", file_id)
    print(f"    {count:,} tables: {ended:.1f} s", flush=True)
    return Scale(count, first, ended, floor, change, worker_mb, seen)


def _names(count: int) -> Iterator[str]:
    return (f"table_{number:05}" for number in range(count))


def _make_source(servers: Databases, count: int) -> None:
    values = ", ".join(f"({n}, 'name {n}', {n}.25, '2026-01-01 00:00:00')" for n in range(1, ROWS + 1))
    root = servers.source.root(database=DATABASE, autocommit=True)
    with closing(root) as session, session.cursor() as cursor:
        # Before the log is of any interest; a crash of a server that is thrown away has none either.
        cursor.execute("SET SESSION sql_log_bin = 0")
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 0")
        for name in _names(count):
            cursor.execute(f"CREATE TABLE {name} ({_COLUMNS})")
            cursor.execute(f"INSERT INTO {name} VALUES {values}")
        cursor.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")


def _floor(servers: Databases, count: int) -> float:
    """Seconds for the same tables from memory, each table in a transaction of its own."""
    servers.empty_schema("floor")
    with servers.session() as session:
        began = time.perf_counter()
        for name in _names(count):
            with session.transaction():
                session.execute(f"CREATE TABLE floor.{name} ({_TARGET_COLUMNS})".encode())
                with session.cursor().copy(f"COPY floor.{name} FROM STDIN".encode()) as copy:
                    for n in range(1, ROWS + 1):
                        copy.write_row((n, f"name {n}", f"{n}.25", "2026-01-01 00:00:00"))
        took = time.perf_counter() - began
    servers.drop("floor", list(_names(count)))
    return took


def create(service: Service, servers: Databases) -> int:
    for name, kind, content in (
        ("mm", "mysql", servers.source_content()),
        ("holo", "holo", servers.target_content()),
    ):
        source = {"Name": name, "DataSourceType": kind, "EnvType": 1, "Content": json.dumps(content)}
        signed.call(service.address, service.key, "CreateDataSource", ProjectId=WORKSPACE, **source)
    wanted = {"ProjectId": WORKSPACE, "TaskType": "DI_SOLUTION", "TaskName": "scale", "TaskContent": PROCESS_CONTENT}
    made = signed.call(service.address, service.key, "CreateDISyncTask", **wanted)
    file_id = int(made["Data"]["FileId"])
    call(service, "DeployDISyncTask", file_id)
    return file_id


def call(service: Service, action: str, file_id: int) -> dict[str, object]:
    place = {"ProjectId": WORKSPACE, "TaskType": "DI_SOLUTION", "FileId": file_id}
    data: dict[str, object] = signed.call(service.address, service.key, action, **place)["Data"]
    if data["Status"] != "success":
        raise RuntimeError(f"{action}: {data['Message']}")
    return data


def _state(service: Service, file_id: int) -> str:
    detail = call(service, "GetDISyncTask", file_id)["SolutionDetail"]
    assert isinstance(detail, dict)
    return str(detail["Status"])


def follows(service: Service, file_id: int) -> None:
    """Returns when all its tables are loaded, and followed."""
    _until(lambda: _state(service, file_id) == "0", service, file_id)


def _until(done: Callable[[], bool], service: Service, file_id: int) -> None:
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while not done():
        state = _state(service, file_id)
        if state not in ("0", "2", "8") or time.perf_counter() > deadline:
            info = call(service, "GetDISyncInstanceInfo", file_id)
            raise RuntimeError(f"the solution is at {state}: {str(info)[:2000]}\n{service.log[-4000:]}")
        time.sleep(_LOOK_SECONDS)


def _any_row(session: replication.Session) -> bool:
    query = (
        "SELECT EXISTS (SELECT FROM pg_class WHERE relkind = 'r' AND relname LIKE 'table\\_%' "
        f"AND relnamespace = '{SCHEMA}'::regnamespace AND pg_relation_size(oid) > 0)"
    )
    row = session.execute(query.encode()).fetchone()
    return bool(row and row[0])


def _compare(session: replication.Session, count: int) -> None:
    for name in _names(count):
        query = f"SELECT count(*), sum(id), sum(amount) FROM {SCHEMA}.{name}"
        row = session.execute(query.encode()).fetchone()
        total = ROWS * (ROWS + 1) // 2
        if row is None or [float(value) for value in row] != [ROWS, total, total + ROWS * 0.25]:
            raise RuntimeError(f"{name} is not what the source holds: {row}")


def _change_ms(servers: Databases, session: replication.Session, count: int) -> float:
    """Of one row at a time, in tables that lie apart."""
    found = []
    root = servers.source.root(database=DATABASE, autocommit=True)
    with closing(root) as source, source.cursor() as cursor:
        for number in range(CHANGES):
            name = f"table_{number * count // CHANGES:05}"
            began = time.perf_counter()
            cursor.execute(f"INSERT INTO {name} VALUES ({1000 + number}, 'late', 1, NOW())")
            query = f"SELECT EXISTS (SELECT FROM {SCHEMA}.{name} WHERE id = {1000 + number})".encode()
            while not (session.execute(query).fetchone() or (False,))[0]:
                if time.perf_counter() - began > 60:
                    raise TimeoutError(f"a change of {name} did not arrive within a minute")
                time.sleep(0.002)
            found.append(1000 * (time.perf_counter() - began))
    return median(found)


@contextmanager
def _watching(servers: Databases, service: Service) -> Iterator[Seen]:
    """Connections at both ends but for this module's own, and the API process's memory."""
    seen, over = Seen(), threading.Event()
    api = psutil.Process(service.process.pid)

    def look() -> None:
        with (
            closing(servers.source.root(autocommit=True)) as source,
            psycopg.connect(servers.target, autocommit=True) as target,
        ):
            while not over.wait(_LOOK_SECONDS):
                with source.cursor() as cursor:
                    cursor.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'bench'")
                    seen.source = max(seen.source, int(cursor.fetchone()[0]))
                row = target.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                ).fetchone()
                seen.target = max(seen.target, int(row[0]) - 2 if row else 0)
                seen.api_mb = max(seen.api_mb, api.memory_info().rss / 1e6)

    watcher = threading.Thread(target=look, name="watch")
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
