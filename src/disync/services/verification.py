"""Source and target of a real-time task, compared; and what differs, written again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.connectors import find as find_connector
from disync.engine import pairs
from disync.engine.explain import Known
from disync.engine.findings import TableReport, Why
from disync.engine.plan import Pipeline, plan
from disync.engine.replay import of_source
from disync.engine.tide import WAIT_SECONDS, Tide, unfinished
from disync.engine.verify import MOST_FINDINGS, Ground, Progress, Wish, judge_again, verify
from disync.model.errors import BadConfig, Refused
from disync.model.job import parse
from disync.model.kept import Kept
from disync.model.run import Task
from disync.services import happening
from disync.services.clock import now_ms
from disync.services.data_sources import DataSources
from disync.services.happening import Kind
from disync.store import checkpoints, deployments, dirty, instances
from disync.store.database import Store

REPAIR_SECONDS = 120.0
"""How long a run may take to write what it was asked for."""

_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """`tables`: by the source's names, none: all. `repair`: write what differs again. `most`: differing rows of a table
    after which it is given up. `seconds`: how long the task may take to come to where its source is now."""

    tables: Sequence[str] = ()
    repair: bool = False
    most: int = MOST_FINDINGS
    seconds: float = WAIT_SECONDS


@dataclass(frozen=True, slots=True)
class Repair:
    """`asked`: rows to be written again. `done`: whether that was tried, as the task runs; it is the first thing that a
    task at rest does when it is started. `left`: what differs after it, of the tables that were repaired."""

    asked: int
    done: bool
    left: Sequence[TableReport] = ()

    def of(self, report: TableReport) -> TableReport | None:
        """What is left of a table's differences; None where there was nothing to repair, or it was not tried."""
        place = (report.source, report.target)
        return next((left for left in self.left if (left.source, left.target) == place), None)

    @property
    def mended(self) -> bool:
        """Whether it was tried, and these rows are shown to be equal now."""
        return self.done and all(report.equal and not report.unsettled for report in self.left)


@dataclass(frozen=True, slots=True)
class Verified:
    """`running`: whether the task ran, so that what was on its way could be waited for."""

    tables: Sequence[TableReport]
    running: bool
    repair: Repair | None = None

    @property
    def equal(self) -> bool:
        """Before a repair."""
        return all(report.equal for report in self.tables)


