"""Whether two servers hold the same rows: a checksum that each computes by itself, over texts that both can write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.databases import Databases

Checksum = tuple[int, int, int]
"""Rows, and two sums over parts of the rows' MD5: no order counts, a row that is twice there does."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column with its type in MariaDB and in PostgreSQL. A double must be a number of 1024ths."""

    name: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]

    def create_source(self) -> str:
        return self._create([f"{column.name} {column.source}" for column in self.columns])

    def create_target(self, key: bool = True) -> str:
        """In the schema that the session is in; the key is in place before the first row, or is left to `add_key`."""
        return self._create([f"{column.name} {column.target}" for column in self.columns], key)

    def add_key(self) -> str:
        return f"ALTER TABLE {self.name} ADD {self._key}"

    @property
    def _key(self) -> str:
        return f"PRIMARY KEY ({', '.join(self.keys)})"

    def _create(self, lines: Sequence[str], key: bool = True) -> str:
        return f"CREATE TABLE {self.name} ({', '.join([*lines, self._key] if key else lines)})"


def source_checksum(servers: Databases, table: Table, database: str) -> Checksum:
    texts = (f"COALESCE({_source_text(column)}, '\\\\N')" for column in table.columns)
    digest = f"MD5(CONCAT_WS('|', {', '.join(texts)}))"
    sums = ", ".join(f"SUM(CAST(CONV(SUBSTR(digest, {at}, 8), 16, 10) AS UNSIGNED))" for at in (1, 9))
    query = f"SELECT COUNT(*), {sums} FROM (SELECT {digest} AS digest FROM {database}.{table.name}) AS digests"
    return _checksum(servers.source.run(query)[0])


def target_checksum(servers: Databases, table: Table, schema: str) -> Checksum:
    texts = (f"coalesce({_target_text(column)}, '\\N')" for column in table.columns)
    digest = f"md5(concat_ws('|', {', '.join(texts)}))"
    sums = ", ".join(f"sum(('x' || substr(digest, {at}, 8))::bit(32)::bigint)" for at in (1, 9))
    query = f"SELECT count(*), {sums} FROM (SELECT {digest} AS digest FROM {schema}.{table.name}) AS digests"
    with servers.session() as session:
        row = session.execute(query.encode()).fetchone()
    assert row is not None, "an aggregate always has one row"
    return _checksum(row)


def same(servers: Databases, table: Table, schema: str, expected: Checksum) -> None:
    found = target_checksum(servers, table, schema)
    if found != expected:
        raise RuntimeError(f"{schema}.{table.name} is not what the source holds: {found}, not {expected}")


def _checksum(row: Sequence[object]) -> Checksum:
    rows, first, second = (int(str(value or 0).partition(".")[0]) for value in row)
    return rows, first, second


def _source_text(column: Column) -> str:
    match column.source.partition("(")[0].partition(" ")[0]:
        case "DATETIME":
            return f"DATE_FORMAT({column.name}, '%Y-%m-%d %H:%i:%s.%f')"
        case "DATE":
            return f"DATE_FORMAT({column.name}, '%Y-%m-%d')"
        case "DOUBLE":
            return f"CAST({column.name} * 1024 AS CHAR)"
        case _:
            return f"CAST({column.name} AS CHAR)"


def _target_text(column: Column) -> str:
    """Casts first to the type that is expected: a contestant may have made a wider one, or a boolean."""
    match column.target.partition("(")[0].partition(" ")[0]:
        case "timestamp":
            return f"to_char({column.name}, 'YYYY-MM-DD HH24:MI:SS.US')"
        case "date":
            return f"to_char({column.name}, 'YYYY-MM-DD')"
        case "double":
            return f"({column.name}::double precision * 1024)::text"
        case "smallint":
            return f"{column.name}::integer::text"
        case "numeric":
            return f"{column.name}::{column.target.partition(' NOT')[0]}::text"
        case _:
            return f"{column.name}::text"
