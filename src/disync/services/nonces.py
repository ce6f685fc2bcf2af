"""A request may come once: its nonce is refused when it was seen within 31 minutes, by whichever process.

The time a request may lie beside ours is 15 minutes to each side, so a request outlives its nonce by no means.
"""

from __future__ import annotations

from hashlib import blake2b

from disync.store import nonces as rows
from disync.store.database import Store

KEPT_MS = 31 * 60 * 1000
_PRUNE_EVERY = 512
_PRUNE_MOST = 1024


class Nonces:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._claims = 0

    def claim(self, access_key_id: str, nonce: str, now: float) -> bool:
        """Take the nonce; False when it was taken in the last 31 minutes. `now` is in seconds since 1970."""
        now_ms = int(now * 1000)
        named = f"{len(access_key_id)} {access_key_id}{nonce}".encode("utf-8", "surrogateescape")
        token = blake2b(named, digest_size=16).digest()
        quick = self._store.seen
        # Counted without a lock: a pruning too many or too few does no harm.
        self._claims += 1
        if self._claims % _PRUNE_EVERY == 0:
            rows.prune(quick, now_ms, _PRUNE_MOST)
        return rows.claim(quick, token, now_ms + KEPT_MS, now_ms)
