"""The use cases of a solution: made, changed, deployed, started, stopped, taken offline, deleted, as a whole."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from disync.model.errors import Refused
from disync.model.solution import Solution, parse
from disync.services import document, instances
from disync.services.access import Caller, Role, enter
from disync.services.clock import now_ms
from disync.services.data_sources import DataSources
from disync.services.instances import StartParam, State
from disync.services.solutions import reading
from disync.services.solutions.checking import Checked, Checks
from disync.services.solutions.reading import Detail, Info
from disync.services.solutions.solution import add, find, named, place_of
from disync.services.tasks import Created, Wanted, is_there, read_param, remove, repeated
from disync.services.tokens import Token, digest, once
from disync.store import checkpoints, deployments, files, folders, solutions
from disync.store import instances as instance_rows
from disync.store.database import Store

NEW, MODIFY = "new", "modify"
"""`ProcessExtra.processType`: as it was first deployed, or changed since."""


class Solutions:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._checks = Checks(store, data_sources)

    def detail(self, caller: Caller, project_id: int, file_id: int) -> Detail:
        """Of one that was deleted, too."""
        return reading.detail(self._store, caller, project_id, file_id)

    def info(self, caller: Caller, project_id: int, file_id: int) -> Info:
        return reading.info(self._store, caller, project_id, file_id)

    def create(self, caller: Caller, project_id: int, wanted: Wanted) -> Created:
        with self._store.read() as db:
            workspace = enter(db, caller, project_id, Role.DEVELOPER)
        solution, param = read(wanted.content), read_param(wanted.param)
        looked = self._checks.look(caller, workspace.id, solution, param.resource_group)
        asked = digest(wanted.type, wanted.content, wanted.name, wanted.param)
        name = wanted.name or ""
        try:
            with self._store.write() as db:
                workspace = enter(db, caller, project_id, Role.DEVELOPER)
                name = named(db, workspace.id, wanted.name, solution)

                def make() -> int:
                    place = place_of(db, workspace.id, param.folder, solution.own_flow, name)
                    values = {"name": name, "solution": solution, "task_param": wanted.param}
                    values |= {"group": param.resource_group, "cu": param.cu, "table_num": looked.table_num}
                    return add(db, self._store, caller, place, values)

                token = Token(workspace.id, "CreateDISyncTask", wanted.client_token, asked)
                answer = once(db, token, make, lambda made: is_there(db, made))
                return Created(answer.result, [*looked.warnings, *repeated(answer)])
        except IntegrityError as error:
            raise Refused(f"TaskName: there is a file named {name} already.", "Invalid.TaskName") from error

    def update(
        self, caller: Caller, project_id: int, file_id: int, content: str | None, param: str | None
    ) -> list[str]:
        """Replace the text, the resource group, or both. Of one that is started, the new text is deployed at once, and
        its run goes on with it: tables that come are loaded and join it, others leave it. Returns warnings."""
        wanted = read_param(param)
        if wanted.folder is not None:
            raise Refused("TaskParam.FileFolderPath: a task is not moved by UpdateDISyncTask.", "Invalid.TaskParam")
        with self._store.read() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
            runs, version = _wanted(db, row), row.version
        solution = read(content or row.content)
        group = wanted.resource_group or row.resource_group
        if runs:
            checked = self._checks.check(caller, row, solution, group)
        else:
            checked = self._checks.look(caller, row.workspace_id, solution, group)
        with self._store.write() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
            _require_same(row, version)
            self._require_same_places(db, row, solution)
            places = {"task_param": param or row.task_param, "resource_group": group, "cu": wanted.cu or row.cu}
            self._put(db, caller, row, solution, places)
            solutions.change(db, file_id, table_num=checked.table_num)
            if not (runs and _wanted(db, row)):
                return checked.warnings
            submit(db, caller, find(db, caller, project_id, file_id, Role.DEVELOPER), solution, checked)
            return [*checked.warnings, *checked.found]

    def deploy(self, caller: Caller, project_id: int, file_id: int) -> list[str]:
        """Check it as a task is checked, and make its text the one that runs from the next start on; at once where it
        is started. Returns warnings."""
        with self._store.read() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
        checked = self._checks.check(caller, row, parse(row.content), row.resource_group)
        with self._store.write() as db:
            now = find(db, caller, project_id, file_id, Role.DEVELOPER)
            _require_same(now, row.version)
            submit(db, caller, now, parse(now.content), checked)
        return [*checked.warnings, *checked.found]

    def start(self, caller: Caller, project_id: int, file_id: int, start_param: str | None) -> list[str]:
        """Ask for it to run: to begin, to go on where it was, or once more from where it failed. Tables that were left
        behind are taken up again, also by one that runs. Returns warnings."""
        with self._store.write() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
            if _wanted(db, row) and checkpoints.retry(db, row.realtime_id):
                instance_rows.recall(db, row.realtime_id)
            else:
                instances.begin(db, row.realtime_id, StartParam(), "solution")
                solutions.change(db, file_id, started_ms=now_ms())
        if not start_param:
            return []
        return ["StartParam: it only has an effect for DI_REALTIME. A solution's settings are in its ProcessContent."]

    def stop(self, caller: Caller, project_id: int, file_id: int) -> None:
        with self._store.write() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
            instances.halt(db, row.realtime_id, "solution")

    def terminate(self, caller: Caller, project_id: int, file_id: int) -> None:
        """Take it offline. Its positions are forgotten: deployed and started again, it loads everything anew."""
        with self._store.write() as db:
            row = find(db, caller, project_id, file_id, Role.DEVELOPER)
            instances.withdraw(db, row.realtime_id, "solution")
            solutions.change(db, file_id, process_type=NEW)

    def delete(self, caller: Caller, project_id: int, file_id: int) -> None:
        with self._store.write() as db:
            remove_solution(db, find(db, caller, project_id, file_id, Role.DEVELOPER))

    def _require_same_places(self, db: Connection, row: Any, solution: Solution) -> None:
        """A position is one of its source: it says nothing about another, nor about another target."""
        deployed = deployments.get(db, row.realtime_id)
        if deployed is None or not solutions.begun(db, row.realtime_id):
            return
        before = read(row.content)
        if solution.data_sources != before.data_sources:
            raise Refused(
                f"TaskContent: the solution has begun with the data sources {', '.join(before.data_sources)}, and only "
                "its tables may change. Terminate it first; it then begins anew with others.",
                "Invalid.TaskContent",
            )

    def _put(self, db: Connection, caller: Caller, row: Any, solution: Solution, places: dict[str, Any]) -> None:
        now = now_ms()
        editor = {"last_editor_id": caller.user_id, "edited_ms": now}
        changes: dict[str, Any] = {**editor, **places}
        if solution.content != row.content:
            changes |= {"content": solution.content, "version": row.version + 1, "commit_status": 0}
            realtime = files.get(db, row.realtime_id)
            version = {"version": realtime.version + 1, "commit_status": 0, "resource_group": solution.group}
            files.change(db, row.realtime_id, content=solution.realtime, **version, **editor)
            kind = {"type": solution.type, "source_type": solution.source_type}
            solutions.change(db, row.file_id, process_type=NEW if row.deployed_ms is None else MODIFY, **kind)
        files.change(db, row.file_id, **changes)


def read(content: str) -> Solution:
    document.require_shallow("$", content, "Invalid.TaskContent")
    return parse(content)


def submit(db: Connection, caller: Caller, row: Any, solution: Solution, checked: Checked) -> None:
    """Deploy the text that was checked. Its tables are held against those that were loaded."""
    task, text = row.realtime_id, solution.runs
    before = deployments.get(db, task)
    if before is None or before.content != text:
        _require_known_tables(db, row, checked)
    realtime, now = files.get(db, task), now_ms()
    deployments.put(
        db,
        task,
        name=realtime.name,
        content=text,
        resource_group=row.resource_group or solution.group,
        cu=row.cu,
        deployed_ms=now,
        deployer_id=caller.user_id,
    )
    for each in (row.file_id, task):
        files.change(db, each, commit_status=1)
    rules = {"node_rule": solution.node_name_rule, "node_group": solution.node_group}
    solutions.change(db, row.file_id, submitted_ms=now, table_num=checked.table_num, **rules)
    instance = instance_rows.get(db, task)
    if instance is not None and instance.desired == "RUN" and before is not None and before.content != text:
        instance_rows.recall(db, task)


def remove_solution(db: Connection, row: Any) -> None:
    """Delete it with all that it owns; refused while it runs."""
    now = instances.state(instance_rows.get(db, row.realtime_id))
    if now in (State.RUN, State.WAIT, State.KILLING):
        raise Refused(f"The solution {row.name} is not stopped (its state is {now}): stop it first.", "Invalid.Running")
    remove(db, files.get(db, row.realtime_id))
    solutions.remove_owned(db, row.file_id, now_ms())
    files.change(db, row.file_id, deleted=True, edited_ms=now_ms())
    if row.flow_id is not None:
        folders.remove_business(db, row.flow_id, row.folder_id)


def _require_known_tables(db: Connection, row: Any, checked: Checked) -> None:
    """What is loaded stays what it is: a table must not become another because a second database came, or went."""
    loaded = solutions.loaded_tables(db, row.realtime_id)
    if not loaded:
        return
    if checked.selected is None:
        raise Refused(
            "The source does not tell its tables just now, and they have to be held against those that are loaded "
            "already: try again when it can be reached."
        )
    come, left = checked.selected - loaded, loaded - checked.selected
    qualified = [(old, new) for new in come if (old := new.partition(".")[2]) in left]
    qualified += [(old, new) for old in left if (new := old.partition(".")[2]) in come]
    if qualified:
        raise Refused(
            "Tables of one database have names of their own, those of several have the database's before it: "
            f"{qualified[0][0]} would become {qualified[0][1]}. Make a second solution, or terminate this one, deploy "
            "it and start it anew.",
            "Invalid.TaskContent",
        )


def _require_same(row: Any, version: int) -> None:
    if row.version != version:
        raise Refused("The solution was changed by somebody else while it was being checked: try again.")


def _wanted(db: Connection, row: Any) -> bool:
    """Whether it is started."""
    instance = instance_rows.get(db, row.realtime_id)
    return instance is not None and instance.desired == "RUN" and row.deployed_ms is not None
