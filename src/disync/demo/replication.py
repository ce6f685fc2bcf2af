"""The demo's second half: MariaDB → PostgreSQL (as Hologres) while rows change and a worker is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import click
import psycopg
import urllib3

from disync.demo import checksum, mariadb, nycflights, postgres
from disync.demo.changes import MARKER, Changes
from disync.demo.mariadb import MariaDB
from disync.demo.place import Place, free_port, say
from disync.demo.postgres import Postgres
from disync.model.errors import Refused

DATABASE = SCHEMA = "nycflights13"
SOURCE, TARGET = "demo_mysql", "demo_holo"
BURST = 40_000
"""So many rows change at once when all is loaded, then the worker is killed, and then as many change again."""
PATIENCE = 180.0


class Api(Protocol):
    """What is asked of the official SDK."""

    def register(self, name: str, kind: str, content: dict[str, str]) -> None: ...
    def start(self, name: str, content: str) -> int: ...
    def state(self, file_id: int) -> tuple[str, str]: ...


@dataclass(slots=True)
class Databases:
    source: MariaDB
    target: Postgres


@dataclass(slots=True)
class Figures:
    """What was measured; `mismatches` names what differs at the end."""

    loaded: int = 0
    load_seconds: float = 0.0
    changed: int = 0
    change_seconds: float = 0.0
    failovers: int = 0
    mismatches: list[str] = field(default_factory=list)


def missing() -> list[str]:
    """The packages of Debian that have to be installed first."""
    wanted = {"mariadb-server": mariadb.program("mariadbd"), "postgresql": postgres.program("initdb")}
    return [package for package, found in wanted.items() if found is None]


def databases(place: Place) -> Databases:
    """Start both servers, and fill the source."""
    began = time.monotonic()
    source = mariadb.start(place.home, free_port(), DATABASE)
    target = postgres.start(place.home, free_port())
    say(f"a MariaDB runs on port {source.port}, a PostgreSQL on port {target.port}: {time.monotonic() - began:.1f} s")
    return Databases(source, target)


def fill(source: MariaDB, limit: int | None = None) -> int:
    """Load all tables, or the first `limit` rows of each; the rows loaded."""
    began, total = time.monotonic(), 0
    connection = source.connect(local_infile=True)
    try:
        for table in nycflights.TABLES:
            total += nycflights.load(connection, table, limit)
    finally:
        connection.close()
    names = ", ".join(table.name for table in nycflights.TABLES)
    say(f"MariaDB holds {names}: {total:,} rows, loaded in {time.monotonic() - began:.1f} s")
    return total


def task() -> dict[str, Any]:
    """The task as its users write it: all five tables, loaded first and followed from then on."""
    tables = [table.name for table in nycflights.TABLES]
    reader = {"connection": [{"datasource": SOURCE, "datasourceType": "mysql", "table": tables}]}
    writer = {"datasource": TARGET, "writeMode": "replay", "datasourceSchema": SCHEMA}
    return {
        "steps": [
            {"stepType": "mysql", "name": "reader", "category": "reader", "parameter": reader},
            {"stepType": "holo", "name": "writer", "category": "writer", "parameter": writer},
        ],
        "order": {"hops": [{"from": "reader", "to": "writer"}]},
        "setting": {"errorLimit": {"record": "0"}, "speed": {"concurrent": 2}},
    }


def run(place: Place, api: Api, both: Databases, total: int) -> tuple[int, Figures]:
    """Run the task while rows change, kill its worker, wait until all is quiet, compare. (FileId, figures)."""
    api.register(SOURCE, "mysql", both.source.content)
    api.register(TARGET, "holo", both.target.content)
    changes = Changes(both.source, seed=13, top=total)
    file_id = api.start("demo_mysql_to_holo", json.dumps(task()))
    say(f"task {file_id} is created, deployed and started; a writer changes rows from now on")
    figures = Figures(loaded=total)
    with both.target.connect() as target:
        watch = Watch(place, api, file_id, both.source, target)
        changes.start()
        try:
            figures.load_seconds = watch.load(total)
            say(f"{total:,} rows loaded in {figures.load_seconds:.1f} s: {total / figures.load_seconds:,.0f} rows/s")
            began = time.monotonic()
            changes.pause = 0.0
            watch.changing(changes, changes.rows + BURST, "rows change")
            watch.kill()
            watch.changing(changes, changes.rows + BURST, "rows change, another worker goes on")
        finally:
            figures.changed = changes.stop()
        watch.quiet("Z2")
        figures.change_seconds = time.monotonic() - began
        figures.failovers = watch.failovers()
    rate = figures.changed / figures.change_seconds
    say(
        f"{figures.changed:,} changed rows since the load began, followed in {figures.change_seconds:.1f} s, the kill "
        f"included: {rate:,.0f} rows/s"
    )
    figures.mismatches = compare(both)
    return file_id, figures


class Watch:
    """Looks at the task from outside, as anybody may: the API, the metrics, the log, and both databases."""

    def __init__(self, place: Place, api: Api, file_id: int, source: MariaDB, target: psycopg.Connection[Any]) -> None:
        self._place = place
        self._api = api
        self._file_id = file_id
        self._source = source
        self._target = target
        self._began = time.monotonic()

    def load(self, total: int) -> float:
        """Wait until the load is over and the log is followed. Seconds since the task was started.

        A mark that is inserted after its table was loaded can only come by the log, which is read after all is loaded.
        """
        with click.progressbar(length=total, label="    rows in PostgreSQL") as bar:
            for _ in self._until(lambda: self._rows("SELECT 1 FROM {}.airlines LIMIT 1") > 0, "the first rows"):
                pass
            self._mark("Z1")
            for _ in self._until(lambda: self._arrived("Z1"), "the load"):
                bar.update(max(0, min(self._count(), total) - bar.pos))
            bar.update(total - bar.pos)
        return time.monotonic() - self._began

    def changing(self, changes: Changes, rows: int, what: str) -> None:
        """Let rows go on changing until `rows` have in all, and show how many have."""
        shown = sys.stdout.isatty()
        for _ in self._until(lambda: changes.rows >= rows or changes.failed, what):
            if shown:
                click.echo(f"\r    {what}: {changes.rows:,} so far ", nl=False)
        click.echo(f"{chr(13) if shown else ''}    {what}: {changes.rows:,} so far")

    def kill(self) -> None:
        """kill -9 the worker that runs the task, and wait until another one does."""
        log = (self._place.home / "server.log").read_text(errors="replace")
        begun = re.findall(rf"run begins.* task={self._file_id} .*worker=\S*-(\d+)", log)
        before = self.failovers()
        os.kill(int(begun[-1]), signal.SIGKILL)
        killed = time.monotonic()
        for _ in self._until(lambda: self.failovers() > before and self._api.state(self._file_id)[0] == "RUN", "RUN"):
            pass
        say(f"worker {begun[-1]} got SIGKILL; another runs the task {time.monotonic() - killed:.1f} s later")

    def quiet(self, mark: str) -> None:
        """Wait until the last change has arrived: one more, inserted after all others, shows that."""
        self._mark(mark)
        for _ in self._until(lambda: self._arrived(mark), "the last change"):
            pass

    def failovers(self) -> int:
        text = urllib3.request("GET", f"{self._place.endpoint}/metrics", timeout=10, retries=False).data.decode()
        found = re.search(rf'^disync_task_failovers_total\{{file_id="{self._file_id}".*\}} (\S+)', text, re.MULTILINE)
        return int(float(found[1])) if found else 0

    def _until(self, over: Callable[[], bool], what: str) -> Iterator[None]:
        """Again and again, until it is over; Refused when it never is, or when the task has stopped."""
        deadline = time.monotonic() + PATIENCE
        while not over():
            status, message = self._api.state(self._file_id)
            if status == "PAUSE":
                raise Refused(f"The task stopped during {what}: {message}")
            if time.monotonic() > deadline:
                raise Refused(f"Waited {PATIENCE:.0f} s for {what}; see {self._place.home / 'server.log'}. {message}")
            yield
            time.sleep(0.1)

    def _mark(self, mark: str) -> None:
        connection = self._source.connect()
        with connection.cursor() as cursor:
            cursor.execute(MARKER, (mark,))
        connection.close()

    def _arrived(self, mark: str) -> bool:
        return bool(self._rows(f"SELECT 1 FROM {{}}.airlines WHERE carrier = '{mark}'"))

    def _count(self) -> int:
        return sum(self._rows(f"SELECT count(*) FROM {{}}.{table.name}", 0) for table in nycflights.TABLES)

    def _rows(self, query: str, otherwise: int = 0) -> int:
        """The first number of a query; another while there is no such table yet, or no row."""
        try:
            row = self._target.execute(query.format(SCHEMA).encode()).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return otherwise
        return int(row[0]) if row else otherwise


def compare(both: Databases) -> list[str]:
    """Print rows and checksum of every table in both databases; the names of those that differ."""
    different = []
    click.echo(f"    {'table':10} {'in MariaDB':>10} {'in PostgreSQL':>13}  checksum")
    with opened(both) as (source, target):
        for table in nycflights.TABLES:
            here = checksum.in_mariadb(source, table.name, table.names)
            there = checksum.in_postgres(target, SCHEMA, table.name, table.names)
            shown = f"{here.digest} equal" if here == there else f"{here.digest} and {there.digest}: DIFFERENT"
            click.echo(f"    {table.name:10} {here.rows:>10,} {there.rows:>13,}  {shown}")
            if here != there:
                different.append(table.name)
    return different


@contextmanager
def opened(both: Databases) -> Iterator[tuple[Any, psycopg.Connection[Any]]]:
    source = both.source.connect()
    try:
        with both.target.connect() as target:
            yield source, target
    finally:
        source.close()
