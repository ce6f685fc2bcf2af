"""Real-time tasks: created as files, read back byte for byte, deployed as a copy that runs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from disync.model.errors import ForbiddenAccess, Refused
from disync.model.job import Job, parse
from disync.services import document, folders, paths, resource_groups, review
from disync.services.access import Caller, Role, enter, permit
from disync.services.clock import now_ms
from disync.services.data_sources import DataSources, Known
from disync.services.instances import State, state
from disync.services.pages import Page, Slice
from disync.services.precheck import Precheck
from disync.services.realtime import REALTIME, REALTIME_FILE, find_own, unknown
from disync.services.tokens import Answer, Token, digest, once
from disync.services.workspaces import DEFAULT_FLOW
from disync.store import (
    checkpoints,
    deployments,
    dirty,
    events,
    files,
    instances,
    lineage,
    samples,
    solutions,
    verifications,
)
from disync.store.database import Store

_NAME = re.compile(r"[A-Za-z0-9_.\u4e00-\u9fff]{1,128}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task as CreateDISyncTask describes it."""

    type: str
    content: str
    name: str | None = None
    param: str | None = None
    client_token: str = ""


@dataclass(frozen=True, slots=True)
class Created:
    file_id: int
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reference:
    """A task that uses a data source, and the names of its sources and targets."""

    file_id: int
    name: str
    sources: list[str]
    targets: list[str]


@dataclass(frozen=True, slots=True)
class Param:
    """TaskParam. `cu`: how much of a worker the task takes, against which others are placed."""

    folder: str | None = None
    resource_group: str | None = None
    cu: float | None = None


class Tasks:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources
        self._precheck = Precheck()

    def code(self, caller: Caller, project_id: int, file_id: int) -> str:
        """The task's text as it was stored. One statement: this is what the service is asked most."""
        row = files.content(self._store.quick, caller.user_id, file_id, project_id)
        if row is None:
            raise ForbiddenAccess()
        role, workspace_id, file_type, content = row
        permit(caller, role, Role.VISITOR)
        if workspace_id is not None and workspace_id != project_id:
            raise ForbiddenAccess()
        if file_type != REALTIME_FILE:
            raise unknown(file_id)
        return str(content)

    def create(self, caller: Caller, project_id: int, wanted: Wanted) -> Created:
        with self._store.read() as db:
            enter(db, caller, project_id, Role.DEVELOPER)
        if wanted.type != REALTIME:
            raise Refused(
                f"{wanted.type} tasks are not served yet; DI_REALTIME and DI_SOLUTION are.", "Invalid.TaskType"
            )
        job, param, name = _job(wanted.content), read_param(wanted.param), wanted.name or _any_name()
        require_name(name)
        asked = digest(wanted.type, wanted.content, wanted.name, wanted.param)
        try:
            with self._store.write() as db:
                workspace = enter(db, caller, project_id, Role.DEVELOPER)
                token = Token(workspace.id, "CreateDISyncTask", wanted.client_token, asked)
                described = (wanted, name, param)
                answer = once(
                    db, token, lambda: _add(db, caller, workspace.id, described), lambda made: is_there(db, made)
                )
                return Created(answer.result, self._warnings(db, workspace.id, job, param) + repeated(answer))
        except IntegrityError as error:
            raise Refused(f"TaskName: there is a file named {name} already.", "Invalid.TaskName") from error

    def update(
        self, caller: Caller, project_id: int, file_id: int, content: str | None, task_param: str | None
    ) -> list[str]:
        """Replace the text, the resource group, or both. A deployed copy runs on as it is. Returns warnings."""
        with self._store.write() as db:
            row = find_own(db, caller, project_id, file_id)
            param = read_param(task_param)
            if param.folder is not None:
                raise Refused("TaskParam.FileFolderPath: a task is not moved by UpdateDISyncTask.", "Invalid.TaskParam")
            text = content or row.content
            job = _job(text)
            changes: dict[str, Any] = {"last_editor_id": caller.user_id, "edited_ms": now_ms()}
            if text != row.content:
                changes |= {"content": text, "version": row.version + 1, "commit_status": 0}
            if task_param:
                changes |= {"task_param": task_param, "resource_group": param.resource_group or row.resource_group}
                changes["cu"] = param.cu or row.cu
            files.change(db, file_id, **changes)
            return self._warnings(db, row.workspace_id, job, param)

    def deploy(self, caller: Caller, project_id: int, file_id: int) -> list[str]:
        """Make the text as it is now the one that runs from the next start on. Returns warnings.

        A source that cannot be followed as it is refuses the task; one that is out of reach is only warned of.
        """
        with self._store.read() as db:
            row = find_own(db, caller, project_id, file_id)
            job = parse(row.content)
            review.require_runnable(job, self._known(db, row.workspace_id, job))
            contents = self._data_sources.contents(db, row.workspace_id, [name for name, _ in job.source.data_sources])
        found = self._precheck.run(caller, job.source, contents)
        with self._store.write() as db:
            row = find_own(db, caller, project_id, file_id)
            job = parse(row.content)
            review.require_runnable(job, self._known(db, row.workspace_id, job))
            param = Param(resource_group=row.resource_group)
            deployments.put(
                db,
                file_id,
                name=row.name,
                content=row.content,
                resource_group=row.resource_group or job.resource_group,
                cu=row.cu,
                deployed_ms=now_ms(),
                deployer_id=caller.user_id,
            )
            files.change(db, file_id, commit_status=1)
            return [*self._warnings(db, row.workspace_id, job, param), *found]

    def delete(self, caller: Caller, project_id: int, file_id: int) -> None:
        with self._store.write() as db:
            remove(db, find_own(db, caller, project_id, file_id))

    def references(
        self, caller: Caller, project_id: int, name: str, reads: bool, asked: Slice, of: str = REALTIME
    ) -> Page[Reference]:
        """The real-time tasks, or solutions, that read from (or write to) a data source."""
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            listed = of == REALTIME
            rows = (
                files.of_type(db, workspace.id, REALTIME_FILE) if listed else solutions.of_workspace(db, workspace.id)
            )
        found = [_reference(row) for row in rows]
        using = [task for task in found if name in (task.sources if reads else task.targets)]
        return Page(asked, len(using), using[asked.offset : asked.offset + asked.size])

    def _known(self, db: Connection, workspace_id: int, job: Job) -> Mapping[str, Known]:
        names = [name for step in job.steps for name, _ in step.data_sources]
        return self._data_sources.known(db, workspace_id, names)

    def _warnings(self, db: Connection, workspace_id: int, job: Job, param: Param) -> list[str]:
        found = review.warnings(job, self._known(db, workspace_id, job))
        for place, group in (
            ("TaskParam.ResourceGroup", param.resource_group),
            ("$.extend.resourceGroup", job.resource_group),
        ):
            here = f"the task runs in {resource_groups.DEFAULT}."
            if group and (text := resource_groups.absence(db, group, here)) is not None:
                found.append(f"{place}: {text}")
        return found


