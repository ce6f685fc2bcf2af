"""What workers ask of a store on PostgreSQL: transactions, CPU time and log a second, and how long a renewal takes.

Workers are real, with all their tasks' saves; the tasks move rows in memory (bench/hand.py), so that nothing but the
store is measured. From the points `bench/model.py` computes what many would cost. They are kept in bench/points.json
when all of them were measured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

import psutil
import psycopg

from bench.hand import job
from bench.table import Row
from disync.home import open_home
from disync.services import Caller, Services
from disync.services.tasks import Wanted
from disync.settings import Settings
from servers import Lines, PostgreSQL, child_environment, postgres_server

POINTS = Path(__file__).with_name("points.json")
SECONDS = 20
EACH = 25
"""Tasks of a worker. All processes share the machine with the store, so there are few."""
MANY = 250
"""Tasks of one worker in two of the points: whether each of many costs what each of few does."""
KNOWN = 10_000
"""Tasks that the store knows in one of the points, most of them stopped."""
_CLAIM_SECONDS = 240
_SETTLE_SECONDS = 3
_LOCAL = Caller("root", "root", root=True)
_STORE = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "256MB"}


@dataclass(frozen=True, slots=True)
class Asked:
    """`rate`: rows a second of each task, each of which becomes a checkpoint. `known`: rows of `instance`."""

    workers: int
    tasks: int
    rate: float = 0.0
    known: int = 0


@dataclass(frozen=True, slots=True)
class Point:
    """A second: transactions and checkpoints of the store, its CPU seconds, and the bytes of its log. Of a renewal the
    median and what 99 of 100 take; of the workers the CPU seconds and the connections of all."""

    workers: int
    tasks: int
    known: int
    checkpoints: float
    transactions: float
    cpu: float
    log_bytes: float
    renewal_ms: float
    late_ms: float
    worker_cpu: float
    connections: int


ALL = (
    Asked(1, 0),
    Asked(1, EACH),
    Asked(2, 2 * EACH),
    Asked(4, 4 * EACH),
    Asked(1, EACH, 1.0),
    Asked(2, 2 * EACH, 1.0),
    Asked(4, 4 * EACH, 1.0),
    Asked(1, EACH, 0.0, KNOWN),
    Asked(4, 4 * EACH, 0.0, KNOWN),
    Asked(1, MANY),
    Asked(1, MANY, 0.2),
)


def measure_all(each: int | None = None) -> list[Row]:
    """`each`: tasks a worker, instead of EACH; the points are then not kept."""
    points = []
    for asked in ALL:
        scaled = asked if each is None else Asked(asked.workers, asked.tasks * each // EACH, asked.rate, asked.known)
        points.append(measure(scaled))
        print("   ", points[-1], flush=True)
    if each is None:
        kept = {"machine": f"{os.cpu_count()} cores", "date": time.strftime("%Y-%m-%d"), "points": points}
        POINTS.write_text(json.dumps(kept, default=asdict, indent=1) + "\n")
    return [_row(point) for point in points]


def _row(point: Point) -> Row:
    known = f", {point.known:,} known to the store" if point.known > point.tasks else ""
    what = f"{point.workers} workers, {point.tasks} tasks{known}, {point.checkpoints:.0f} checkpoints a second"
    told = f"{point.transactions:.0f} transactions a second, {point.cpu * 100:.1f} % of a core in the store"
    return Row(f"store: {what}", f"{told}, a renewal {point.renewal_ms:.1f} ms, 99 of 100 {point.late_ms:.1f} ms")


def measure(asked: Asked) -> Point:
    with postgres_server(**_STORE) as server, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        store, services = open_home(Settings(home, server.url))
        try:
            services.bootstrap("bench", "bench")
            _make_tasks(services, server.url, asked)
        finally:
            store.close()
        with _hands(home, server.url, asked) as hands:
            _await(server.url, asked.tasks)
            time.sleep(_SETTLE_SECONDS)
            for hand, _ in hands:
                hand.send_signal(signal.SIGUSR1)
            before = _Reading.take(server)
            time.sleep(SECONDS)
            after = _Reading.take(server)
            told = [_told(*hand) for hand in hands]
    return _point(asked, before, after, told)


@dataclass(frozen=True, slots=True)
class _Reading:
    at: float
    cpu: float
    transactions: int
    log: int
    checkpoints: int
    connections: int

    @classmethod
    def take(cls, server: PostgreSQL) -> _Reading:
        query = (
            "SELECT (SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database), "
            "pg_current_wal_insert_lsn() - '0/0'::pg_lsn, "
            "(SELECT n_tup_upd + n_tup_ins FROM pg_stat_user_tables WHERE relname = 'checkpoint'), "
            "(SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
        with psycopg.connect(server.url, autocommit=True) as session:
            row = session.execute(query.encode()).fetchone()
        assert row is not None and server.process is not None
        root = psutil.Process(server.process.pid)
        ended = root.cpu_times()
        spent = ended.user + ended.system + ended.children_user + ended.children_system
        for process in root.children():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
        return cls(time.perf_counter(), spent, *(int(one) for one in row))


def _point(asked: Asked, before: _Reading, after: _Reading, told: list[dict[str, object]]) -> Point:
    seconds = after.at - before.at
    renewals = [float(one) for each in told for one in each["renewals_ms"]]  # type: ignore[attr-defined]
    return Point(
        asked.workers,
        asked.tasks,
        max(asked.known, asked.tasks),
        round((after.checkpoints - before.checkpoints) / seconds, 2),
        round((after.transactions - before.transactions) / seconds, 1),
        round((after.cpu - before.cpu) / seconds, 4),
        round((after.log - before.log) / seconds),
        round(median(renewals), 2),
        round(quantiles(renewals, n=100)[98], 2),
        round(sum(float(str(each["cpu"])) / float(str(each["seconds"])) for each in told), 4),
        max(before.connections, after.connections),
    )


def _make_tasks(services: Services, url: str, asked: Asked) -> None:
    for number in range(asked.tasks):
        made = services.tasks.create(_LOCAL, 10000, Wanted("DI_REALTIME", job(number), f"task_{number}"))
        services.tasks.deploy(_LOCAL, 10000, made.file_id)
        services.instances.start(_LOCAL, 10000, made.file_id, None)
    if asked.known > asked.tasks:
        copy_tasks(url, asked.known - asked.tasks, "STOP")


def copy_tasks(url: str, count: int, desired: str) -> None:
    """So many more tasks that were started, each like the first one, and of which this is wanted now."""
    with psycopg.connect(url, autocommit=True) as session:
        for table, key, more in (
            ("file", "id", "'name', 'known_' || n"),
            ("deployment", "file_id", "'name', 'known_' || n"),
            ("instance", "file_id", f"'desired', '{desired}', 'worker', NULL, 'running', false"),
        ):
            changed = f"jsonb_build_object('{key}', 2000000 + n, {more})"
            session.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(one) || {changed})).* "
                f"FROM (SELECT * FROM {table} ORDER BY {key} LIMIT 1) one, generate_series(1, {count}) n".encode()
            )
        session.execute("ANALYZE")


_Hand = tuple[subprocess.Popen[str], Lines]


@contextmanager
def _hands(home: Path, url: str, asked: Asked) -> Iterator[list[_Hand]]:
    """Each is at work."""
    command = [sys.executable, "-m", "bench.hand", str(home), str(asked.tasks), str(asked.rate)]
    environment = child_environment(DISYNC_STORE_URL=url)
    with ExitStack() as stack:
        hands: list[_Hand] = []
        for _ in range(asked.workers):
            hand = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
            )
            stack.callback(_end, hand)
            hands.append((hand, Lines(hand)))
        for _, lines in hands:
            lines.after(["ready"], _CLAIM_SECONDS)
        yield hands


def _await(url: str, tasks: int) -> None:
    deadline = time.monotonic() + _CLAIM_SECONDS
    with psycopg.connect(url, autocommit=True) as session:
        while True:
            row = session.execute("SELECT count(*) FROM instance WHERE running").fetchone()
            if row is not None and row[0] == tasks:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{row and row[0]} of {tasks} tasks run after {_CLAIM_SECONDS} s")
            time.sleep(0.5)


def _told(hand: subprocess.Popen[str], lines: Lines) -> dict[str, object]:
    hand.terminate()
    while not (line := lines.next(_CLAIM_SECONDS)).startswith("{"):
        pass
    told: dict[str, object] = json.loads(line)
    return told


def _end(hand: subprocess.Popen[str]) -> None:
    if hand.poll() is None:
        hand.kill()
    hand.wait()
    if hand.stdout is not None:
        hand.stdout.close()
