"""Files as the workspace lists them. Every task is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false

from disync.model.errors import ForbiddenAccess
from disync.services import paths
from disync.services.access import Caller, Place, Role, enter
from disync.services.pages import Page, Slice
from disync.services.realtime import require_own, unknown
from disync.services.solutions.solution import SOLUTION
from disync.services.solutions.solutions import remove_solution
from disync.services.tasks import remove
from disync.store import files as rows
from disync.store import solutions
from disync.store.database import Store
from disync.store.schema import deployment, file, folder


@dataclass(frozen=True, slots=True)
class Filter:
    """What ListFiles may ask for; None: everything."""

    ids: tuple[int, ...] | None = None
    types: tuple[int, ...] | None = None
    folder: str | None = None
    keyword: str | None = None
    name: str | None = None
    owner: str | None = None
    last_editor: str | None = None
    node_id: int | None = None
    use_type: str | None = None

    def where(self) -> list[ColumnElement[bool]]:
        table = file.c
        exact = {table.name: self.name, table.owner_id: self.owner, table.last_editor_id: self.last_editor}
        found: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value]
        if self.ids is not None:
            found.append(table.id.in_(self.ids))
        if self.types is not None:
            found.append(table.file_type.in_(self.types))
        if self.folder:
            found.append(folder.c.path == paths.canonical(self.folder))
        if self.keyword:
            found.append(table.name.icontains(self.keyword, autoescape=True))
        if self.node_id is not None:
            # A file has its node from its deployment on, under the same number.
            found.append((table.id == self.node_id) & deployment.c.file_id.is_not(None))
        if self.use_type not in (None, "", "NORMAL"):
            found.append(false())
        return found


class Files:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, caller: Caller, place: Place, wanted: Filter, asked: Slice) -> Page[Any]:
        where = wanted.where()
        with self._store.read() as db:
            workspace = enter(db, caller, place)
            return Page(asked, *rows.page(db, [file.c.workspace_id == workspace.id, *where], asked.offset, asked.size))

    def get(self, caller: Caller, place: Place, file_id: int) -> Any:
        with self._store.read() as db:
            workspace = enter(db, caller, place)
            row = rows.listed(db, file_id)
        return _own(row, workspace, file_id)

    def delete(self, caller: Caller, place: Place, file_id: int) -> None:
        with self._store.write() as db:
            workspace = enter(db, caller, place, Role.DEVELOPER)
            row = _own(rows.locked(db, file_id), workspace, file_id)
            require_own(db, row)
            if row.task_type == SOLUTION:
                remove_solution(db, solutions.get(db, file_id))
            else:
                remove(db, row)


def _own(row: Any, workspace: Any, file_id: int) -> Any:
    if row is None:
        raise unknown(file_id)
    if row.workspace_id != workspace.id:
        raise ForbiddenAccess()
    return row
