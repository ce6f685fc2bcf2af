"""What every answer of the console tells the browser: to load from here only, and to run nothing but our files."""

from __future__ import annotations

from collections.abc import Iterable

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)

Pairs = Iterable[tuple[bytes, bytes]]


def policy(nonce: str = "") -> bytes:
    """Content-Security-Policy; with a nonce, a style element that carries it counts as ours."""
    return _POLICY.format(nonce=f" 'nonce-{nonce}'" if nonce else "").encode()


def protected(headers: Pairs) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with ours added; a policy of its own is kept."""
    given = list(headers)
    if not any(name == b"content-security-policy" for name, _ in given):
        given.append((b"content-security-policy", policy()))
    return [*given, *_ALWAYS]
