"""A data source's content, and an operation's parameters, as they may be shown: what is secret, and what stands for it.

Of a type that there is a connector for, only the members that are known not to be secret are shown. Of the others
everything is, but for members and parts of texts whose names or places say that they are secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from disync.connectors import find

HIDDEN = "***"
_TELLING = 4
"""Characters; what is shorter may stand in a text by chance."""
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


def parameters(given: Mapping[str, Any], kind: str | None) -> dict[str, Any]:
    """An operation's parameters as a log may hold them. `kind`: the type of the data source that `Content` is of; where
    that is not known, nothing of it is shown."""
    return {name: _content(kind, value) if name == "Content" else _masked(value, name) for name, value in given.items()}


def hidden(given: Any, shown: Any) -> frozenset[str]:
    """The texts in `given` that `shown` has no more, also in JSON inside a text: an error may repeat one of them."""
    return frozenset(text for text in {*_texts(given)} - {*_texts(shown)} if len(text) >= _TELLING)


def _content(kind: str | None, text: Any) -> str:
    try:
        content = msgspec.json.decode(text)
    except (TypeError, msgspec.DecodeError, UnicodeError, RecursionError):
        return HIDDEN
    if kind is None or not isinstance(content, dict):
        return HIDDEN
    return msgspec.json.encode(masked(kind, content)).decode()


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value; of one that is JSON those in it."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield from _texts_of(value)


def _texts_of(text: str) -> Iterator[str]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield from _texts(msgspec.json.decode(text))
            return
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
    yield text


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
