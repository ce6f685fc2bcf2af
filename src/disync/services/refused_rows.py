"""Refused rows as users see them: list them, have them replayed, forget them.

A solution's rows are those of its real-time task, and are asked for by either's FileId.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from disync.model.errors import Refused
from disync.services import happening
from disync.services.access import Caller, Role
from disync.services.happening import Kind
from disync.services.pages import Page, Slice
from disync.services.runs import find
from disync.store import dirty, instances
from disync.store.database import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """How many rows are to be replayed, and when: a task that `runs` restarts for it, any other does it first when it
    is started."""

    rows: int
    runs: bool


class RefusedRows:
    def __init__(self, store: Store) -> None:
        self._store = store

    def of_task(self, caller: Caller, project_id: int, file_id: int) -> Sequence[Any]:
        """Rows with table_name, row, reason, position, at_ms and state: refused, asked or replayed."""
        with self._store.read() as db:
            return dirty.of_task(db, find(db, caller, project_id, file_id, Role.VISITOR).task)

    def page(self, caller: Caller, project_id: int, file_id: int, table: str | None, asked: Slice) -> Page[Any]:
        """A page of them, the newest first; of all tables or of one, whose schema may be left out."""
        with self._store.read() as db:
            task = find(db, caller, project_id, file_id, Role.VISITOR).task
            total, found = dirty.page(db, task, table, asked.offset, asked.size)
            return Page(asked, total, found)

    def replay(self, caller: Caller, project_id: int, file_id: int, table: str | None = None) -> Asked:
        """Ask for all that is refused, or what is of one table, to be written again at the beginning of the next run.

        A run that is under way ends in good order for it, and the next one begins at once: that is no failover.
        """
        with self._store.write() as db:
            task = find(db, caller, project_id, file_id, Role.DEVELOPER).task
            row = instances.get(db, task)
            if row is None:
                raise Refused("The task has not been started.")
            count = dirty.ask(db, task, table, row.replays + 1)
            if not count:
                raise Refused(f"There is no refused row{f' of table {table}' if table else ''} to replay.")
            instances.put(db, task, replays=row.replays + 1)
            happening.tell(db, task, Kind.REPLAY, "Refused rows are to be written again.", table or "", rows=count)
            runs = bool(row.desired == "RUN")
            if runs:
                instances.recall(db, task)
            return Asked(count, runs)

    def drop(self, caller: Caller, project_id: int, file_id: int, table: str | None = None) -> int:
        """Forget them, or what is of one table, so that they count no more; how many they were.

        Those whose replay was asked for stay while the task runs, as it may be writing them just now.
        """
        with self._store.write() as db:
            task = find(db, caller, project_id, file_id, Role.DEVELOPER).task
            row = instances.get(db, task)
            at_rest = row is None or (row.desired != "RUN" and row.worker is None)
            states = [dirty.REFUSED, dirty.REPLAYED, *([dirty.ASKED] if at_rest else [])]
            return dirty.drop(db, task, table, states)
