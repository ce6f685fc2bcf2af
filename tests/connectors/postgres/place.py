"""One database, seen from outside and through our writers; and short words for what is written into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from disync.connectors import find
from disync.model.connector import Sink, Site, Writer
from disync.model.data import Batch, Column, Dirty, Position, Table, record_batch
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind

PEOPLE = Table(
    "people", (Column("id", Kind.BIGINT, nullable=False), Column("name", Kind.STRING, comment="what's it")), ("id",)
)


class Place:
    """One database: `writer` makes ours, everything else is psycopg's plain eye."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.plain = psycopg.connect(url, autocommit=True, options="-c client_min_messages=error")
        self.writers: list[Writer] = []

    @property
    def content(self) -> dict[str, str]:
        at = conninfo_to_dict(self.url)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        return {"jdbcUrl": url, "username": str(at["user"]), "password": "", "tag": "public"}

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self.plain.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def rows(self, table: str = "people", order: str = "1") -> list[tuple[Any, ...]]:
        return self.run(f'SELECT * FROM "{table}" ORDER BY {order}')

    def writer(
        self, kind: str = "postgresql", owner: str = "task", epoch: int = 0, seat: str = "", **parameters: Any
    ) -> Writer:
        connector = find(kind)
        assert connector is not None and connector.writer is not None
        site = Site({"datasource": "here", **parameters}, {"here": self.content}, owner, epoch=epoch, seat=seat)
        writer = connector.writer(site)
        self.writers.append(writer)
        return writer

    def sink(self, *tables: Table, split: str = "log", kind: str = "postgresql", **parameters: Any) -> Sink:
        writer = self.writer(kind, **parameters)
        writer.prepare(tables)
        return writer.open(Split(split, tables[0]))


def changes(*pairs: tuple[str, Sequence[Any]], table: Table = PEOPLE, position: str = "1") -> Batch:
    """A batch of (op, row) pairs."""
    ops = "".join(op for op, _ in pairs).encode()
    return Batch(table, record_batch(table, [row for _, row in pairs]), ops, Position(position))


def load(rows: Sequence[Sequence[Any]], table: Table = PEOPLE, position: str = "1") -> Batch:
    return Batch(table, record_batch(table, rows), None, Position(position))


def flush(sink: Sink, position: str = "1", epoch: int = 1, split: str = "log", done: bool = False) -> list[Dirty]:
    return sink.flush(Checkpoint(split, Position(position), epoch, done))
