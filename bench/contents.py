"""Whether two servers hold the same rows: a checksum that each computes by itself, over texts that both can write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


_AT_ONCE = 200
"""Tables of one statement: a statement for each would take longer than to read them."""


def source_checksum(servers: Databases, table: Table, database: str) -> Checksum:
    return source_checksums(servers, [table], database)[0]


def target_checksum(servers: Databases, table: Table, schema: str) -> Checksum:
    return target_checksums(servers, [table], schema)[0]


def source_checksums(servers: Databases, tables: Sequence[Table], database: str) -> list[Checksum]:
    """In the order of the tables."""
    queries = _together([_source_query(table, database) for table in tables])
    return [_checksum(row) for query in queries for row in servers.source.run(query)]


def target_checksums(servers: Databases, tables: Sequence[Table], schema: str) -> list[Checksum]:
    queries = _together([_target_query(table, schema) for table in tables])
    with servers.session() as session:
        return [_checksum(row) for query in queries for row in session.execute(query.encode()).fetchall()]


def same(servers: Databases, table: Table, schema: str, expected: Checksum) -> None:
    all_same(servers, [table], schema, [expected])


def all_same(servers: Databases, tables: Sequence[Table], schema: str, expected: Sequence[Checksum]) -> None:
    for table, found, known in zip(tables, target_checksums(servers, tables, schema), expected, strict=True):
        if found != known:
            raise RuntimeError(f"{schema}.{table.name} is not what the source holds: {found}, not {known}")


def _source_query(table: Table, database: str) -> str:
    texts = (f"COALESCE({_source_text(column)}, '\\\\N')" for column in table.columns)
    digest = f"MD5(CONCAT_WS('|', {', '.join(texts)}))"
    sums = [f"SUM(CAST(CONV(SUBSTR(digest, {at}, 8), 16, 10) AS UNSIGNED))" for at in (1, 9)]
    return _sums(sums, f"SELECT {digest} AS digest FROM {database}.{table.name}")


def _target_query(table: Table, schema: str) -> str:
    texts = (f"coalesce({_target_text(column)}, '\\N')" for column in table.columns)
    digest = f"md5(concat_ws('|', {', '.join(texts)}))"
    sums = [f"sum(('x' || substr(digest, {at}, 8))::bit(32)::bigint)" for at in (1, 9)]
    return _sums(sums, f"SELECT {digest} AS digest FROM {schema}.{table.name}")


def _sums(sums: Sequence[str], digests: str) -> str:
    return f"count(*) AS counted, {', '.join(sums)} FROM ({digests}) AS digests"


def _together(selected: Sequence[str]) -> Iterator[str]:
    for begin in range(0, len(selected), _AT_ONCE):
        some = enumerate(selected[begin : begin + _AT_ONCE])
        yield " UNION ALL ".join(f"SELECT {place} AS place, {one}" for place, one in some) + " ORDER BY place"


def _checksum(row: Sequence[object]) -> Checksum:
    _, rows, first, second = (int(str(value or 0).partition(".")[0]) for value in row)
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
