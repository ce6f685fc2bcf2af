"""What a store has from its first start on: the root user and its key, workspace 10000, the default resource group."""

from __future__ import annotations

from secrets import token_hex

from sqlalchemy import Connection

from disync.services.clock import now_ms
from disync.services.keys import Keys, NewKey, generate
from disync.services.resource_groups import DEFAULT
from disync.services.workspaces import Wanted, add_workspace
from disync.store import access_keys, installation, resource_groups, workspaces
from disync.store.database import Store

ROOT = "root"
WORKSPACE = "default"


def bootstrap(store: Store, keys: Keys, given: NewKey | None) -> NewKey | None:
    """Safe to run at every start and by several processes at once; a key that was made up is returned once.

    A key that is given becomes root's, beside those that root has.
    """
    with store.write() as db:
        store.alone(db, "bootstrap")
        keys.check(db)
        installation.ensure(db, token_hex(8))
        root = access_keys.root_user(db)
        if root is None:
            access_keys.add_user(db, ROOT, ROOT, root=True)
        root_id = ROOT if root is None else root.id
        _furnish(db, root_id)
        if given is not None:
            keys.put(db, root_id, given)
        elif root is None:
            made = generate()
            keys.put(db, root_id, made)
            return made
    return None


def _furnish(db: Connection, root_id: str) -> None:
    if workspaces.named(db, WORKSPACE) is None:
        add_workspace(db, root_id, Wanted(WORKSPACE, WORKSPACE))
    if resource_groups.named(db, DEFAULT) is None:
        resource_groups.add(db, identifier=DEFAULT, name=DEFAULT, created_ms=now_ms())
