"""A workspace's own DDL policies, as in ListDIProjectConfig and UpdateDIProjectConfig."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from disync.model import ddl
from disync.model.errors import Refused
from disync.services.access import Caller, Role, enter
from disync.store import project_configs as rows
from disync.store.database import Store


@dataclass(frozen=True, slots=True)
class Pair:
    """The kinds of data source that a policy is for; `source` "" means every source."""

    target: str
    source: str = ""


class ProjectConfigs:
    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, caller: Caller, project_id: int, pair: Pair) -> ddl.Policies:
        """What is in force for a task of this pair that says nothing itself."""
        with self._store.read() as db:
            workspace = enter(db, caller, project_id)
            return in_force(db, workspace.id, pair)

    def update(self, caller: Caller, project_id: int, pair: Pair, config: str) -> None:
        with self._store.write() as db:
            workspace = enter(db, caller, project_id, Role.DEVELOPER)
            try:
                written = msgspec.json.decode(config)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise Refused(f"ProjectConfig is not JSON: {error}") from error
            policies = ddl.read(written, "ProjectConfig")
            rows.put(db, workspace.id, pair.target, pair.source, msgspec.json.encode(policies).decode())


def in_force(db: Connection, workspace_id: int, pair: Pair) -> ddl.Policies:
    """Built-in, under those for every source, under those for this source."""
    found = dict(ddl.BUILT_IN)
    for source in dict.fromkeys(("", pair.source)):
        text = rows.get(db, workspace_id, pair.target, source)
        found |= ddl.read(msgspec.json.decode(text), "ProjectConfig") if text else {}
    return found
