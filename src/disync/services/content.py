"""The `Content` of a data source: kept as it was sent, checked in a copy, taken back from who was shown it masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from disync.connectors import find
from disync.model.errors import Refused
from disync.services import document, masking
from disync.services.masking import HIDDEN

_CODE = "Invalid.Content"
_FREE = frozenset({"project", "database", "schema", "description"})
"""Members that may change while a secret is kept: the secret goes where it went before."""
_PLACE = re.compile(r"url|uri|endpoint|host|server|address|user", re.IGNORECASE)
_LEFT = re.compile(r"^\*\*\*$|[:/=]\*\*\*(?=[@&;,\s]|$)")
_USERS = frozenset({"accessId", "username", "tag"})
_AUTHORITY = re.compile(r"(?i)(https?)://([^/]*?)(?::([0-9]+))?(/.*)?")


def read(text: str) -> dict[str, Any]:
    """The content as an object. Raises Refused if it is none."""
    return document.read("Content", text, _CODE)


def check(kind: str, content: Mapping[str, Any]) -> None:
    """Hold the content against the connector of this type, where there is one."""
    connector = find(kind)
    if connector is None or connector.content is None:
        return
    try:
        msgspec.convert(content, connector.content)
    except msgspec.ValidationError as error:
        raise Refused(f"Content: {error}", _CODE) from error


def masked(kind: str, text: str) -> str:
    """The content with every secret replaced by `***`; all else as it was written, in its order."""
    return msgspec.json.encode(masking.masked(kind, read(text))).decode()


def unmasked(kind: str, text: str, stored: str) -> str:
    """What a client sends back after it read a masked content: `***` means the secret that is stored.

    Only while the content still leads to the same place as the same user: who may change a data source and may not
    know its secret would otherwise have it sent to a server of his own.
    """
    content = read(text)
    if HIDDEN not in text:
        return text
    known = read(stored)
    filled = _filled(content, known, masking.masked(kind, known))
    if _left(filled):
        raise Refused(f"Content: there is no stored secret for a {HIDDEN}. Give the secret anew.", _CODE)
    if filled == content:
        return text
    moved = [name for name in sorted(filled.keys() | known.keys()) if _moved(name, filled, known)]
    if moved:
        raise Refused(f"Content: {', '.join(moved)} changes: give the secret anew in place of {HIDDEN}.", _CODE)
    return msgspec.json.encode(filled).decode()


def place(kind: str, content: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where a content leads, whoever asks; equal for equal places. None where no connector knows its members."""
    connector = find(kind)
    if connector is None or connector.content is None:
        return None
    names = {field.encode_name for field in msgspec.structs.fields(connector.content)} - _USERS
    return {name: _alike(content.get(name)) for name in names if not masking.secret(name)}


def _moved(name: str, filled: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    if filled.get(name) == known.get(name) or name in _FREE:
        return False
    return not masking.secret(name) or _PLACE.search(name) is not None


def _filled(value: Any, stored: Any, hidden: Any) -> Any:
    """`value` with the stored secrets where it still is what was shown."""
    if value == hidden:
        return stored
    if isinstance(value, dict) and isinstance(hidden, dict):
        return {name: _filled(item, stored.get(name), hidden.get(name)) for name, item in value.items()}
    if isinstance(value, list) and isinstance(hidden, list) and len(value) == len(hidden):
        return [_filled(*each) for each in zip(value, stored, hidden, strict=True)]
    return value


def _left(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_left(item) for item in (value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and _LEFT.search(value) is not None


def _alike(value: Any) -> Any:
    """The addresses of one service are written in several ways."""
    match = _AUTHORITY.fullmatch(value.rstrip("/")) if isinstance(value, str) else None
    if match is None:
        return value
    scheme = match[1].lower()
    return scheme, match[2].lower(), int(match[3] or (443 if scheme == "https" else 80)), match[4] or ""
