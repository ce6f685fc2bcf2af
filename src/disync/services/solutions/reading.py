"""What GetDISyncTask and GetDISyncInstanceInfo tell of a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.model.job import parse
from disync.services.access import Caller, Role
from disync.services.realtime import unknown
from disync.services.solutions import state, steps
from disync.services.solutions.solution import find
from disync.services.solutions.state import Facts, Status
from disync.services.solutions.steps import Figures, Progress, Step
from disync.store import checkpoints, files, instances, solutions
from disync.store.database import Store


@dataclass(frozen=True, slots=True)
class Detail:
    """`SolutionDetail`; times in ms, None where it did not come to pass."""

    id: int
    name: str
    status: Status
    type: str
    source_type: str
    creator: str
    project_id: int
    content: str
    extra: str
    started_ms: int | None
    submitted_ms: int | None


@dataclass(frozen=True, slots=True)
class Info:
    """`SolutionInfo`; `message` is the cause where it waits after a failure, or ended by one."""

    id: int
    creator: str
    status: str
    steps: list[Step]
    message: str | None


def detail(store: Store, caller: Caller, project_id: int, file_id: int) -> Detail:
    with store.read() as db:
        row = find(db, caller, project_id, file_id, Role.VISITOR)
        facts = facts_of(db, row)
    extra = {"processType": row.process_type, "tableNum": row.table_num}
    return Detail(
        row.id,
        row.name,
        state.status(facts),
        row.type,
        row.source_type,
        row.creator,
        row.workspace_id,
        row.content,
        msgspec.json.encode(extra).decode(),
        row.started_ms,
        row.submitted_ms,
    )


def info(store: Store, caller: Caller, project_id: int, file_id: int) -> Info:
    with store.read() as db:
        row = find(db, caller, project_id, file_id, Role.VISITOR)
        if row.deleted:
            raise unknown(file_id)
        facts = facts_of(db, row)
        found = steps.steps(facts, _figures(db, row, facts))
    return Info(row.id, row.creator, state.RUNS[state.status(facts)], found, facts.told)


def facts_of(db: Connection, row: Any) -> Facts:
    """`row`: the solution's."""
    task = row.realtime_id
    load, behind = solutions.load(db, task), checkpoints.failed(db, task)
    return state.facts(row, instances.get(db, task), load, solutions.begun(db, task), behind)


def _figures(db: Connection, row: Any, facts: Facts) -> Figures:
    task = row.realtime_id
    load, instance, realtime = solutions.load(db, task), instances.get(db, task), files.get(db, task)
    shown = solutions.tables(db, task, steps.SHOWN)
    behind = sorted(facts.behind.items())[: steps.SHOWN]
    names = solutions.node_names(db, row.file_id, [*(table for table, _ in behind), *(one.name for one in shown)])
    failed = [Progress(table, 1, 0, 0, names.get(table, ""), reason) for table, reason in behind]
    progress = [Progress(t.name, t.parts, int(t.ended), int(t.rows), names.get(t.name, "")) for t in shown]
    counters = {"rowsRead": "rows_read", "rowsWritten": "rows_written", "rowsDirty": "rows_dirty"}
    job = parse(realtime.content)
    return Figures(
        realtime.name,
        list(dict.fromkeys(name for step in job.steps for name, _ in step.data_sources)),
        load.tables + len(facts.behind),
        load.parts,
        int(load.ended),
        int(load.rows),
        [*failed, *progress][: steps.SHOWN],
        {shown_as: getattr(instance, column) for shown_as, column in counters.items()} if instance is not None else {},
    )
