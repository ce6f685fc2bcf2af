"""A database of a real server, seen by its owner and by a task, and its log being followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import mysqld
from contract.source import rows_in
from disync.connectors.mysql import selection as selecting
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.connectors.mysql.config import step_of
from disync.model.connector import Site
from disync.model.data import Batch, Event, Position, SchemaChange
from disync.model.run import Split, Start


class Reader(MySQLChangeReader):
    """The connector's own, whose splits come in the format that a test asks for, as a plan would have it."""

    format: str | None = None

    def split(self, want: int) -> list[Split]:
        return [replace(split, format=self.format) for split in super().split(want)]

    def streams(self) -> list[Split]:
        return [replace(split, format=self.format) for split in super().streams()]


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database of a server, as its owner sees it and as a task does; rows are read in `format`."""

    server: mysqld.Server
    name: str
    format: str | None = None

    def run(self, *statements: str, **session: Any) -> list[Any]:
        """Statements in one session; the rows of the last."""
        return self.server.run(statements, self.name, **session)

    def reader(self, *tables: str, port: int | None = None, **parameters: Any) -> MySQLChangeReader:
        written = {"connection": [{"datasource": "here", "table": list(tables)}], **parameters}
        step, address = step_of(Site(written, {"here": self.server.content(self.name, port)}))
        selection = selecting.of_step(step, address.database)
        found = Reader(address, selection, step)
        found.format = self.format
        return found


class Log:
    """A stream being followed: everything after a position, until a marker that the test itself writes is seen."""

    def __init__(self, database: Database, reader: MySQLChangeReader, after: Position | None = None) -> None:
        self.database = database
        self.reader = reader
        self.stream: Split = reader.streams()[0]
        self.first = after or reader.seek(self.stream, Start("latest"))
        self._events = reader.changes(self.stream, self.first)

    def until(self, done: Any) -> list[Event]:
        """Events up to the first for which `done` holds; the test's own time limit ends a wait in vain."""
        taken: list[Event] = []
        for event in self._events:
            taken.append(event)
            if done(event, taken):
                return taken
        raise AssertionError("the stream ended")

    def rows(self, count: int) -> list[Event]:
        """Events until `count` rows have come."""
        return self.until(lambda event, taken: sum(e.count for e in taken if isinstance(e, Batch)) >= count)

    def schema_changes(self, count: int) -> list[Event]:
        return self.until(lambda event, taken: sum(isinstance(e, SchemaChange) for e in taken) >= count)


def changes_in(events: Sequence[Event]) -> list[tuple[str, tuple[Any, ...]]]:
    """(op, row) of every row."""
    return [
        (op, row)
        for event in events
        if isinstance(event, Batch)
        for op, row in zip((event.ops or b"").decode(), rows_in([event]), strict=True)
    ]
