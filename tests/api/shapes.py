"""Whether an answer has the members and types that its operation's entry in spec/ declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parents[2] / "spec"
VENDOR = json.loads((_FOLDER / "operations.json").read_text())["operations"]
OWN = {name: entry for file in (_FOLDER / "own").glob("*.json") for name, entry in json.loads(file.read_text()).items()}
SPEC = VENDOR | OWN
ADDED = {"$.Data.Warnings"}
ENVELOPE = {"RequestId", "Success", "HttpStatusCode", "ErrorCode", "ErrorMessage"}
KINDS = {"integer": int, "string": str, "boolean": bool, "number": (int, float)}


def differences(shape: Any, answer: Any, path: str = "$") -> Iterator[str]:
    if answer is None or path in ADDED:
        return
    if isinstance(shape, list):
        if not isinstance(answer, list):
            yield f"{path}: no list"
        else:
            for item in answer:
                yield from differences(shape[0], item, f"{path}[]")
    elif isinstance(shape, dict):
        for name, value in answer.items():
            if name in shape or f"{path}.{name}" in ADDED:
                yield from differences(shape.get(name), value, f"{path}.{name}")
            else:
                yield f"{path}.{name}: not in the spec"
    elif not isinstance(answer, KINDS[shape]) or (shape == "integer" and isinstance(answer, bool)):
        yield f"{path}: {type(answer).__name__}, not {shape}"


def wrong(action: str, answer: dict[str, Any]) -> list[str]:
    """What of the answer is not as declared: members too many or of another type, and those missing from its top."""
    shape = SPEC[action]["response"]
    missing = set(answer) ^ (set(shape) - ENVELOPE)
    return [*differences(shape, answer), *(f"$.{name}: missing or not declared" for name in sorted(missing))]
