"""The tables of a task: how far each one is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from disync.connectors import find as connector_of
from disync.model.data import Table
from disync.model.job import Job, Step, parse
from disync.services.solutions.steps import Progress, Stage
from disync.services.solutions.tables import Targets, named
from disync.store import checkpoints, deployments, files, solutions


class Standing(StrEnum):
    """`FOLLOW`: its changes are followed, and its load, if it has one, is done. `DONE`: it was read to its end, and the
    task follows nothing. `FAIL`: left behind. `GONE`: no longer in the task."""

    WAIT = "WAIT"
    LOAD = "LOAD"
    FOLLOW = "FOLLOW"
    DONE = "DONE"
    FAIL = "FAIL"
    GONE = "GONE"


@dataclass(frozen=True, slots=True)
class Standings:
    """`rows` written by its load, None where it is not counted by table. `splits` that its load was cut into, and how
    many are `done`."""

    source: str
    target: str
    standing: Standing
    message: str = ""
    rows: int | None = 0
    splits: int = 0
    done: int = 0

    @property
    def percent(self) -> int:
        if self.splits:
            return 100 * self.done // self.splits
        return 100 if self.standing in (Standing.FOLLOW, Standing.DONE) else 0


def of_task(db: Connection, task: int) -> list[Standings]:
    """Sorted by the source's names. A task that has never begun tells of the tables that its text names one by one: all
    others are known when it runs."""
    found = {one.source: one for one in (*_gone(db, task), *_loaded(db, task))}
    return sorted(found.values() if found else _not_loaded(db, task), key=lambda one: one.source)


def _loaded(db: Connection, task: int) -> Iterator[Standings]:
    follows = solutions.follows(db, task)
    whole = Standing.FOLLOW if follows else Standing.DONE
    stages = {Stage.WAIT: Standing.WAIT, Stage.LOAD: Standing.LOAD, Stage.LOADED: whole, Stage.FAIL: Standing.FAIL}
    for row in solutions.tables(db, task):
        progress = Progress(row.name, row.parts, int(row.ended), int(row.rows))
        standing = stages[progress.stage]
        yield Standings(row.name, row.target, standing, "", progress.rows, progress.parts, progress.ended)


def _gone(db: Connection, task: int) -> Iterator[Standings]:
    failed, gone = checkpoints.failed(db, task), solutions.gone(db, task)
    for name, target in gone.items():
        if name not in failed:
            yield Standings(name, target, Standing.GONE)
    for name, reason in failed.items():
        yield Standings(name, gone.get(name, ""), Standing.FAIL, reason)


def _not_loaded(db: Connection, task: int) -> Iterator[Standings]:
    """Tables of a task that only follows, or that has not begun."""
    deployed = deployments.get(db, task)
    job = parse(deployed.content if deployed is not None else files.get(db, task).content)
    standing = Standing.FOLLOW if solutions.follows(db, task) else Standing.WAIT
    targets = Targets(job)
    for database, name in _named(job):
        table = Table(name, path=(database, name) if database else ())
        source = f"{database}.{name}" if database else name
        yield Standings(source, _only(job.target) or targets.name(table), standing, rows=None)


def _named(job: Job) -> list[tuple[str, str]]:
    connector = connector_of(job.source.type)
    if connector is None or connector.named:
        return list(named(job.source))
    only = _only(job.source)
    return [("", only)] if only else []


def _only(step: Step) -> str:
    """The topic or table that a step has for all its rows; "" where it has none, or more."""
    one = step.parameter.get("topic") or step.parameter.get("table")
    return one if isinstance(one, str) else ""
