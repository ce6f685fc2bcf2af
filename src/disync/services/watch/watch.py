"""What users see of the tasks of a workspace while they run."""

from __future__ import annotations

from typing import Any

from disync.services import runs
from disync.services.access import Caller, enter
from disync.services.clock import now_ms
from disync.services.pages import Page, Slice
from disync.services.watch import listing, metrics, tables
from disync.services.watch.listing import Filter, Seen
from disync.services.watch.metrics import Period, Point
from disync.services.watch.tables import Standings
from disync.store import events, samples
from disync.store.database import Store

STALE_MS = 35_000
"""A sample that is older says nothing about now."""


class Watch:
    def __init__(self, store: Store) -> None:
        self._store = store

    def instances(self, caller: Caller, project_id: int, wanted: Filter, asked: Slice) -> Page[Seen]:
        """Real-time tasks and solutions, newest first; those that a solution owns, too."""
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            found = listing.rows(db, workspace.id, wanted)
            page = found[asked.offset : asked.offset + asked.size]
            latest = samples.latest(db, [row.run_id for row in page], now_ms() - STALE_MS)
            return Page(asked, len(found), list(listing.seen(db, page, latest)))

    def metrics(self, caller: Caller, project_id: int, file_id: int, period: Period) -> list[Point]:
        """How a task or a solution was in this time, oldest first."""
        with self._store.read() as db:
            return metrics.of_task(db, runs.find(db, caller, project_id, file_id).task, period, now_ms())

    def events(self, caller: Caller, project_id: int, file_id: int, kind: str | None, asked: Slice) -> Page[Any]:
        """What has happened to a task or a solution, newest first."""
        with self._store.read() as db:
            task = runs.find(db, caller, project_id, file_id).task
            return Page(asked, *events.page(db, task, kind, asked.offset, asked.size))

    def tables(
        self, caller: Caller, project_id: int, file_id: int, keyword: str | None, standing: str | None, asked: Slice
    ) -> Page[Standings]:
        """The tables of a task or a solution, by name."""
        with self._store.read() as db:
            task = runs.find(db, caller, project_id, file_id).task
            found = tables.of_task(db, task)
        part = (keyword or "").casefold()
        chosen = [one for one in found if part in f"{one.source}\n{one.target}".casefold()]
        chosen = [one for one in chosen if standing in (None, "", one.standing)]
        return Page(asked, len(chosen), chosen[asked.offset : asked.offset + asked.size])
