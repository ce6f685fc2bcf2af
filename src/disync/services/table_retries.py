"""Tables of a task that are loaded once more, alone: those that were left behind, and any other.

Such a table leaves the task and comes back: it is emptied, loaded and joins the log, while the others go on where they
are (engine/joining.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from disync.model.errors import Refused
from disync.model.job import parse
from disync.services import happening
from disync.services.access import Caller, Role
from disync.services.happening import Kind
from disync.services.runs import find
from disync.store import checkpoints, deployments, dirty, instances, solutions
from disync.store.database import Store

MOST = 1000
"""Tables that one request names."""


@dataclass(frozen=True, slots=True)
class Retried:
    """How many tables, and when: a task that `runs` restarts for it, any other does it when it is started."""

    tables: int
    runs: bool


class TableRetries:
    def __init__(self, store: Store) -> None:
        self._store = store

    def retry(self, caller: Caller, project_id: int, file_id: int, tables: Collection[str]) -> Retried:
        """By the source's names. What was refused of them is forgotten, as they are loaded anew.

        A run that is under way ends in good order for it, and the next one goes on where it was, which is no failover.
        """
        wanted = {*tables}
        if not 0 < len(wanted) <= MOST:
            raise Refused(f"Tables: name one table of the task, or up to {MOST}.", "Invalid.Tables")
        with self._store.write() as db:
            task = find(db, caller, project_id, file_id, Role.DEVELOPER).task
            row = instances.get(db, task)
            if row is None or row.started_ms is None:
                raise Refused("The task has not been started: none of its tables is there yet.")
            targets, failed = _targets(db, task), checkpoints.failed(db, task)
            _require_known(db, task, wanted, failed)
            checkpoints.leave(db, task, wanted - failed.keys())
            checkpoints.retry(db, task, wanted)
            _forget_refused(db, task, wanted, targets)
            happening.tell_tables(db, task, Kind.RETRY, "It is to be loaded again.", wanted)
            runs = bool(row.desired == "RUN")
            if runs:
                instances.recall(db, task)
            return Retried(len(wanted), runs)


def _targets(db: Connection, task: int) -> Mapping[str, str]:
    """Where each table of the source goes, those that were left behind included."""
    return solutions.gone(db, task) | {row.name: row.target for row in solutions.tables(db, task)}


def _require_known(db: Connection, task: int, wanted: Collection[str], failed: Collection[str]) -> None:
    loaded = solutions.loaded_tables(db, task)
    unknown = sorted({*wanted} - loaded - {*failed})
    if unknown:
        raise Refused(f"Tables: the task has loaded no table {unknown[0]}, or has it no more.", "Invalid.Tables")
    deployed = deployments.get(db, task)
    appends = deployed is not None and parse(deployed.content).target.parameter.get("writeMode") == "insert"
    if appends and not {*wanted} <= {*failed}:
        raise Refused(
            "With writeMode insert the target keeps every change as a row: a table is not emptied and loaded again.",
            "Invalid.Tables",
        )


def _forget_refused(db: Connection, task: int, wanted: Collection[str], targets: Mapping[str, str]) -> None:
    """But for a target that other tables have, too, of whose rows nobody knows where they came from."""
    others = {target for table, target in targets.items() if table not in wanted}
    for table in wanted:
        dirty.drop_unread(db, task, table)
        target = targets.get(table, "")
        if target and target not in others:
            dirty.drop(db, task, target, [dirty.REFUSED, dirty.REPLAYED])
