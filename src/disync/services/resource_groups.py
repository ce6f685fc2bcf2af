"""Resource groups: where tasks run.

On one machine a task that names a group which we do not know runs in the default one. A cluster runs a task on the
nodes that offer its group, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from disync.model.errors import ForbiddenAccess, Refused
from disync.services.access import Caller
from disync.services.clock import now_ms
from disync.services.tags import Tag, has, written
from disync.store import resource_groups as rows
from disync.store.database import Store

DEFAULT = rows.DEFAULT
DATA_INTEGRATION = 4

MOST_TAGS = 20
"""As many as a resource of the cloud may have."""

STALE_MS = 60_000
"""What a cluster told of its groups is true no longer than this."""


class ResourceGroups:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, _caller: Caller, kind: int | None, keyword: str | None, tags: Sequence[Tag] = ()) -> list[Any]:
        """Those that have every one of the tags."""
        with self._store.read() as db:
            return [row for row in rows.listed(db, kind, keyword) if has(row.tags, tags)]

    def tag(self, caller: Caller, identifier: str, tags: Sequence[Tag]) -> None:
        """Give a group these tags instead of those that it has."""
        if not caller.root:
            raise ForbiddenAccess
        keys = [tag.get("Key", "") for tag in tags]
        if not all(keys) or len({*keys}) != len(keys) or len(keys) > MOST_TAGS:
            raise Refused(f"Tags: each has a Key, no two have the same, and there are {MOST_TAGS} at most.")
        with self._store.write() as db:
            if not rows.tag(db, identifier, written(tags)):
                raise Refused(f"There is no resource group {identifier}: ListResourceGroups has those there are.")

    def enlist(self, identifiers: Iterable[str]) -> None:
        """Workers serve these groups: from now on tasks that name one of them run there and nowhere else."""
        with self._store.write() as db:
            self._store.alone(db, "resource groups")
            for identifier in identifiers:
                if rows.named(db, identifier) is None:
                    rows.add(db, identifier=identifier, name=identifier, created_ms=now_ms())

    def create(self, identifier: str, name: str = "", kind: int = DATA_INTEGRATION) -> None:
        with self._store.write() as db:
            rows.add(db, identifier=identifier, name=name or identifier, type=kind, created_ms=now_ms())


def told(row: Any) -> bool:
    """Whether a cluster says of this group what it has now."""
    return bool((row.seen_ms or 0) >= now_ms() - STALE_MS)


def on_cluster(db: Connection) -> bool:
    """Whether a cluster runs the tasks."""
    default = rows.named(db, DEFAULT)
    return default is not None and told(default)


def absence(db: Connection, group: str, here: str) -> str | None:
    """What is warned of where a task names a group that nothing offers; `here`: what one machine does about it."""
    row = rows.named(db, group)
    if on_cluster(db):
        offered = row is not None and row.nodes
        return None if offered else f"No node of the cluster offers rg_{group}: the task waits until one does."
    return None if row is not None else f"{group} is not known here; {here}"
