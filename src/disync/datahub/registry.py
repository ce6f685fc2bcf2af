"""Which function answers which call: verb, path with names in braces, and the `Action`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from disync.datahub.catalog import Topic
from disync.datahub.errors import Fault, invalid
from disync.datahub.hub import Hub

TOPIC = "/projects/{project}/topics/{topic}"
JSON = "application/json"
PROTOBUF = "application/x-protobuf"
BATCH = "application/x-binary"


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `names` come from the path; `body` is the parsed form, `raw` the bytes; `protocol` their type."""

    hub: Hub
    names: dict[str, str]
    body: Any
    raw: bytes
    protocol: str
    sub_id: str

    @property
    def topic(self) -> Topic:
        """The topic as it is now: after an await it may be another."""
        return self.hub.catalog.topic(self.names["project"], self.names["topic"])


Answer = Any
"""Bytes: the body of the answer, in the request's protocol; None: `{}`; anything else becomes JSON."""
Function = Callable[[Call], Answer | Awaitable[Answer]]


Form = TypeVar("Form", bound=msgspec.Struct)


class Empty(msgspec.Struct):
    """A body of which nothing is read."""


@dataclass(frozen=True, slots=True)
class Entry:
    body: type[msgspec.Struct] | None
    function: Function


class _Action(msgspec.Struct, rename="pascal"):
    action: str = ""


Shape = tuple[str, ...]
_entries: dict[Shape, dict[tuple[str, str], Entry]] = {}
_ANY = "*"


def call(
    verb: str, path: str, action: str = "", body: type[msgspec.Struct] | None = Empty
) -> Callable[[Function], Function]:
    """Register the decorated function. Actions are compared without letter case; `*` takes those not named.

    `body` None: the function reads the raw bytes itself.
    """

    def register(function: Function) -> Function:
        _entries.setdefault(_parts(path), {})[verb, action.lower()] = Entry(body, function)
        return function

    return register


def resolve(verb: str, path: str, action: str) -> tuple[Entry, dict[str, str]]:
    """The function for a request and the names in its path; InvalidUriSpec or InvalidOperation when there is none."""
    parts = tuple(unquote(part) for part in _parts(path))
    shape = next((shape for shape in _entries if _fits(shape, parts)), None)
    if shape is None:
        raise Fault("InvalidUriSpec", f"there is nothing at {path[:256]}")
    found = _entries[shape]
    entry = found.get((verb, action.lower())) or found.get((verb, _ANY))
    if entry is None:
        what = f"{verb} with Action {action[:64]!r}" if action else verb
        raise Fault("InvalidOperation", f"{what} is not served at {path[:256]}")
    names = {name[1:-1]: part for name, part in zip(shape, parts, strict=True) if name.startswith("{")}
    return entry, names


def action_of(body: bytes) -> str:
    """The `Action` in a JSON body."""
    return parse(body, _Action).action


def parse(body: bytes, form: type[Form]) -> Form:
    try:
        return msgspec.json.decode(body or b"{}", type=form)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise invalid("body", str(error)) from error


def _parts(path: str) -> Shape:
    return tuple(path.strip("/").split("/"))


def _fits(shape: Shape, parts: Shape) -> bool:
    if len(shape) != len(parts):
        return False
    return all(name == part or (name.startswith("{") and part) for name, part in zip(shape, parts, strict=True))
