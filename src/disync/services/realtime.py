"""A real-time task as a request names it: by workspace and FileId."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from disync.model.errors import ForbiddenAccess, Refused
from disync.services.access import Caller, Role, enter
from disync.store import files

REALTIME = "DI_REALTIME"
REALTIME_FILE = 900


def find(db: Connection, caller: Caller, project_id: int, file_id: int, need: Role) -> Any:
    """The row of the task's file, if the caller may do with it what needs `need`.

    For whoever may write, it is locked until the transaction ends.
    """
    workspace = enter(db, caller, project_id, need)
    row = files.get(db, file_id) if need is Role.VISITOR else files.locked(db, file_id)
    if row is not None and row.workspace_id != workspace.id:
        raise ForbiddenAccess()
    if row is None or row.file_type != REALTIME_FILE:
        raise unknown(file_id)
    return row


def find_own(db: Connection, caller: Caller, project_id: int, file_id: int) -> Any:
    """As `find`, for whoever wants to change the task: refused where a solution owns it."""
    row = find(db, caller, project_id, file_id, Role.DEVELOPER)
    require_own(db, row)
    return row


def require_own(db: Connection, row: Any) -> None:
    """What a solution has made is changed through the solution."""
    if row.solution_id is not None:
        name = files.get(db, row.solution_id).name
        raise Refused(
            f"{row.name} belongs to the solution {name} (fileId {row.solution_id}), and is changed, started, stopped "
            "and deleted with it: name that FileId, and TaskType DI_SOLUTION.",
            "Invalid.Owned",
        )


def unknown(file_id: int) -> Refused:
    return Refused(f"fileId:[{file_id}] is invalid.", "Invalid.FileId")
