"""A data source's content as it may be shown: which members are secret, and what stands in place of them.

Of a type that there is a connector for, only the members that are known not to be secret are shown. Of the others
everything is, but for members and parts of texts whose names or places say that they are secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from disync.connectors import find

HIDDEN = "***"
_SECRET = re.compile(
    r"passw|passphrase|pwd|pass$|secret|token|credential|auth|accesskey(?!id)|apikey|privatekey|keytab|keystore"
    r"|truststore|sasl|jaas|cookie|signature|certificate|keys?$|^a?k?sk$"
)
_MANAGED = frozenset(
    (
        *("clusterId", "configType", "connectionString", "database", "instanceId", "instanceName"),
        *("ownerId", "rdsOwnerId", "region", "regionId"),
    )
)
"""Members of the vendor's own forms, which name an instance in its cloud."""

_NAMED = re.compile(r"(?<![\w.\-])([\w.\-]+)\s*=\s*")
_VALUE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^&;,\s]*")
_SCHEMES = re.compile(r"[^@]*?://|jdbc:(?:[\w+.\-]+:){0,3}")


def secret(member: str) -> bool:
    """Whether a member's name says that its value is a secret, however it is spelled."""
    return _SECRET.search(re.sub(r"[\W_]", "", member).lower()) is not None


def shown(kind: str) -> frozenset[str] | None:
    """The members of a content of this type that hold no secret; None where there is no connector that knows them."""
    connector = find(kind)
    if connector is None or connector.content is None:
        return None
    names = {field.encode_name for field in msgspec.structs.fields(connector.content)}
    return frozenset(name for name in names | _MANAGED if not secret(name))


def masked(kind: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with every secret replaced by `***`; all else as it was, in its order."""
    known = shown(kind)
    return {
        name: HIDDEN if known is not None and name not in known else _masked(value, name)
        for name, value in content.items()
    }


def _masked(value: Any, member: str = "") -> Any:
    if secret(member):
        return HIDDEN
    if isinstance(value, dict):
        return {name: _masked(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        return _json(text)
    return _without_values(_without_user(text))


def _json(text: str) -> str:
    """JSON inside a text, which the vendor's redis and mongodb forms have."""
    try:
        found = msgspec.json.decode(text)
        hidden = _masked(found)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return HIDDEN if secret(text) or "@" in text else text
    return text if hidden == found else msgspec.json.encode(hidden).decode()


def _without_user(text: str) -> str:
    """Hide what follows the name of a user: `user:pw@`, `user/pw@`. A password may have an @ itself, so that only the
    last one ends it."""
    head, at, tail = text.rpartition("@")
    if not at:
        return text
    schemes = _SCHEMES.match(head)
    begin = schemes.end() if schemes else 0
    user = re.match(r"[^:/]*[:/]", head[begin:])
    return f"{head[:begin]}{user.group()}{HIDDEN}@{tail}" if user else text


def _without_values(text: str) -> str:
    """Hide the values of options such as `password=`."""
    parts: list[str] = []
    done = 0
    while found := _NAMED.search(text, done):
        parts.append(text[done : found.end()])
        done = found.end()
        if secret(found[1]):
            value = _VALUE.match(text, done)
            done = value.end() if value else done
            parts.append(HIDDEN)
    return "".join(parts) + text[done:]
