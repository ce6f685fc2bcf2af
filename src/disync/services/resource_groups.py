"""Resource groups: where tasks run. A task that names one we do not know runs in the default group."""

from __future__ import annotations

from typing import Any

from disync.services.access import Caller
from disync.services.clock import now_ms
from disync.store import resource_groups as rows
from disync.store.database import Store

DEFAULT = "group_default"
DATA_INTEGRATION = 4


class ResourceGroups:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, _caller: Caller, kind: int | None, keyword: str | None) -> list[Any]:
        with self._store.read() as db:
            return rows.listed(db, kind, keyword)

    def create(self, identifier: str, name: str = "", kind: int = DATA_INTEGRATION) -> None:
        with self._store.write() as db:
            rows.add(db, identifier=identifier, name=name or identifier, type=kind, created_ms=now_ms())
