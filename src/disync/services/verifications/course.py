"""What is known of a verification while it goes on. One thread tells, another saves."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from disync.engine.verify import Progress
from disync.services.verifications import outcome
from disync.services.verifications.outcome import State, Table

_MOST_PERCENT = 99
"""Of a table that has not ended: how many rows it has is an estimate."""


class Course:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[str, Table] = {}
        self._fresh = False

    def tell(self, now: Progress) -> None:
        """Tables are told of by the names that they have in the source."""
        with self._lock:
            known = self._tables.get(now.table)
            self._tables[now.table] = Table(now.table) if known is None else _changed(known, now)
            self._fresh = True

    def take(self) -> dict[str, Any]:
        """What has changed since the last time, for the columns of its row."""
        with self._lock:
            fresh, tables = self._fresh, list(self._tables.values())
            self._fresh = False
        return outcome.summary(tables) if fresh else {}

    @property
    def tables(self) -> list[Table]:
        """As it stands where the verification has failed."""
        with self._lock:
            tables = list(self._tables.values())
        return outcome.given_up(tables, State.FAIL)


def _changed(known: Table, now: Progress) -> Table:
    if now.report is not None:
        return outcome.compared(now.report)
    percent = min(_MOST_PERCENT, 100 * now.rows // now.about) if now.about else 0
    rows = (now.rows, known.rows[1])
    return msgspec.structs.replace(known, state=State.RUN, rows=rows, percent=percent, differing=now.differing)
