"""The thread that lives the source's life, as fast as the target can follow, until it is told that it is enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pymysql
from eye import connected
from journal import Journal
from workload import Workload

import mysqld

FEWEST = 20
"""Transactions that every seed has."""

ALTERS = 4
BETWEEN_ALTERS = 12
PACE_SECONDS = 0.004
LOOK_EVERY = 8
"""Transactions between two looks at how far the target is."""

MANY = 120
"""From here on the pace is slower: what was to be seen has been."""


class Writer(threading.Thread):
    """`hold_on` is called between transactions, and may take its time. `altering` is held while the schema changes."""

    def __init__(self, server: mysqld.Server, database: str, hold_on: Callable[[], None], journal: Journal) -> None:
        super().__init__(name="writer", daemon=True)
        self._server, self._database = server, database
        self._hold_on = hold_on
        self._journal = journal
        self._session: pymysql.Connection[Any] | None = None
        self.workload: Workload | None = None
        self.enough = threading.Event()
        self.may_alter = threading.Event()
        self.altering = threading.Lock()
        self.failure: BaseException | None = None
        self.count = 0

    def statement(self, text: str) -> None:
        self._journal.note("source", text)
        if self._session is None:
            self._session = connected(self._server, database=self._database)
        with self._session.cursor() as cursor:
            cursor.execute(text)

    def run(self) -> None:
        try:
            alters = 0
            while not (self.enough.is_set() and self.count >= FEWEST):
                self._live_on(self._workload.transaction)
                self.count += 1
                if self.may_alter.is_set() and alters < ALTERS and self.count % BETWEEN_ALTERS == 0:
                    alters += 1
                    with self.altering:
                        self._workload.alter()
                if self.count % LOOK_EVERY == 0:
                    self._hold_on()
                time.sleep(PACE_SECONDS if self.count < MANY else 5 * PACE_SECONDS)
        except BaseException as failure:
            self.failure = failure
        finally:
            self.close()

    @property
    def _workload(self) -> Workload:
        assert self.workload is not None
        return self.workload

    def _live_on(self, act: Callable[[], None]) -> None:
        """A transaction that the server's end cuts short has happened or not: both are as well."""
        try:
            act()
        except (pymysql.err.OperationalError, pymysql.err.InterfaceError):
            self.close()
            while self._session is None:
                try:
                    self._session = connected(self._server, database=self._database)
                except pymysql.err.OperationalError:
                    self._hold_on()
                    time.sleep(0.01)

    def close(self) -> None:
        if self._session is not None and self._session.open:
            self._session.close()
        self._session = None
