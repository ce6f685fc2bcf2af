"""Single statements for the path that every request takes, without SQLAlchemy's cost of a statement (about 60 µs).

Statements are written with `?`; each driver keeps them prepared. A connection belongs to one thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psycopg

_BOUNDS = b"""
SET idle_in_transaction_session_timeout = '10s'; SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3; SET tcp_user_timeout = 8000
"""
"""Whoever was cut off inside a transaction would keep its locks for as long as the server by itself waits for a client:
15 minutes for one that does not take its answer, two hours for one that is asked nothing. The next worker would wait
for them. Ours last milliseconds; and after 10 s a worker's lease is gone, too."""


class Quick(Protocol):
    def one(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row, or None."""
        ...

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run and commit; the number of rows changed."""
        ...

    def close(self) -> None: ...


class SqliteQuick:
    """`synchronous=NORMAL`: a killed process loses nothing, a power failure may lose what was written last."""

    def __init__(self, path: Path, busy_ms: int) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64)
        pragmas = {"busy_timeout": busy_ms, "foreign_keys": 1, "synchronous": "NORMAL", "wal_autocheckpoint": 4000}
        for name, value in pragmas.items():
            self._connection.execute(f"PRAGMA {name}={value}")

    def one(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        rows = self._connection.execute(statement, values).fetchall()
        return rows[0] if rows else None

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._connection.execute(statement, values).rowcount

    def close(self) -> None:
        self._connection.close()


class PostgresQuick:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = self._connect()

    def one(self, statement: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        return self._run(statement, values).fetchone()

    def change(self, statement: str, values: Sequence[Any] = ()) -> int:
        return self._run(statement, values).rowcount

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=1)
        bound(connection)
        return connection

    def _run(self, statement: str, values: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        try:
            return self._connection.execute(_dollars(statement), values)
        except psycopg.OperationalError:
            # The server went away since the last request: once more on a fresh connection. Every statement here
            # may be repeated safely, except that a nonce may then count as seen, which refuses and never admits.
            if not self._connection.closed:
                raise
            self._connection = self._connect()
            return self._connection.execute(_dollars(statement), values)


@cache
def _dollars(statement: str) -> bytes:
    """psycopg's placeholders for ours; as bytes, which also is the type that psycopg takes for trusted SQL."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


def bound(connection: psycopg.Connection[Any]) -> None:
    """Have the server end this session, which is in no transaction, soon after its client is gone from the network.

    Set by statement: a pooler in between may refuse a session that brings settings with it as it begins.
    """
    connection.execute(_BOUNDS)
