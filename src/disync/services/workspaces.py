"""Workspaces (the API's projects) and their members."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from disync.model.errors import Refused
from disync.services.access import Caller, Place, Role, enter
from disync.services.clock import now_ms
from disync.services.folders import add_business
from disync.services.members import put_member
from disync.services.pages import Page, Slice
from disync.services.tags import Tag, has, written
from disync.services.tokens import Token, digest, once
from disync.store import workspaces as rows
from disync.store.database import Store

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}")
DEFAULT_FLOW = "default"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workspace as CreateProject describes it."""

    identifier: str
    name: str
    description: str = ""
    mode: int = 2
    download: bool = True
    development: bool = True
    tags: Sequence[Tag] = ()


class Workspaces:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, caller: Caller, place: Place) -> Any:
        with self._store.read() as db:
            return enter(db, caller, place)

    def list(self, caller: Caller, tags: Sequence[Tag], asked: Slice) -> Page[Any]:
        """The workspaces that the caller is a member of (root: all), and that have every one of the tags."""
        user_id = None if caller.root else caller.user_id
        with self._store.read() as db:
            if not tags:
                return Page(asked, *rows.page(db, user_id, asked.offset, asked.size))
            _, everything = rows.page(db, user_id, 0, None)
        tagged = [row for row in everything if has(row.tags, tags)]
        return Page(asked, len(tagged), tagged[asked.offset : asked.offset + asked.size])

    def create(self, caller: Caller, wanted: Wanted, client_token: str = "") -> int:
        """The new workspace's id; its owner is the caller."""
        _check(wanted)
        asked = digest(wanted.identifier, wanted.name)
        owned = f"{len(caller.user_id)} {caller.user_id}{client_token}" if client_token else ""
        try:
            with self._store.write() as db:
                token = Token(0, "CreateProject", owned, asked)
                return int(once(db, token, lambda: add_workspace(db, caller.user_id, wanted)).result)
        except IntegrityError as error:
            raise Refused(f"There is a workspace {wanted.identifier} already.", "Invalid.ProjectIdentifier") from error

    def set_member(self, caller: Caller, place: Place, user_id: str, role: Role | None) -> None:
        """Give a user this role; None takes it away."""
        with self._store.write() as db:
            workspace = enter(db, caller, place, Role.OWNER)
            put_member(db, workspace.id, user_id, role)

    def works_anywhere(self, caller: Caller) -> bool:
        """Whether the caller may write in at least one workspace."""
        with self._store.read() as db:
            return caller.root or rows.has_role(db, caller.user_id, (Role.DEVELOPER, Role.OWNER))

    def members(self, caller: Caller, place: Place) -> Sequence[dict[str, Any]]:
        """`user_id`, `name` and `role` of each member."""
        with self._store.read() as db:
            workspace = enter(db, caller, place)
            return [dict(row._mapping) for row in rows.members(db, workspace.id)]


def add_workspace(db: Connection, owner_id: str, wanted: Wanted) -> int:
    """A workspace with its owner and a first business flow, in the caller's transaction."""
    now = now_ms()
    workspace_id = rows.add(
        db,
        identifier=wanted.identifier,
        name=wanted.name,
        description=wanted.description,
        mode=wanted.mode,
        download=wanted.download,
        development=wanted.development,
        tags=written(wanted.tags),
        owner_id=owner_id,
        created_ms=now,
        modified_ms=now,
    )
    rows.set_role(db, workspace_id, owner_id, Role.OWNER.value)
    add_business(db, workspace_id, {"name": DEFAULT_FLOW, "owner_id": owner_id})
    return workspace_id


def _check(wanted: Wanted) -> None:
    if not _IDENTIFIER.fullmatch(wanted.identifier):
        raise Refused(
            "ProjectIdentifier: letters, digits and _, at most 64, a letter or digit first.",
            "Invalid.ProjectIdentifier",
        )
    if not 1 <= len(wanted.name) <= 128:
        raise Refused("ProjectName: 1 to 128 characters.", "Invalid.ProjectName")
    if wanted.mode not in (2, 3):
        raise Refused("ProjectMode: 2 (basic) or 3 (standard).", "Invalid.ProjectMode")
