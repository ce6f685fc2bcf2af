"""Request nonces that were seen lately: rows of `nonce` in PostgreSQL, a file of their own beside SQLite's.

SQLite has one writer at a time; with a file of their own no request waits while a worker's commit holds its lock.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from disync.store.quick import Quick

_CLAIM = """
INSERT INTO nonce (token, expires_ms) VALUES (?, ?)
ON CONFLICT (token) DO UPDATE SET expires_ms = excluded.expires_ms WHERE nonce.expires_ms <= ?
"""
_PRUNE = """
DELETE FROM nonce WHERE token IN (SELECT token FROM nonce WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)
"""
_PRUNE_EVERY = 512
_PRUNE_MOST = 1024
"""Few at a time, so that nobody waits long for the rows."""


class Nonces(Protocol):
    def claim(self, nonce: bytes, expires_ms: int, now_ms: int) -> bool:
        """True for one caller, of whichever process, until the claim expires."""
        ...

    def close(self) -> None: ...


class NonceRows:
    """One statement claims a nonce, so two processes cannot both win."""

    def __init__(self, quick: Callable[[], Quick]) -> None:
        self._quick = quick
        self._claims = 0

    def claim(self, nonce: bytes, expires_ms: int, now_ms: int) -> bool:
        quick = self._quick()
        # Counted without a lock: a pruning too many or too few does no harm.
        self._claims += 1
        if self._claims % _PRUNE_EVERY == 0:
            quick.change(_PRUNE, (now_ms, _PRUNE_MOST))
        token = blake2b(nonce, digest_size=16).digest()
        return quick.change(_CLAIM, (token, expires_ms, now_ms)) == 1

    def close(self) -> None:
        """The connections are the store's."""
