"""The same checksum of a table in both databases, computed there, by each with its own functions.

Of every row the fields as text, each behind its length, so that no two rows are written alike; of that text the MD5, of
which 60 bits are added up over all rows, so that their order does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pymysql

from disync.connectors.postgres.sql import quote


@dataclass(frozen=True, slots=True)
class Sum:
    rows: int
    digest: str


def in_mariadb(connection: pymysql.Connection[Any], table: str, columns: Sequence[str]) -> Sum:
    fields = [f"COALESCE(CONCAT(CHAR_LENGTH(`{name}`), ':', `{name}`), '-')" for name in columns]
    text = f"CONVERT(CONCAT({', '.join(fields)}) USING utf8mb4)"
    number = f"CAST(CONV(LEFT(MD5({text}), 15), 16, 10) AS UNSIGNED)"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*), CAST(COALESCE(SUM({number}), 0) AS CHAR) FROM `{table}`")
        ((rows, total),) = cursor.fetchall()
    return Sum(rows, _digest(total))


def in_postgres(connection: psycopg.Connection[Any], schema: str, table: str, columns: Sequence[str]) -> Sum:
    fields = [f"coalesce(length({quote(name)}::text) || ':' || {quote(name)}::text, '-')" for name in columns]
    number = f"('x' || left(md5(concat({', '.join(fields)})), 15))::bit(60)::bigint"
    query = f"SELECT count(*), coalesce(sum({number}), 0)::text FROM {quote(schema)}.{quote(table)}"
    row = connection.execute(query.encode()).fetchone()
    assert row is not None, "an aggregate has one row"
    return Sum(row[0], _digest(row[1]))


def _digest(total: str) -> str:
    return f"{int(total):020x}"[-20:]
