"""Users and their access keys. The store holds a key's id only as a hash, and its secret only sealed."""

from __future__ import annotations

import secrets
import string
import time
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from disync.model.errors import ForbiddenAccess, Refused
from disync.services.access import Caller
from disync.services.clock import now_ms
from disync.store import access_keys as rows
from disync.store.database import Store
from disync.store.vault import Vault

_LETTERS = string.ascii_letters + string.digits
_KIND = "access_key"
_REMEMBERED = 4096

KNOWN_SECONDS = 1.0
"""How long another process's change of a key may go unnoticed here; one made in this process counts at once."""


@dataclass(frozen=True, slots=True)
class Key:
    """`repr` leaves the secret out, so that no log line can hold it."""

    secret: str
    active: bool
    caller: Caller

    def __repr__(self) -> str:
        return f"Key(active={self.active}, caller={self.caller})"


@dataclass(frozen=True, slots=True)
class NewKey:
    """Shown once to whoever made it."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({hint(self.id)})"


_UNKNOWN: tuple[float, Key | None] = (float("-inf"), None)


class Keys:
    def __init__(self, store: Store, vault: Vault) -> None:
        self._store = store
        self._vault = vault
        self._opened: dict[tuple[str, bytes], str] = {}
        self._known: dict[str, tuple[float, Key]] = {}

    def find(self, access_key_id: str) -> Key | None:
        """The key of a request. A key that was switched off stops working within KNOWN_SECONDS; a new one is found
        at once, since what is not there is not remembered."""
        now = time.monotonic()
        until, key = self._known.get(access_key_id, _UNKNOWN)
        if now < until:
            return key
        key = self._read(access_key_id)
        if key is not None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[access_key_id] = now + KNOWN_SECONDS, key
        return key

    def create_user(self, user_id: str, name: str = "", root: bool = False) -> None:
        if not user_id or len(user_id) > 64 or not user_id.isprintable():
            raise Refused("A user id has 1 to 64 printable characters.", "Invalid.UserId")
        with self._store.write() as db:
            if rows.get_user(db, user_id):
                raise Refused(f"There is a user {user_id} already.", "Invalid.UserId")
            rows.add_user(db, user_id, name or user_id, root)

    def create_key(self, user_id: str) -> NewKey:
        with self._store.write() as db:
            if rows.get_user(db, user_id) is None:
                raise Refused(f"There is no user {user_id}.", "Invalid.UserId")
            key = generate()
            self.put(db, user_id, key)
        return key

    def switch(self, caller: Caller, lookup: str, active: bool) -> None:
        """Switch a key on or off: one's own, or as root any. Not off the key that is in use, nor root's last one."""
        with self._store.write() as db:
            self._store.alone(db, "keys")
            row = rows.get(db, lookup)
            if not caller.root and (row is None or row.user_id != caller.user_id):
                raise ForbiddenAccess()
            if row is None:
                raise Refused("There is no such access key.", "Invalid.AccessKey")
            if not active and lookup == caller.key:
                raise Refused("This is the key you are using: switch it off with another one.", "Invalid.AccessKey")
            if not active and rows.roots(db) == [lookup]:
                raise Refused("This is the last active key of root: make another one first.", "Invalid.AccessKey")
            rows.change(db, lookup, active=active)
        self._known.clear()

    def list_users(self) -> list[dict[str, Any]]:
        with self._store.read() as db:
            return [dict(row._mapping) for row in rows.users(db)]

    def list_keys(self) -> list[dict[str, Any]]:
        """`lookup` (its hash), `hint` (the ends of its id), `user_id`, `active` and `created_ms` of each."""
        with self._store.read() as db:
            return [dict(row._mapping) for row in rows.listed(db)]

    def put(self, db: Connection, user_id: str, key: NewKey) -> None:
        """Add a key in the caller's transaction, or give an existing key of the same user this secret."""
        lookup = lookup_of(key.id)
        sealed = self._vault.seal(key.secret.encode(), _KIND, lookup)
        found = rows.get(db, lookup)
        if found is None:
            shown = hint(key.id)
            rows.add(db, lookup=lookup, hint=shown, user_id=user_id, secret=sealed, created_ms=now_ms())
        elif found.user_id != user_id:
            raise Refused(f"The access key {found.hint} belongs to another user.")
        elif self._secret(lookup, found.secret) != key.secret:
            rows.change(db, lookup, secret=sealed)
            self._known.clear()

    def reseal(self, db: Connection) -> int:
        """Seal what an older key of the key file seals with the first one; how many there were."""
        stale = [row for row in rows.sealed(db) if self._vault.stale(row.secret)]
        for row in stale:
            plain = self._vault.open(row.secret, _KIND, row.lookup)
            rows.change(db, row.lookup, secret=self._vault.seal(plain, _KIND, row.lookup))
        return len(stale)

    def check(self, db: Connection) -> None:
        """Raise Refused if the vault's key file is not the one that this store was sealed with."""
        for row in rows.sealed(db)[:1]:
            self._vault.open(row.secret, _KIND, row.lookup)

    def _read(self, access_key_id: str) -> Key | None:
        lookup = lookup_of(access_key_id)
        row = rows.find(self._store.quick, lookup)
        if row is None:
            return None
        sealed, active, user_id, name, root = row
        return Key(self._secret(lookup, sealed), bool(active), Caller(user_id, name, bool(root), key=lookup))

    def _secret(self, lookup: str, sealed: bytes) -> str:
        """Opened once a process: the cache is asked with the sealed bytes, so a new secret is a new entry."""
        remembered = (lookup, bytes(sealed))
        secret = self._opened.get(remembered)
        if secret is None:
            secret = self._vault.open(sealed, _KIND, lookup).decode()
            if len(self._opened) >= _REMEMBERED:
                self._opened.clear()
            self._opened[remembered] = secret
        return secret


def generate() -> NewKey:
    return NewKey("DISYNC" + _random(18), _random(30))


def hint(access_key_id: str) -> str:
    return access_key_id[:4] + "***" + access_key_id[-4:] if len(access_key_id) > 11 else access_key_id[:2] + "***"


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def lookup_of(access_key_id: str) -> str:
    return sha256(access_key_id.encode("utf-8", "surrogateescape")).hexdigest()
