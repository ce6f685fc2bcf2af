"""A MariaDB, a PostgreSQL and tasks from one to the other, run in this process: each side is seen by its owner."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

import mysqld
from disync.connectors.mysql import position
from disync.engine.carry import carry
from disync.engine.ledger import Notebook
from disync.engine.plan import Pipeline, plan
from disync.engine.task import Run
from disync.model.ddl import BUILT_IN, Policy
from disync.model.errors import DISyncError
from disync.model.run import Limits, Task

SECONDS = 30.0
"""How long a test waits for what must come."""

ALL = dict.fromkeys(BUILT_IN, Policy.NORMAL)
"""For `Pair.task`: the target follows whatever changes a table of the source."""

_NUMBER = itertools.count(1)


class Held:
    valid = True


class Running:
    """A task that is carried on from run to run in a thread of its own, under a `with`; its end is asserted to be a
    good one unless `fails` was asked."""

    def __init__(self, pair: Pair, task: Task, format_: str | None) -> None:
        self.ledger = pair.ledger
        self.runs: list[Run] = []
        self.error: BaseException | None = None
        self._pair = pair
        self._task = task
        self._format = format_
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._go, name="run")

    def _go(self) -> None:
        try:
            carry(self._task, self.ledger, Held(), self._begun, self._opened)
        except DISyncError as error:
            self.error = error

    def _opened(self, task: Task, without: frozenset[str]) -> Pipeline:
        pipeline = plan(task, without)
        return pipeline if self._format else replace(pipeline, format=None)

    def _begun(self, run: Run) -> None:
        self.runs.append(run)
        if self._left.is_set():
            run.stop()

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._left.set()
        for run in self.runs:
            run.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        if kind is None and self.error is not None:
            raise self.error

    def fails(self) -> DISyncError:
        """Wait for the error that ends the run."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive() and isinstance(self.error, DISyncError), "it goes on"
        found, self.error = self.error, None
        return found

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while not true():
            if self.error is not None:
                raise self.error
            assert time.monotonic() < deadline, "it did not come true in time"
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait until the load is done and all that the source's log holds then is durable in the target."""
        self.until(self._loaded)
        # Where a file has just begun nobody can be; behind a transaction somebody will.
        self._pair.source.run("REPLACE INTO settled.mark VALUES (1, UUID())")
        file, at = self._pair.source.run("SHOW MASTER STATUS")[0][:2]
        self.until(lambda: all(place >= (file, at) for place in self._saved()))

    def _loaded(self) -> bool:
        marks = self.ledger.checkpoints()
        return "binlog" in marks and all(s.id in marks and marks[s.id].done for s in self.ledger.load())

    def _saved(self) -> list[tuple[str, int]]:
        """Where each stream is: that of the source, and those of tables that have not joined it yet."""
        marks, streams = self.ledger.checkpoints(), {"binlog", *(s.stream for s in self.ledger.load() if s.stream)}
        places = [position.read(marks[stream].position) for stream in streams if stream in marks]
        return [(place.file, place.at) for place in places]


class Pair:
    """An empty database of the source, an empty schema of the target. `format`: the encoding that tasks use.

    `ledger` is what the task remembers; tests that begin a second task put another one there.
    """

    def __init__(self, source: mysqld.Server, name: str, url: str, format_: str | None) -> None:
        self.source, self.name, self.url, self.format = source, name, url, format_
        self.ledger = Notebook()
        self.epoch = 0
        self.plain = psycopg.connect(url, autocommit=True, options=f"-c search_path={name} -c timezone=UTC")

    def sql(self, *statements: str, **session: Any) -> list[Any]:
        """Statements in the source, in one session; the rows of the last."""
        return self.source.run(statements, self.name, **session)

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """A statement in the target, and its rows."""
        cursor = self.plain.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def content(self) -> dict[str, dict[str, str]]:
        at = conninfo_to_dict(self.url)
        target = {"username": str(at["user"]), "password": "", "tag": "public"}
        target["jdbcUrl"] = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        return {"here": self.source.content(self.name), "there": target}

    def code(self, *tables: str, reader: dict[str, Any] | None = None, **writer: Any) -> str:
        """A job; no tables: all of the database."""
        read = {"connection": [{"datasource": "here", "table": list(tables)}], **(reader or {})}
        write = {"datasource": "there", "datasourceSchema": self.name, **writer}
        steps = [
            {"name": "r", "stepType": "mysql", "parameter": read},
            {"name": "w", "stepType": "postgresql", "parameter": write},
        ]
        return json.dumps({"steps": steps, "order": {"hops": [{"from": "r", "to": "w"}]}})

    def task(self, code: str, dirty: int | None = None, ddl: dict[str, Policy] | None = None, **more: Any) -> Running:
        """The next run of the task, which goes on from what the ledger knows; begun by `with`."""
        self.epoch += 1
        policies = {**BUILT_IN, **(ddl or {})}
        return Running(self, self.latest(code, limits=Limits(dirty=dirty), ddl=policies, **more), self.format)

    def latest(self, code: str, **more: Any) -> Task:
        """The task as its newest run has it."""
        return Task(1, self.name, self.epoch, code, self.content(), owner=self.name, **more)

    def equal(self, table: str = "t", columns: str = "*", source_columns: str | None = None) -> bool:
        """Whether the table is there, and the rows are the same on both sides, as a whole and in number."""
        try:
            there = self.select(f'SELECT {columns} FROM "{table}"')
        except psycopg.errors.UndefinedTable:
            return False
        return rows(self.sql(f"SELECT {source_columns or columns} FROM `{table}`")) == rows(there)


def rows(found: Iterable[Sequence[Any]]) -> list[tuple[str, ...]]:
    """Rows as either driver gives them, in an order and in texts that both sides share."""
    return sorted(tuple(_text(value) for value in row) for row in found)


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    return value.hex() if isinstance(value, bytes) else str(value)


def made(source: mysqld.Server, target: str, format_: str | None) -> Iterator[Pair]:
    """A pair for as long as somebody uses it."""
    name = f"pair_{next(_NUMBER)}"
    source.run(f"CREATE DATABASE {name}")
    found = Pair(source, name, target, format_)
    found.select(f"CREATE SCHEMA {name}")
    yield found
    found.select(f"DROP SCHEMA {name} CASCADE")
    found.plain.close()
    source.run(f"DROP DATABASE {name}")
