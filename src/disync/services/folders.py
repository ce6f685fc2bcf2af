"""Business flows, and the folders in them."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from disync.model.errors import Refused
from disync.services import paths
from disync.services.access import Caller, Place, Role, enter
from disync.services.clock import now_ms
from disync.services.pages import Page, Slice
from disync.store import access_keys
from disync.store import folders as rows
from disync.store.database import Store


class Folders:
    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, caller: Caller, place: Place, path: str) -> str:
        """The id of the folder, made with the folders above it; one that exists already is returned as it is."""
        path = paths.canonical(path)
        with self._store.write() as db:
            workspace = enter(db, caller, place, Role.DEVELOPER)
            self._store.alone(db, f"folders {workspace.id}")
            flow = rows.business_named(db, workspace.id, paths.business_name(path) or "")
            if flow is None:
                raise Refused(f"Invalid path: {path}: there is no such business flow.", "Invalid.Path")
            return _make(db, workspace.id, flow.id, path)

    def list(self, caller: Caller, place: Place, parent: str, asked: Slice) -> Page[Any]:
        parent = paths.canonical(parent)
        with self._store.read() as db:
            workspace = enter(db, caller, place)
            if parent != paths.ROOT and rows.at(db, workspace.id, parent) is None:
                raise Refused(f"Invalid path: {parent}", "Invalid.Path")
            return Page(asked, *rows.children(db, workspace.id, parent, asked.offset, asked.size))

    def create_business(self, caller: Caller, place: Place, wanted: dict[str, Any]) -> int:
        """`wanted` has `name`, and perhaps `description`, `owner_id` and `use_type`."""
        path = paths.canonical(f"{paths.ROOT}/{wanted['name']}")
        if path.count("/") != 1:
            raise Refused("The name of a business flow has no slash in it.", "Invalid.BusinessName")
        try:
            with self._store.write() as db:
                workspace = enter(db, caller, place, Role.DEVELOPER)
                owner = wanted.get("owner_id", caller.user_id)
                if access_keys.get_user(db, owner) is None:
                    raise Refused(f"Owner: there is no user {owner}.", "Invalid.Owner")
                flow = {**wanted, "name": paths.business_name(path), "owner_id": owner}
                return add_business(db, workspace.id, flow)
        except IntegrityError as error:
            raise Refused(f"There is a business flow {wanted['name']} already.", "Invalid.BusinessName") from error

    def list_business(self, caller: Caller, place: Place, keyword: str | None, asked: Slice) -> Page[Any]:
        with self._store.read() as db:
            workspace = enter(db, caller, place)
            return Page(asked, *rows.business_page(db, workspace.id, keyword, asked.offset, asked.size))


def add_business(db: Connection, workspace_id: int, flow: dict[str, Any]) -> int:
    """A business flow with its folders, in the caller's transaction."""
    business_id = rows.add_business(db, workspace_id=workspace_id, created_ms=now_ms(), **flow)
    for path in paths.of_business(flow["name"]):
        _make(db, workspace_id, business_id, path)
    return business_id


def find(db: Connection, workspace_id: int, path: str) -> Any:
    """The folder that a task is put into; it must exist."""
    folder = rows.at(db, workspace_id, paths.canonical(path))
    if folder is None:
        raise Refused(f"Invalid path: {path}", "Invalid.Path")
    return folder


def _make(db: Connection, workspace_id: int, business_id: int, path: str) -> str:
    found = rows.at(db, workspace_id, path)
    if found is not None:
        return str(found.id)
    parent = paths.parent(path)
    if parent != paths.ROOT:
        _make(db, workspace_id, business_id, parent)
    folder_id = uuid.uuid4().hex
    rows.add(db, id=folder_id, workspace_id=workspace_id, parent=parent, path=path, business_id=business_id)
    return folder_id
