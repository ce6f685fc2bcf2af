"""The positions of a task or a solution as users see them, and set them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from disync.connectors import find as find_connector
from disync.model.connector import Site
from disync.model.data import Position, Table
from disync.model.errors import Refused, TaskError
from disync.model.job import Step, parse
from disync.model.run import Checkpoint, Split
from disync.services import happening
from disync.services.access import Caller, Role
from disync.services.clock import now_ms
from disync.services.data_sources import DataSources
from disync.services.happening import Kind
from disync.services.instances import State, state
from disync.services.probing import Probes
from disync.services.runs import find
from disync.store import checkpoints, deployments, instances
from disync.store.database import Store

MOST = 1000
"""A full load of many tables has tens of thousands of parts, of which nobody reads a list."""

SECONDS = 20.0
LATE = "The source does not say in time whether it has this position; nothing was changed. Try it again."


@dataclass(frozen=True, slots=True)
class _Found:
    """What a position is to be set of: the task's source, and its split as the store has it, at rest."""

    task: int
    source: Step
    contents: Mapping[str, Mapping[str, Any]]
    split: Split
    mark: Checkpoint


class Positions:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources
        self._probes = Probes()

    def of_task(self, caller: Caller, project_id: int, file_id: int) -> list[Any]:
        """At most `MOST` rows with split, position, done, epoch, updated_ms and chosen; those not done first. As the
        store has them: a target that keeps its own position may be ahead until the next run has begun."""
        with self._store.read() as db:
            return checkpoints.rows(db, find(db, caller, project_id, file_id).task, MOST)

    def choose(self, caller: Caller, project_id: int, file_id: int, split: str, text: str) -> Position:
        """Set where the next run of a stopped task takes up a split; the position as it is kept. The source is asked
        whether it has it, which takes at most `SECONDS`. Refused where that cannot be, and where the task has been
        started meanwhile."""
        with self._store.write() as db:
            before = self._find(db, caller, project_id, file_id, split)
        position = self._locate(caller, before, text)
        with self._store.write() as db:
            now = self._find(db, caller, project_id, file_id, split)
            if now.mark != before.mark:
                raise Refused("The task has run meanwhile; nothing was changed. Look where it is now.")
            epoch = instances.get(db, now.task).epoch
            chosen = Checkpoint(split, position, now.mark.epoch, chosen=epoch)
            checkpoints.put(db, now.task, [chosen], now_ms())
            told = {"split": split, "before": now.mark.position, "position": position, "user": caller.user_id}
            happening.tell(db, now.task, Kind.CHECKPOINT, f"The position of {split} was set.", **told)
        return position

    def _find(self, db: Connection, caller: Caller, project_id: int, file_id: int, split: str) -> _Found:
        task = find(db, caller, project_id, file_id, Role.DEVELOPER).task
        row, deployed = instances.get(db, task), deployments.get(db, task)
        if state(row) not in (State.PAUSE, State.NORUN):
            raise Refused(f"The task is not stopped (its state is {state(row)}): stop it, and wait until it is PAUSE.")
        mark = checkpoints.of_task(db, task).get(split)
        if mark is None or deployed is None:
            raise Refused(f"The task has no position of {split[:200]!r}: ListDISyncCheckpoints tells which there are.")
        load = next((part for part in checkpoints.load_of_task(db, task) if part.id == split), None)
        if load is not None and mark.done:
            raise Refused(
                f"{split} is a part of the full load that is done. To load again, start the task at startTime earliest."
            )
        job = parse(deployed.content)
        names = [name for name, _ in job.source.data_sources]
        contents = self._data_sources.contents(db, deployed.workspace_id, names)
        return _Found(task, job.source, contents, load or Split(split, Table(split), endless=True), mark)

    def _locate(self, caller: Caller, found: _Found, text: str) -> Position:
        def ask() -> Position:
            connector = find_connector(found.source.type)
            if connector is None or connector.reader is None:
                raise Refused(f"{found.source.type} cannot be read from.")
            with closing(connector.reader(Site(found.source.parameter, found.contents))) as reader:
                return reader.locate(found.split, text)

        try:
            return self._probes.run(caller.user_id, ask, SECONDS, LATE)
        except TaskError as error:
            raise Refused(str(error)) from error
