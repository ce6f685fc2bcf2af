"""Who may do what: every use case enters its workspace here first.

An unknown workspace and one that the caller is no member of answer alike, so that nobody can find out which ids exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from disync.model.errors import ForbiddenAccess, ParamInvalid
from disync.store import workspaces as rows


class Role(StrEnum):
    """Visitors read, developers also write, owners also manage members."""

    VISITOR = "visitor"
    DEVELOPER = "developer"
    OWNER = "owner"


_RANK = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key signed the request. Root may do everything in every workspace.

    `door`: where it came in, api, console or cli. `key`: the hash of the access key's id, "" where none was needed.
    """

    user_id: str
    name: str
    root: bool = False
    door: str = field(default="api", compare=False)
    key: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace as requests name it: by id, or by identifier."""

    project_id: int | None = None
    identifier: str | None = None


def permit(caller: Caller, role: str | None, need: Role) -> None:
    """Raise ForbiddenAccess unless a member of this role (None: no member) may do what needs `need`."""
    if not caller.root and (role is None or _RANK[Role(role)] < _RANK[need]):
        raise ForbiddenAccess()


def enter(db: Connection, caller: Caller, place: Place | int, need: Role = Role.VISITOR) -> Any:
    """The row of the workspace, if the caller may do in it what needs `need`."""
    if isinstance(place, int):
        place = Place(place)
    if place.project_id is not None:
        workspace = rows.get(db, place.project_id)
    elif place.identifier:
        workspace = rows.named(db, place.identifier)
    else:
        raise ParamInvalid("ProjectId", "give the workspace's ProjectId, or its ProjectIdentifier.")
    if workspace is None:
        raise ForbiddenAccess()
    if not caller.root:
        permit(caller, rows.role(db, workspace.id, caller.user_id), need)
    return workspace
