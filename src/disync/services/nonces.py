"""A request may come once: its nonce is refused when it was seen within 31 minutes, by whichever process.

The time a request may lie beside ours is 15 minutes to each side, so a request outlives its nonce by no means.
"""

from __future__ import annotations

from disync.store.database import Store

KEPT_MS = 31 * 60 * 1000


class Nonces:
    def __init__(self, store: Store) -> None:
        self._seen = store.nonces

    def claim(self, access_key_id: str, nonce: str, now: float) -> bool:
        """Take the nonce; False when it was taken in the last 31 minutes. `now` is in seconds since 1970."""
        now_ms = int(now * 1000)
        named = f"{len(access_key_id)} {access_key_id}{nonce}".encode("utf-8", "surrogateescape")
        return self._seen.claim(named, now_ms + KEPT_MS, now_ms)
