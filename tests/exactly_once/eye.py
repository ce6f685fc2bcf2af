"""The two servers as they are, past all proxies; connected again when a server was killed meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pymysql

import mysqld
import servers

Rows = list[tuple[Any, ...]]


def connected(server: mysqld.Server, **options: Any) -> pymysql.Connection[Any]:
    """A session as root; OperationalError while the server is away, before the driver opens a socket and forgets it."""
    if not server.listens():
        raise pymysql.err.OperationalError(2002, "the server is away")
    return server.root(**options)


class SourceEye:
    def __init__(self, server: mysqld.Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._session: pymysql.Connection[Any] | None = None

    def run(self, statement: str, again: Callable[[], None] = lambda: None) -> Rows:
        """`again` is asked before every new try, and may give up by raising."""
        while True:
            try:
                with self._lock:
                    return self._execute(statement)
            except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
                self.close()
                again()
                time.sleep(0.01)

    def _execute(self, statement: str) -> Rows:
        if self._session is None:
            self._session = connected(self._server)
        with self._session.cursor() as cursor:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]

    def close(self) -> None:
        if self._session is not None and self._session.open:
            self._session.close()
        self._session = None


class TargetEye:
    def __init__(self, server: servers.PostgreSQL) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._session: psycopg.Connection[Any] | None = None

    def run(self, statement: str, again: Callable[[], None] = lambda: None) -> Rows:
        while True:
            try:
                with self._lock:
                    return self._execute(statement)
            except psycopg.OperationalError:
                self.close()
                again()
                time.sleep(0.01)

    def _execute(self, statement: str) -> Rows:
        if self._session is None:
            options = "-c client_min_messages=error"
            self._session = psycopg.connect(self._server.url, autocommit=True, options=options)
        cursor = self._session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None
