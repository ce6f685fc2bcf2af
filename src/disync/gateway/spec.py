"""The API's operations, read from spec/operations.json (generated, see scripts/generate_spec.py)."""

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
    name: str
    method: str
    parameters: tuple[Parameter, ...]
    response: Mapping[str, Tree]


@dataclass(frozen=True, slots=True)
class Spec:
    version: str
    source: str
    operations: Mapping[str, Operation]

    @staticmethod
    def load(folder: Path | None = None) -> Spec:
        if folder is None:
            folder = FOLDER if FOLDER.is_dir() else SOURCE_FOLDER
        raw = msgspec.json.decode((folder / "operations.json").read_bytes())
        operations = {name: _operation(name, entry) for name, entry in raw["operations"].items()}
        return Spec(raw["version"], raw["source"], operations)


def _operation(name: str, entry: Mapping[str, Any]) -> Operation:
    parameters = tuple(_parameter(n, p) for n, p in entry["parameters"].items())
    return Operation(name, entry["method"], parameters, entry["response"])


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