class Verification:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources

    def hindrance(self, db: Connection, file_id: int) -> str:
        """Why the task cannot be compared now, and what to do; "" where that is not known before it is tried."""
        deployed = deployments.get(db, file_id)
        if deployed is not None:
            job = parse(deployed.content)
            for kind in (job.source.type, job.target.type):
                connector = find_connector(kind)
                if connector is None or not connector.compares:
                    return f"{kind} is no database that computes checksums of its rows: this task cannot be verified."
        return _not_begun(deployed, instances.get(db, file_id))

    def verify(
        self,
        file_id: int,
        asked: Asked,
        tell: Callable[[Progress], None] = lambda _: None,
        confirm: Callable[[Connection], None] = lambda _: None,
    ) -> Verified:
        """Compare what a real-time task reads with what it writes. Refused where there is nothing to compare yet.
        Whether somebody may ask for it is not looked at here. `confirm` is called in the transaction that asks for the
        repair, and raises where that is no longer wanted."""
        with self._opened(file_id, asked, tell) as ground:
            reports = verify(ground, Wish(asked.tables, asked.most))
            repair = self._repair(ground, file_id, reports, confirm) if asked.repair else None
            return Verified(reports, ground.tide.running, repair)

    @contextmanager
    def _opened(self, file_id: int, asked: Asked, tell: Callable[[Progress], None]) -> Iterator[Ground]:
        with self._store.read() as db:
            task = self._task(db, file_id)
            running = instances.get(db, file_id).desired == "RUN"
            known = _known(db, file_id)
            unloaded = unfinished(checkpoints.of_task(db, file_id), checkpoints.load_of_task(db, file_id))
            behind = frozenset(checkpoints.failed(db, file_id))
        with closing(plan(task, behind)) as pipeline:
            self._must_be_loaded(pipeline, asked.tables, unloaded)
            tide = Tide(pipeline, running, lambda: self._saved(file_id), asked.seconds)
            yield Ground(pipeline, tide, known, tell)

    def _task(self, db: Connection, file_id: int) -> Task:
        deployed, row = deployments.get(db, file_id), instances.get(db, file_id)
        if hindrance := _not_begun(deployed, row):
            raise Refused(hindrance)
        job = parse(deployed.content)
        names = [name for step in job.steps for name, _ in step.data_sources]
        sources = self._data_sources.contents(db, deployed.workspace_id, names)
        owner = instances.owner(db, file_id)
        return Task(file_id, deployed.name, row.epoch, deployed.content, sources, owner=owner)

    def _must_be_loaded(self, pipeline: Pipeline, names: Sequence[str], unloaded: Sequence[str]) -> None:
        try:
            tables = [route.source for route in pairs.chosen(pipeline, names)]
        except BadConfig as error:
            raise Refused(str(error)) from error
        waiting = [table.name for table in tables if table.name in unloaded]
        if waiting:
            raise Refused(
                f"{', '.join(waiting[:8])}: the full load is not done yet, or has just been. Verify it again when it "
                "follows the log with the others, or name other tables."
            )

    def _saved(self, file_id: int) -> Any:
        with self._store.read() as db:
            return checkpoints.of_task(db, file_id)

    def _repair(
        self,
        ground: Ground,
        file_id: int,
        reports: Sequence[TableReport],
        confirm: Callable[[Connection], None],
    ) -> Repair:
        """Ask for what differs as for refused rows: the next run begins with asking the source for them."""
        wrong = [report for report in reports if _lines(report)]
        lines = [line for report in wrong for line in _lines(report)]
        if not lines:
            return Repair(0, True)
        with self._store.write() as db:
            confirm(db)
            row = instances.get(db, file_id)
            request = row.replays + 1
            dirty.repair(db, file_id, lines, request, now_ms())
            instances.put(db, file_id, replays=request)
            happening.tell(db, file_id, Kind.VERIFY, "Rows that differ are to be written again.", rows=len(lines))
            runs = row.desired == "RUN"
            if runs:
                instances.recall(db, file_id)
        if not runs or not self._written(file_id, request):
            return Repair(len(lines), False)
        with self._store.read() as db:
            now = replace(ground, known=_known(db, file_id))
        left = [judge_again(now, report) for report in wrong]
        return Repair(len(lines), True, left)

    def _written(self, file_id: int, request: int) -> bool:
        """Wait until a run has tried all of them; those that it could write are forgotten."""
        deadline = time.monotonic() + REPAIR_SECONDS
        while time.monotonic() < deadline:
            with self._store.read() as db:
                waiting = any(row.state == dirty.ASKED for row in dirty.of_request(db, file_id, request))
            if not waiting:
                with self._store.write() as db:
                    dirty.repaired(db, file_id, request)
                return True
            time.sleep(_LOOK_SECONDS)
        return False


def _not_begun(deployed: Any, row: Any) -> str:
    if deployed is None:
        return "The task is not deployed: there is nothing to compare."
    if row is None or row.started_ms is None:
        return "The task has not been started: there is nothing to compare yet."
    return ""


def _lines(report: TableReport) -> list[tuple[str, str, str]]:
    """What of a table can be mended: (its name, the key as JSON, why)."""
    if report.pair is None:
        return []
    table = of_source(report.pair.source)
    return [
        (table, msgspec.json.encode(dict(found.key)).decode(), f"verify: {found.what}")
        for found in report.findings
        if found.why is Why.UNKNOWN
    ]


def _known(db: Connection, file_id: int) -> list[Known]:
    return [
        Known(Kept(row.id, row.request, row.table_name, row.row, row.whole), row.reason)
        for row in dirty.of_task(db, file_id)
        if row.state != dirty.REPLAYED
    ]
