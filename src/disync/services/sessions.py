"""Sessions: who has shown an access key once is known by a token for a while, at the console.

The store has the token only as a hash. A session ends 12 hours after it began, after 2 hours without a request, by
signing out, and at once when its key is switched off.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field, replace
from hashlib import sha256

from sqlalchemy import Connection

from disync.services.access import Caller
from disync.services.clock import now_ms
from disync.services.keys import Keys
from disync.store import sessions as rows
from disync.store.database import Store
from disync.store.vault import Vault

LIFE_MS = 12 * 60 * 60 * 1000
IDLE_MS = 2 * 60 * 60 * 1000
SEEN_MS = 60 * 1000
"""How exact `seen_ms` is kept: not every request need write."""

MOST = 50
"""Sessions of one key; a newer one ends the oldest."""

DOOR = "console"
_KIND = "session"


@dataclass(frozen=True, slots=True)
class Session:
    """`repr` shows neither the token nor the key's id."""

    caller: Caller
    token: str = field(repr=False)
    access_key_id: str = field(repr=False)

    @property
    def csrf(self) -> str:
        """What a page of ours sends along, and no other can know: it follows from the token, which no page can read."""
        return hmac.digest(self.token.encode(), b"csrf", "sha256").hex()


class Sessions:
    def __init__(self, store: Store, vault: Vault, keys: Keys) -> None:
        self._store = store
        self._vault = vault
        self._keys = keys

    def open(self, access_key_id: str, access_key_secret: str) -> Session | None:
        """A new session; None unless there is such a key, with this secret, and it is active."""
        key = self._keys.find(access_key_id)
        known = key.secret if key is not None else secrets.token_hex()
        right = hmac.compare_digest(known.encode(), access_key_secret.encode())
        if key is None or not right or not key.active:
            return None
        caller = replace(key.caller, door=DOOR)
        made = Session(caller, secrets.token_urlsafe(32), access_key_id)
        token, now = _digest(made.token), now_ms()
        sealed = self._vault.seal(access_key_id.encode(), _KIND, token)
        with self._store.write() as db:
            rows.prune(db, now - LIFE_MS, now - IDLE_MS)
            rows.add(
                db,
                token=token,
                user_id=caller.user_id,
                lookup=caller.key,
                key_id=sealed,
                created_ms=now,
                seen_ms=now,
            )
            rows.keep(db, caller.key, MOST)
        return made

    def find(self, token: str) -> Session | None:
        """The session that is open under this token. It is read from the store each time: nothing ends late."""
        hashed, now = _digest(token), now_ms()
        row = rows.find(self._store.quick, hashed)
        if row is None:
            return None
        sealed, created_ms, seen_ms, lookup, active, user_id, name, root = row
        if not active or now - created_ms >= LIFE_MS or now - seen_ms >= IDLE_MS:
            rows.remove(self._store.quick, hashed)
            return None
        if now - seen_ms >= SEEN_MS:
            rows.see(self._store.quick, hashed, now)
        access_key_id = self._vault.open(sealed, _KIND, hashed).decode()
        return Session(Caller(user_id, name, bool(root), DOOR, lookup), token, access_key_id)

    def close(self, token: str) -> None:
        """Whoever has a copy of the token has nothing any more."""
        rows.remove(self._store.quick, _digest(token))

    def clear(self, db: Connection) -> None:
        """Everybody has to sign in again."""
        rows.clear(db)


def _digest(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
