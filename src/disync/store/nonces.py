"""Rows of `nonce`: the request nonces seen lately. One statement claims one, so two processes cannot both win."""

from __future__ import annotations

from disync.store.quick import Quick

_CLAIM = """
INSERT INTO nonce (token, expires_ms) VALUES (?, ?)
ON CONFLICT (token) DO UPDATE SET expires_ms = excluded.expires_ms WHERE nonce.expires_ms <= ?
"""
_PRUNE = """
DELETE FROM nonce WHERE token IN (SELECT token FROM nonce WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?)
"""


def claim(quick: Quick, token: bytes, expires_ms: int, now_ms: int) -> bool:
    return quick.change(_CLAIM, (token, expires_ms, now_ms)) == 1


def prune(quick: Quick, now_ms: int, most: int) -> int:
    """Forget up to `most` expired nonces; few at a time, so that nobody waits long for the lock."""
    return quick.change(_PRUNE, (now_ms, most))
