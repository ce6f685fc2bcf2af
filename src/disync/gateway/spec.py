"""The API's operations: the vendor's, read from spec/operations.json (generated, see scripts/generate_spec.py), and
our own, read from spec/own; spec/groups.json says by which resources they are grouped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

Tree = str | list[Any] | dict[str, Any]
"""A type: "string", "integer", "number", "boolean", "object", "any", or [items], or {member: tree}."""

FOLDER = Path(__file__).resolve().parents[1] / "spec"
"""Where a wheel keeps the spec; an editable install reads it at the root of the repository."""

SOURCE_FOLDER = Path(__file__).resolve().parents[3] / "spec"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`json`: sent as one JSON text. `values`, `minimum` and `maximum` are None where the vendor states none."""

    name: str
    place: str
    type: Tree
    required: bool = False
    json: bool = False
    values: frozenset[str] | None = None
    minimum: int | None = None
    maximum: int | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """`own`: the vendor has no such operation; it is an addition of ours."""

    name: str
    method: str
    parameters: tuple[Parameter, ...]
    response: Mapping[str, Tree]
    own: bool = False


class Group(msgspec.Struct, frozen=True):
    """Operations on one kind of resource: those whose name has one of `words` in it, and which no group before takes.
    `en` and `zh`: what it is called."""

    key: str
    en: str
    zh: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """`groups` in the order in which they are shown; the last one takes what no other does."""

    version: str
    source: str
    operations: Mapping[str, Operation]
    groups: tuple[Group, ...]

    def group(self, action: str) -> Group:
        return next(group for group in self.groups if any(word in action for word in group.words))

    @staticmethod
    def load(folder: Path | None = None) -> Spec:
        if folder is None:
            folder = FOLDER if FOLDER.is_dir() else SOURCE_FOLDER
        raw = msgspec.json.decode((folder / "operations.json").read_bytes())
        own = [msgspec.json.decode(file.read_bytes()) for file in sorted((folder / "own").glob("*.json"))]
        operations = {name: _operation(name, entry, True) for entries in own for name, entry in entries.items()}
        operations |= {name: _operation(name, entry) for name, entry in raw["operations"].items()}
        groups = msgspec.json.decode((folder / "groups.json").read_bytes(), type=tuple[Group, ...])
        return Spec(raw["version"], raw["source"], operations, groups)


def _operation(name: str, entry: Mapping[str, Any], own: bool = False) -> Operation:
    parameters = tuple(_parameter(n, p) for n, p in entry["parameters"].items())
    return Operation(name, entry["method"], parameters, entry["response"], own)


def _parameter(name: str, entry: Mapping[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        place=entry["in"],
        type=entry["type"],
        required=entry.get("required", False),
        json=entry.get("json", False),
        values=frozenset(entry["values"]) if "values" in entry else None,
        minimum=entry.get("minimum"),
        maximum=entry.get("maximum"),
    )
