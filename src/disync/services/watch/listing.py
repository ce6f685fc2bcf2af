"""The real-time tasks and solutions of a workspace, and how each one is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from disync.model.job import Job, parse
from disync.services import resource_groups
from disync.services.instances import State, state
from disync.services.solutions import reading
from disync.services.solutions.state import Status, status
from disync.store import files, instances, solutions


@dataclass(frozen=True, slots=True)
class Filter:
    """None: all."""

    file_id: int | None = None
    keyword: str | None = None
    task_type: str | None = None
    state: str | None = None

    def holds(self, row: Any) -> bool:
        if self.file_id not in (None, row.id):
            return False
        named = (self.keyword or "").casefold() in row.name.casefold()
        typed = self.task_type in (None, "", row.task_type)
        return named and typed and self.state in (None, "", state(row))


@dataclass(frozen=True, slots=True)
class Seen:
    """One task or solution. `row` is that of `store.instances.listing`. `status`: a solution's digit. `message`: why it
    waits or has stopped, and which tables it has left behind."""

    row: Any
    state: State
    message: str | None
    job: Job
    status: Status | None = None
    failovers: int = 0
    group: str = resource_groups.DEFAULT
    latest: Any = field(default=None)
    """Its newest sample; None where it does not run, or has none yet."""


def rows(db: Connection, workspace_id: int, wanted: Filter) -> list[Any]:
    return [row for row in instances.listing(db, workspace_id) if wanted.holds(row)]


def seen(db: Connection, found: Sequence[Any], latest: Mapping[int, Any]) -> Iterator[Seen]:
    """What there is to say about these rows; `latest`: samples by the task that runs."""
    failovers = instances.failovers(db, [row.run_id for row in found])
    for row in found:
        job = parse(files.get(db, row.run_id).content)
        now, message, digit = state(row), row.message, None
        if row.run_id != row.id:
            facts = reading.facts_of(db, solutions.get(db, row.id))
            message, digit = facts.told, status(facts)
        group = row.resource_group or row.own_group or job.resource_group or resource_groups.DEFAULT
        sample = latest.get(row.run_id) if now is State.RUN else None
        yield Seen(row, now, message, job, digit, failovers.get(row.run_id, 0), group, sample)
