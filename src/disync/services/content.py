"""The `Content` of a data source: kept as it was sent, checked in a copy, shown without its secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from disync.connectors import find
from disync.model.errors import Refused

HIDDEN = "***"
_SECRET = re.compile(r"passw(or)?d|pwd$|secret|access_?key$|private_?key|token|credential|sasl.*config", re.IGNORECASE)
_URL_SECRET = re.compile(r"(?i)((?:password|passwd|pwd|secret|accesskey|token)=)[^&;\s]*")
_URL_USER = re.compile(r"(://[^/@:\s]+:)[^/@\s]*@")


def read(text: str) -> dict[str, Any]:
    """The content as an object. Raises Refused if it is none."""
    try:
        content = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refused(f"Content: this is not JSON: {error}", "Invalid.Content") from error
    if not isinstance(content, dict):
        raise Refused("Content: this must be a JSON object.", "Invalid.Content")
    return content


def check(kind: str, content: Mapping[str, Any]) -> None:
    """Hold the content against the connector of this type, where there is one."""
    connector = find(kind)
    if connector is None or connector.content is None:
        return
    try:
        msgspec.convert(content, connector.content)
    except msgspec.ValidationError as error:
        raise Refused(f"Content: {error}", "Invalid.Content") from error


def masked(text: str) -> str:
    """The content with every secret replaced by `***`; all else as it was written, in its order."""
    return msgspec.json.encode(_masked(msgspec.json.decode(text))).decode()


def unmasked(text: str, stored: str) -> str:
    """What a client sends back after it read a masked content: `***` means the secret that is stored."""
    content = read(text)
    if HIDDEN not in text:
        return text
    filled = _filled(content, msgspec.json.decode(stored))
    return text if filled == content else msgspec.json.encode(filled).decode()


def _masked(value: Any, member: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, member) for item in value]
    if _SECRET.search(member):
        return HIDDEN
    if isinstance(value, str):
        return _URL_SECRET.sub(rf"\1{HIDDEN}", _URL_USER.sub(rf"\1{HIDDEN}@", value))
    return value


def _filled(value: Any, stored: Any, member: str = "") -> Any:
    if isinstance(value, dict):
        known = stored if isinstance(stored, dict) else {}
        return {name: _filled(item, known.get(name), name) for name, item in value.items()}
    if isinstance(value, list) and isinstance(stored, list) and len(value) == len(stored):
        return [_filled(item, known, member) for item, known in zip(value, stored, strict=True)]
    if isinstance(value, str) and HIDDEN in value and stored is not None and value == _masked(stored, member):
        return stored
    return value
