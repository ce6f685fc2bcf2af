"""A solution as a request names it, and its files as the store has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from disync.model import node_name
from disync.model.errors import ForbiddenAccess
from disync.model.solution import Solution
from disync.services import folders, paths
from disync.services.access import Caller, Role, enter
from disync.services.clock import ZONE, now_ms
from disync.services.realtime import REALTIME, REALTIME_FILE, unknown
from disync.services.tasks import require_free, require_name
from disync.services.workspaces import DEFAULT_FLOW
from disync.store import files, solutions
from disync.store import folders as folder_rows
from disync.store.database import Store

SOLUTION = "DI_SOLUTION"
SOLUTION_FILE = 24
"""The vendor's usual number for what comes from its Data Integration site; ODPS scripts, which have it too, are not
served here."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files of a new solution go; `flow` is the business flow of its own, if it is to have one."""

    folder: Any
    flow: str | None = None


def find(db: Connection, caller: Caller, project_id: int, file_id: int, need: Role) -> Any:
    """The row of the solution, if the caller may do with it what needs `need`. One that was deleted is only read."""
    workspace = enter(db, caller, project_id, need)
    row = solutions.get(db, file_id, lock=need is not Role.VISITOR)
    if row is not None and row.workspace_id != workspace.id:
        raise ForbiddenAccess()
    if row is None or (row.deleted and need is not Role.VISITOR):
        raise unknown(file_id)
    return row


def named(db: Connection, workspace_id: int, wanted: str | None, solution: Solution) -> str:
    """TaskName, else the name that the text has, else the vendor's default: the type and the time."""
    if wanted:
        require_name(wanted)
        return wanted
    if solution.name:
        return node_name.clean(solution.name)
    return _free(db, workspace_id, f"{solution.type}_{datetime.now(ZONE):%Y%m%d%H%M%S}")


def add(db: Connection, store: Store, caller: Caller, place: Place, values: Mapping[str, Any]) -> int:
    """The solution's own file and that of its real-time task; `values` has `name`, `solution`, `task_param`, `group`,
    `cu` and `table_num`."""
    workspace_id, solution, name = place.folder.workspace_id, values["solution"], values["name"]
    require_free(db, workspace_id, name)
    now = now_ms()
    people = {"owner_id": caller.user_id, "last_editor_id": caller.user_id, "created_ms": now, "edited_ms": now}
    own = files.add(
        db,
        workspace_id=workspace_id,
        file_type=SOLUTION_FILE,
        task_type=SOLUTION,
        name=name,
        folder_id=place.folder.id,
        business_id=place.folder.business_id,
        content=solution.content,
        resource_group=values["group"],
        cu=values["cu"],
        task_param=values["task_param"],
        **people,
    )
    folder, flow_id = _own_folder(db, store, caller, place) if place.flow else (place.folder, None)
    realtime = files.add(
        db,
        workspace_id=workspace_id,
        file_type=REALTIME_FILE,
        task_type=REALTIME,
        name=_free(db, workspace_id, realtime_name(solution, name)),
        folder_id=folder.id,
        business_id=folder.business_id,
        content=solution.realtime,
        resource_group=solution.group,
        solution_id=own,
        **people,
    )
    kind = {"type": solution.type, "source_type": solution.source_type, "table_num": values["table_num"]}
    solutions.add(db, file_id=own, realtime_id=realtime, flow_id=flow_id, **kind)
    return own


def realtime_name(solution: Solution, name: str) -> str:
    """`userDefinedFileNameExpression` and the solution's name."""
    values = {"solution_name": name, "ds_type_src": solution.source_type, "ds_type_dest": solution.type}
    prefix = node_name.expand(solution.prefix, values) if solution.prefix else "realtime"
    return node_name.clean(f"{prefix}_{name}")


def place_of(db: Connection, workspace_id: int, folder: str | None, own_flow: bool, name: str) -> Place:
    path = folder or paths.of_business(DEFAULT_FLOW)[-1]
    return Place(folders.find(db, workspace_id, path), name if own_flow else None)


def _own_folder(db: Connection, store: Store, caller: Caller, place: Place) -> tuple[Any, int | None]:
    """The folder of the solution's own business flow, and the flow's id if it was made now; one that has the solution's
    name already is used."""
    workspace_id, flow, made = place.folder.workspace_id, str(place.flow), None
    store.alone(db, f"folders {workspace_id}")
    if folder_rows.business_named(db, workspace_id, flow) is None:
        made = folders.add_business(db, workspace_id, {"name": flow, "owner_id": caller.user_id})
    path = paths.of_business(flow)[-1]
    return folders.find(db, workspace_id, path), made


def _free(db: Connection, workspace_id: int, name: str) -> str:
    """The name, or where it is taken, with a number behind it."""
    free, number = name, 1
    while files.named(db, workspace_id, free) is not None:
        number += 1
        free = node_name.another(name, number)
    return free
