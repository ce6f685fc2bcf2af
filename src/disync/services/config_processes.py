"""Texts of tasks made in the background: GenerateDISyncTaskConfigFor… and QueryDISyncTaskConfigProcessResult.

A process and its outcome are in the store. Whoever works at one has it for a while; should that end without an outcome,
because the server stopped, the next question about it has it taken up again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from disync.connectors import KNOWN
from disync.connectors import find as find_connector
from disync.model import oneclick
from disync.model.connector import Connector
from disync.model.errors import DISyncError, Refused
from disync.model.job import Job, Step
from disync.model.job import parse as parse_job
from disync.model.oneclick import Object, Origin, Short
from disync.model.table_mapping import origin
from disync.services import document
from disync.services import realtime as tasks
from disync.services.access import Caller, Role, enter
from disync.services.clock import now_ms
from disync.services.data_sources import DataSources
from disync.services.realtime import REALTIME
from disync.services.solutions import solution as own_solutions
from disync.services.solutions.solution import SOLUTION
from disync.services.solutions.solutions import read as read_solution
from disync.services.solutions.tables import Asking, named
from disync.services.tokens import Token, digest, once
from disync.store import config_processes as rows
from disync.store import files
from disync.store.database import Store

log = structlog.get_logger()

SECONDS = 60.0
"""Given to the source, to tell its tables."""
LEASE_MS = 90_000
KEPT_MS = 7 * 24 * 3_600_000

RUN, SUCCESS, FAIL = "run", "success", "fail"
_CODE = "Invalid.TaskParam"


@dataclass(frozen=True, slots=True)
class Result:
    """`state`: run, success or fail; `content` is the text that was made, `message` why none could be."""

    state: str
    content: str | None = None
    message: str | None = None


class ConfigProcesses:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources
        self._asking = Asking()

    def for_creating(self, caller: Caller, project_id: int, task_type: str, param: str, token: str) -> int:
        """The id of the process that makes the text of a new task."""
        with self._store.read() as db:
            enter(db, caller, project_id, Role.DEVELOPER)
        _require_type(task_type)
        oneclick.read(document.read("TaskParam", param, _CODE))
        return self._begin(caller, project_id, "GenerateDISyncTaskConfigForCreating", (task_type, param, token), None)

    def for_updating(
        self, caller: Caller, project_id: int, task_id: int, task_type: str, param: str, token: str
    ) -> int:
        """The id of the process that makes the text of a task with other tables."""
        _require_type(task_type)
        with self._store.write() as db:
            _task(db, caller, project_id, task_id, task_type)
        oneclick.tables_of(document.read("TaskParam", param, _CODE))
        return self._begin(
            caller, project_id, "GenerateDISyncTaskConfigForUpdating", (task_type, param, token), task_id
        )

    def result(self, caller: Caller, project_id: int, process_id: int, task_type: str) -> Result:
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            row = rows.get(db, process_id)
        if row is None or row.workspace_id != workspace.id or row.task_type != task_type:
            raise Refused(f"AsyncProcessId:[{process_id}] is invalid.", "Invalid.AsyncProcessId")
        if row.state == RUN and row.until_ms < now_ms():
            self._launch(process_id)
        return Result(row.state, row.content, row.message)

    def _begin(
        self, caller: Caller, project_id: int, action: str, asked: tuple[str, str, str], task_id: int | None
    ) -> int:
        task_type, param, token = asked
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.DEVELOPER)
            values = {"task_type": task_type, "param": param, "task_id": task_id, "created_ms": now_ms()}

            def make() -> int:
                return rows.add(db, workspace_id=workspace.id, user_id=caller.user_id, **values)

            used = Token(workspace.id, action, token, digest(task_type, param, str(task_id)))
            rows.forget(db, now_ms() - KEPT_MS)
            answer = once(db, used, make, lambda made: rows.get(db, made) is not None)
        if not answer.again:
            self._launch(int(answer.result))
        return int(answer.result)

    def _launch(self, process_id: int) -> None:
        threading.Thread(target=self._work, args=(process_id,), name=f"config-{process_id}", daemon=True).start()

    def _work(self, process_id: int) -> None:
        """To its outcome, unless somebody else is at it."""
        try:
            with self._store.write() as db:
                if not rows.claim(db, process_id, now_ms(), now_ms() + LEASE_MS):
                    return
                row = rows.get(db, process_id)
            try:
                values = {"state": SUCCESS, "content": self._made(row)}
            except DISyncError as error:
                values = {"state": FAIL, "message": str(error)}
            except Exception:
                log.exception("a text could not be made, in a way nobody foresaw", process=process_id)
                values = {"state": FAIL, "message": "An internal error occurred; the log has the details."}
            with self._store.write() as db:
                rows.finish(db, process_id, **values)
        except Exception:
            log.exception("the outcome of a process cannot be kept; it is taken up again", process=process_id)

    def _made(self, row: Any) -> str:
        param = document.read("TaskParam", row.param, _CODE)
        made = self._new(row, oneclick.read(param)) if row.task_id is None else self._changed(row, param)
        return msgspec.json.encode(made).decode()

    def _new(self, row: Any, short: Short) -> Object:
        target = _connector(short.writer, short.kind)
        origins = self._origins(row, short.reader)
        make = oneclick.process if row.task_type == SOLUTION else oneclick.job
        return make(short, origins, _declare(target))

    def _changed(self, row: Any, param: Mapping[str, Any]) -> Object:
        with self._store.read() as db:
            file = files.get(db, row.task_id)
        if file is None:
            raise tasks.unknown(row.task_id)
        content = file.content
        root: Object = msgspec.json.decode(content)
        job: Job
        if row.task_type == SOLUTION and "realtimeSyncConfig" in root:
            job, inner = read_solution(content).job, root["realtimeSyncConfig"]["content"]
        else:
            job, inner = parse_job(content), root
        steps = {step["name"]: step for step in inner["steps"]}
        reading = steps[job.source.name]["parameter"]
        written = oneclick.connections(reading)
        if len(written) != 1:
            raise Refused("The reader of this task has several connections; change its text by hand.", _CODE)
        reading["connection"] = [oneclick.changed_tables(written[0], oneclick.tables_of(param))]
        origins = self._origins(row, Step(job.source.name, job.source.type, reading, job.source.place))
        writing = steps[job.target.name]["parameter"]
        schema = str(writing.get("datasourceSchema") or writing.get("schema") or "")
        more = oneclick.rules(origins, schema, _declare(_connector(job.target, job.target.type)))
        for holder, member in ((writing, "tableMappingRule"), (root, "tableMappingRuleFromRealtimeSyncConfig")):
            if isinstance(holder.get(member), dict):
                holder[member] = oneclick.changed_rules(holder[member], origins, more)
        return root

    def _origins(self, row: Any, reader: Step) -> list[Origin]:
        """The tables that a reader step selects; Refused where one that it names is not there."""
        connector = find_connector(reader.type)
        if connector is None or connector.reader is None:
            raise Refused(f'{reader.place}.stepType: there is no connector named "{reader.type}" to read with.', _CODE)
        with self._store.read() as db:
            names = [name for name, _ in reader.data_sources]
            contents = self._data_sources.contents(db, row.workspace_id, names)
        for name, place in reader.data_sources:
            if name not in contents:
                raise Refused(f'{place}: there is no data source named "{name}".', _CODE)
        caller = Caller(row.user_id, row.user_id)
        tables = self._asking.selected(caller, reader, contents, SECONDS)
        origins = [Origin(*origin(table), table) for table in tables]
        there = {(database, each.name) for each in origins for database in (each.database, "")}
        missing = sorted(".".join(filter(None, place)) for place in set(named(reader)) - there)
        if missing or not origins:
            what = ", ".join(missing[:8]) or "any table"
            raise Refused(f"{reader.place}: the source does not have {what}, or its user may not read it.", _CODE)
        return origins


def _connector(step: Step, kind: str) -> Connector:
    connector = find_connector(step.type)
    if connector is None or connector.writer is None:
        raise Refused(
            f'{kind}: there is no connector yet that writes to "{step.type}"; {", ".join(_writers())} are written to.',
            _CODE,
        )
    return connector


def _writers() -> list[str]:
    """The connectors that a solution could write with: `memory` is for tests."""
    return [name for name in sorted(KNOWN) if name != "memory" and (found := find_connector(name)) and found.writer]


def _declare(connector: Connector) -> oneclick.Declare:
    if connector.declared is None:
        raise Refused(f'The columns of a "{connector.name}" table cannot be told yet.', _CODE)
    return connector.declared


def _require_type(task_type: str) -> None:
    if task_type not in (REALTIME, SOLUTION):
        raise Refused(f"{task_type} tasks are not served yet; DI_REALTIME and DI_SOLUTION are.", "Invalid.TaskType")


def _task(db: Connection, caller: Caller, project_id: int, task_id: int, task_type: str) -> Any:
    if task_type == SOLUTION:
        return own_solutions.find(db, caller, project_id, task_id, Role.DEVELOPER)
    return tasks.find_own(db, caller, project_id, task_id)
