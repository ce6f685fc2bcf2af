"""The run of a task or of a solution, as a request names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from disync.services import realtime
from disync.services.access import Caller, Role
from disync.services.solutions import solution
from disync.store import solutions


@dataclass(frozen=True, slots=True)
class Named:
    """`task`: the id of the real-time task that runs. `solution`: the row of the solution that was named, or None."""

    task: int
    solution: Any = None


def find(db: Connection, caller: Caller, project_id: int, file_id: int, need: Role = Role.VISITOR) -> Named:
    """By the FileId of a real-time task or of a solution, if the caller may do with it what needs `need`."""
    if solutions.realtime_of(db, file_id) is None:
        return Named(realtime.find(db, caller, project_id, file_id, need).id)
    row = solution.find(db, caller, project_id, file_id, need)
    if row.deleted:
        raise realtime.unknown(file_id)
    return Named(row.realtime_id, row)
