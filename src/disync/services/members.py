"""The members of a workspace. Each has one role, which holds what the lesser ones may do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from disync.model.errors import Refused
from disync.services.access import Caller, Role, enter
from disync.services.pages import Page, Slice
from disync.services.tokens import Token, digest, once
from disync.store import access_keys
from disync.store import workspaces as rows
from disync.store.database import Store


class Members:
    """Everything but the list is for owners."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, caller: Caller, project_id: int, asked: Slice) -> Page[Any]:
        """`user_id`, `name`, `root` and `role` of each."""
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            found = rows.members(db, workspace.id)
        return Page(asked, len(found), found[asked.offset : asked.offset + asked.size])

    def add(self, caller: Caller, project_id: int, user_id: str, role: Role, client_token: str = "") -> None:
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.OWNER)

            def join() -> bool:
                if rows.role(db, workspace.id, user_id) is not None:
                    raise Refused(f"{user_id} is a member already.", "Invalid.Member")
                put_member(db, workspace.id, user_id, role)
                return True

            once(db, Token(workspace.id, "CreateProjectMember", client_token, digest(user_id, role)), join)

    def give(self, caller: Caller, project_id: int, user_id: str, role: Role) -> None:
        """In place of the role that the member had."""
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.OWNER)
            _require(db, workspace.id, user_id)
            put_member(db, workspace.id, user_id, role)

    def take(self, caller: Caller, project_id: int, user_id: str, role: Role) -> None:
        """The member is a visitor then. A visitor's role is taken by removing the member."""
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.OWNER)
            if _require(db, workspace.id, user_id) != role or role is Role.VISITOR:
                raise Refused(f"{user_id} has no such role that can be taken alone.", "Invalid.Member")
            put_member(db, workspace.id, user_id, Role.VISITOR)

    def remove(self, caller: Caller, project_id: int, user_id: str) -> None:
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.OWNER)
            _require(db, workspace.id, user_id)
            put_member(db, workspace.id, user_id, None)


def put_member(db: Connection, workspace_id: int, user_id: str, role: Role | None) -> None:
    """Give a user this role, None: none. The last owner stays: without one only root could manage the workspace."""
    if access_keys.get_user(db, user_id) is None:
        raise Refused(f"There is no user {user_id}.", "Invalid.Member")
    if role is not Role.OWNER and rows.owners(db, workspace_id) == [user_id]:
        raise Refused(f"{user_id} is the workspace's last owner: make another one first.", "Invalid.Member")
    if role is None:
        rows.remove_role(db, workspace_id, user_id)
    else:
        rows.set_role(db, workspace_id, user_id, role.value)


def _require(db: Connection, workspace_id: int, user_id: str) -> str:
    role = rows.role(db, workspace_id, user_id)
    if role is None:
        raise Refused(f"{user_id} is no member of the workspace.", "Invalid.Member")
    return role
