"""What a task would do, told before it is made: which tables become which, and how those of the target are made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from sqlalchemy import Connection

from disync.engine.foresee import Foreseen, foresee
from disync.engine.plan import plan
from disync.model import solution
from disync.model.errors import BadConfig, Refused, TaskError
from disync.model.job import parse
from disync.model.run import Task
from disync.services import document, review
from disync.services.access import Caller, Role, enter
from disync.services.data_sources import DataSources
from disync.services.pages import Page, Slice
from disync.services.probing import Probes
from disync.services.realtime import REALTIME
from disync.services.solutions.solution import SOLUTION
from disync.store.database import Store

SECONDS = 20.0
LATE = "The data sources do not answer in time."


class Preview:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources
        self._probes = Probes()

    def of(self, caller: Caller, project_id: int, text: tuple[str, str], part: str, asked: Slice) -> Page[Foreseen]:
        """`text`: the type of the task and its content. Raises Refused for all that would keep it from being deployed,
        but for what only its source can tell, and where the data sources do not answer."""
        with self._store.read() as db:
            workspace = enter(db, caller, project_id, Role.DEVELOPER)
            runs, at = _read(*text)
            try:
                task = self._task(db, workspace.id, runs)
            except Refused as error:
                raise Refused(at(str(error)), error.code) from error

        def work() -> tuple[int, list[Foreseen]]:
            with closing(plan(task)) as pipeline:
                return foresee(pipeline, asked.offset, asked.size, part)

        try:
            total, found = self._probes.run(caller.user_id, work, SECONDS, LATE)
        except BadConfig as error:
            raise Refused(at(str(error)), "Invalid.TaskContent") from error
        except TaskError as error:
            raise Refused(str(error)) from error
        return Page(asked, total, found)

    def _task(self, db: Connection, workspace_id: int, runs: str) -> Task:
        """With the data sources that it names; refused where it could not be deployed."""
        job = parse(runs)
        names = [name for step in job.steps for name, _ in step.data_sources]
        review.require_runnable(job, self._data_sources.known(db, workspace_id, names))
        return Task(0, "", 0, runs, self._data_sources.contents(db, workspace_id, names))


def _read(kind: str, content: str) -> tuple[str, Callable[[str], str]]:
    """What of the text runs, and how a message about that names places in the whole."""
    document.require_shallow("$", content, "Invalid.TaskContent")
    if kind == SOLUTION:
        found = solution.parse(content)
        return found.runs, found.at
    if kind != REALTIME:
        raise Refused(f"{kind} tasks are not served yet; DI_REALTIME and DI_SOLUTION are.", "Invalid.TaskType")
    return content, lambda message: message