def remove(db: Connection, row: Any) -> None:
    """Delete a file with all that its runs left; refused while the task runs."""
    now = state(instances.get(db, row.id))
    if now in (State.RUN, State.WAIT, State.KILLING):
        raise Refused(f"The task {row.name} is not stopped (its state is {now}): stop it first.", "Invalid.Running")
    deployments.remove(db, row.id)
    checkpoints.forget(db, row.id)
    dirty.forget(db, row.id)
    samples.forget(db, row.id)
    events.forget(db, row.id)
    lineage.forget(db, row.id)
    verifications.forget(db, row.id)
    instances.remove(db, row.id)
    files.change(db, row.id, deleted=True, edited_ms=now_ms())


def read_param(text: str | None) -> Param:
    """Read TaskParam; absent members are None."""
    if not text:
        return Param()
    param = document.read("TaskParam", text, "Invalid.TaskParam")
    for member in ("FileFolderPath", "ResourceGroup"):
        value = param.get(member) or ""
        if not isinstance(value, str) or not value.isprintable() or len(value) > 512:
            raise Refused(f"TaskParam.{member}: this must be text of at most 512 characters.", "Invalid.TaskParam")
    return Param(param.get("FileFolderPath") or None, param.get("ResourceGroup") or None, _cu(param.get("Cu")))


_MOST_CU = 1_000_000.0
"""More says nothing more, and sums of it must stay numbers."""


def _cu(size: Any) -> float | None:
    if size in (None, ""):
        return None
    try:
        cu = 0.0 if isinstance(size, bool) else float(size)
    except (TypeError, ValueError, OverflowError):
        cu = 0.0
    if not (cu > 0 and cu * 2 % 1 == 0):
        raise Refused("TaskParam.Cu: this must be a multiple of 0.5.", "Invalid.TaskParam")
    return min(cu, _MOST_CU)


def _job(text: str) -> Job:
    document.require_shallow("$", text, "Invalid.TaskContent")
    return parse(text)


def _any_name() -> str:
    return f"realtime_{secrets.token_hex(8)}"


def require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused(
            "TaskName: letters, Chinese characters, digits, _ and ., at most 128 characters.", "Invalid.TaskName"
        )


def require_free(db: Connection, workspace_id: int, name: str) -> None:
    """Files of one workspace have names of their own."""
    other = files.named(db, workspace_id, name)
    if other is not None:
        raise Refused(f"TaskName: there is a file named {name} already (fileId {other}).", "Invalid.TaskName")


def _add(db: Connection, caller: Caller, workspace_id: int, described: tuple[Wanted, str, Param]) -> int:
    wanted, name, param = described
    path = param.folder or paths.of_business(DEFAULT_FLOW)[-1]
    folder = folders.find(db, workspace_id, path)
    require_free(db, workspace_id, name)
    now = now_ms()
    return files.add(
        db,
        workspace_id=workspace_id,
        file_type=REALTIME_FILE,
        task_type=wanted.type,
        name=name,
        folder_id=folder.id,
        business_id=folder.business_id,
        content=wanted.content,
        resource_group=param.resource_group,
        cu=param.cu,
        task_param=wanted.param,
        owner_id=caller.user_id,
        last_editor_id=caller.user_id,
        created_ms=now,
        edited_ms=now,
    )


def is_there(db: Connection, file_id: int) -> bool:
    return files.get(db, file_id) is not None


def repeated(answer: Answer) -> list[str]:
    if not answer.differs:
        return []
    return ["ClientToken: an earlier request with this token asked for something else; nothing was created now."]


def _reference(row: Any) -> Reference:
    job = parse(row.content)
    sources, targets = ([name for name, _ in step.data_sources] for step in (job.source, job.target))
    return Reference(row.id, row.name, list(dict.fromkeys(sources)), list(dict.fromkeys(targets)))
