"""Data sources: how to reach the systems that tasks read and write, under a name, per environment.

Content is stored as it was sent, sealed; it leaves the service with its secrets masked, or whole into a worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from disync.connectors import find
from disync.model.errors import Refused
from disync.model.job import parse
from disync.services import content, masking
from disync.services.access import Caller, Role, enter, permit
from disync.services.clock import now_ms
from disync.services.pages import Page, Slice
from disync.services.probing import UNREACHED, Probes
from disync.store import data_sources as rows
from disync.store import deployments
from disync.store.database import Store
from disync.store.schema import data_source
from disync.store.vault import Vault

log = structlog.get_logger()

_KIND = "data_source"
_NAME = re.compile(r"[\w.\-]{1,128}")
PROBE_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """A data source as CreateDataSource describes it; `env` is 0 for development, 1 for production."""

    name: str
    type: str
    content: str
    env: int
    sub_type: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """What ListDataSources may ask for."""

    name: str | None = None
    type: str | None = None
    sub_type: str | None = None
    env: int | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Shown:
    """A row, and its content without secrets."""

    row: Any
    content: str


@dataclass(frozen=True, slots=True)
class Known:
    """A data source that a task names; `place` is None where it cannot be told."""

    type: str
    place: Mapping[str, Any] | None = None


class DataSources:
    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._probes = Probes()

    def create(self, caller: Caller, project_id: int, wanted: Wanted) -> int:
        with self._store.read() as db:
            enter(db, caller, project_id, Role.DEVELOPER)
        _check(wanted)
        try:
            with self._store.write() as db:
                workspace = enter(db, caller, project_id, Role.DEVELOPER)
                sealed = self._vault.seal(wanted.content.encode(), _KIND, workspace.id, wanted.env, wanted.name)
                now = now_ms()
                return rows.add(
                    db,
                    workspace_id=workspace.id,
                    name=wanted.name,
                    type=wanted.type,
                    sub_type=wanted.sub_type,
                    env=wanted.env,
                    content=sealed,
                    description=wanted.description,
                    creator_id=caller.user_id,
                    editor_id=caller.user_id,
                    created_ms=now,
                    modified_ms=now,
                )
        except IntegrityError as error:
            which = "PROD" if wanted.env else "DEV"
            raise Refused(f"Data source {which} {wanted.name} already exists", "Invalid.Name") from error

    def update(self, caller: Caller, source_id: int, changes: Mapping[str, Any]) -> None:
        """`changes` may have `content`, `description` and `env`; the type stays."""
        try:
            with self._store.write() as db:
                row = self._enter(db, caller, source_id)
                _check_env(changes.get("env", row.env))
                text = changes.get("content")
                if text is not None:
                    text = content.unmasked(row.type, text, self._open(row))
                    content.check(row.type, content.read(text))
                env = changes.get("env", row.env)
                sealed = self._vault.seal(
                    (self._open(row) if text is None else text).encode(), _KIND, row.workspace_id, env, row.name
                )
                description = changes.get("description", row.description)
                rows.change(
                    db,
                    source_id,
                    content=sealed,
                    env=env,
                    description=description,
                    editor_id=caller.user_id,
                    modified_ms=now_ms(),
                )
        except IntegrityError as error:
            raise Refused("That environment has a data source of this name already.", "Invalid.EnvType") from error

    def delete(self, caller: Caller, source_id: int) -> None:
        """Refused while a deployed task has no other data source of this name to fall back on."""
        with self._store.write() as db:
            row = self._enter(db, caller, source_id)
            if len(rows.named(db, row.workspace_id, row.name)) == 1:
                users = _users(db, row.workspace_id, row.name)
                if users:
                    raise Refused(
                        f"The data source {row.name} is used by deployed tasks: {', '.join(users)}.", "Invalid.InUse"
                    )
            rows.remove(db, source_id)

    def list(self, caller: Caller, project_id: int, asked_for: Filter, asked: Slice) -> Page[Shown]:
        table = data_source.c
        exact = {table.name: asked_for.name, table.type: asked_for.type, table.sub_type: asked_for.sub_type}
        where = [column == value for column, value in exact.items() if value]
        if asked_for.env is not None:
            where.append(table.env == asked_for.env)
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            if not asked_for.enabled:
                return Page(asked, 0, [])
            total, found = rows.page(db, [table.workspace_id == workspace.id, *where], asked.offset, asked.size)
            return Page(asked, total, [Shown(row, self._shown(row)) for row in found])

    def test(self, caller: Caller, project_id: int, name: str, env: int) -> None:
        """Connect once. Raises Refused or TaskError with a short reason; who may not write may not try either."""
        kind, found = self.opened(caller, project_id, (name, env), Role.DEVELOPER)
        log.info("connection test", user=caller.user_id, project=project_id, data_source=name, env=env)
        self._try(caller, kind, found)

    def test_unsaved(self, caller: Caller, project_id: int, kind: str, text: str) -> None:
        """As `test`, of a content that is no data source yet. It is checked as it would be when saved; nothing of it is
        kept or logged. A secret that is masked is refused: there is none stored that it could stand for."""
        with self._store.read() as db:
            enter(db, caller, project_id, Role.DEVELOPER)
        found = content.read(content.unmasked(kind, text, "{}"))
        content.check(kind, found)
        log.info("connection test", user=caller.user_id, project=project_id, data_source_type=kind)
        self._try(caller, kind, found)

    def _try(self, caller: Caller, kind: str, found: Mapping[str, Any]) -> None:
        connector = find(kind)
        probe = connector.probe if connector else None
        if probe is None:
            raise Refused(f"Data sources of the type {kind} cannot be tested yet.")

        def work() -> None:
            probe(found)

        self._probes.run(caller.user_id, work, PROBE_SECONDS, UNREACHED)

    def contents(self, db: Connection, workspace_id: int, names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The content of each data source that exists, secrets included: what a run is given."""
        found: dict[str, Mapping[str, Any]] = {}
        for name in dict.fromkeys(names):
            for row in rows.named(db, workspace_id, name)[:1]:
                found[name] = content.read(self._open(row))
        return found

    def known(self, db: Connection, workspace_id: int, names: Sequence[str]) -> Mapping[str, Known]:
        """The type of each data source that exists, and where it leads."""
        named = {name: rows.named(db, workspace_id, name) for name in dict.fromkeys(names)}
        return {name: Known(found[0].type, self._place(found[0])) for name, found in named.items() if found}

    def _place(self, row: Any) -> Mapping[str, Any] | None:
        try:
            return content.place(row.type, content.read(self._open(row)))
        except Refused:
            return None

    def reseal(self, db: Connection) -> int:
        """Seal what an older key of the key file seals with the first one; how many there were."""
        stale = [row for row in rows.sealed(db) if self._vault.stale(row.content)]
        for row in stale:
            plain = self._open(row).encode()
            rows.change(db, row.id, content=self._vault.seal(plain, _KIND, row.workspace_id, row.env, row.name))
        return len(stale)

    def opened(
        self, caller: Caller, project_id: int, named: tuple[str, int | None], need: Role
    ) -> tuple[str, Mapping[str, Any]]:
        """The type and the content of a data source, secrets included, by name and environment (None: production before
        development)."""
        name, env = named
        with self._store.read() as db:
            workspace = enter(db, caller, project_id, need)
            found = [row for row in rows.named(db, workspace.id, name) if env is None or row.env == env]
            if not found:
                raise Refused(f"There is no data source {name} in this environment.", "Invalid.DatasourceName")
            return found[0].type, content.read(self._open(found[0]))

    def _shown(self, row: Any) -> str:
        """Without secrets. What cannot be read is hidden as a whole: the other rows of a list are to be seen."""
        try:
            return content.masked(row.type, self._open(row))
        except Exception:
            log.exception("content cannot be shown", data_source=row.id)
            return masking.HIDDEN

    def _enter(self, db: Connection, caller: Caller, source_id: int) -> Any:
        """An id that does not exist answers to everybody but root as one of a workspace that is not theirs."""
        row = rows.get(db, source_id)
        if row is None:
            permit(caller, None, Role.DEVELOPER)
            raise Refused(f"dataSourceId:[{source_id}] is invalid.", "Invalid.DataSourceId")
        enter(db, caller, row.workspace_id, Role.DEVELOPER)
        return row

    def _open(self, row: Any) -> str:
        return self._vault.open(row.content, _KIND, row.workspace_id, row.env, row.name).decode()


def _check(wanted: Wanted) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise Refused("Name: letters, digits, _, - and ., at most 128 characters.", "Invalid.Name")
    if not wanted.type or len(wanted.type) > 64:
        raise Refused("DataSourceType: a type's name, such as datahub or mysql.", "Invalid.DataSourceType")
    _check_env(wanted.env)
    content.check(wanted.type, content.read(wanted.content))


def _check_env(env: Any) -> None:
    if env not in (0, 1):
        raise Refused("EnvType: 0 (development) or 1 (production).", "Invalid.EnvType")


def _users(db: Connection, workspace_id: int, name: str) -> list[str]:
    """The deployed tasks that name this data source."""
    found = []
    for row in deployments.of_workspace(db, workspace_id):
        if any(used == name for step in parse(row.content).steps for used, _ in step.data_sources):
            found.append(f"{row.name} (fileId {row.file_id})")
    return found
