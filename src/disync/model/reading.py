"""A value as people read it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from disync.model.types import Kind

LONGEST = 200
"""Characters of a value; what is longer is cut."""

_DAY, _MOMENT = date(1970, 1, 1), datetime(1970, 1, 1)


def readable(kind: Kind, value: Any) -> str | None:
    """A value in the storage of `kind`, or of what another database has in its place; None for null."""
    if value is None:
        return None
    return _cut(_text(kind, value))


def _text(kind: Kind, value: Any) -> str:
    if isinstance(value, bytes):
        return f"0x{value[:LONGEST].hex()}"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, int):
        return str(value)
    try:
        match kind:
            case Kind.DATE:
                return str(_DAY + timedelta(days=value))
            case Kind.DATETIME:
                return str(_MOMENT + timedelta(microseconds=value))
            case Kind.TIMESTAMP:
                return f"{_MOMENT + timedelta(microseconds=value)}Z"
            case _:
                return str(value)
    except OverflowError:
        return str(value)


def _cut(text: str) -> str:
    """As every store takes it, too."""
    whole = text[: LONGEST + 1].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}…"
