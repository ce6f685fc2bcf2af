"""JSON that comes as the text of a parameter, and how deep it may be nested.

What is stored is read again by every later call, so that a text which some reader gives up on must not come in.
"""

from __future__ import annotations

from typing import Any

import msgspec

from disync.model.errors import Refused

DEEPEST = 64
"""Levels of objects and lists, the outermost included."""


def read(name: str, text: str, code: str) -> dict[str, Any]:
    """The object in `text`; Refused, which names the parameter, if there is none."""
    found = _decoded(name, text, code)
    if not isinstance(found, dict):
        raise Refused(f"{name}: this must be a JSON object.", code)
    _require_shallow(name, found, code)
    return found


def require_shallow(name: str, text: str, code: str) -> None:
    """Refused if the JSON in `text` is nested too deeply, or is none."""
    _require_shallow(name, _decoded(name, text, code), code)


def _decoded(name: str, text: str, code: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except RecursionError as error:
        raise _too_deep(name, code) from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Refused(f"{name}: this is not JSON: {error}", code) from error


def _require_shallow(name: str, found: Any, code: str) -> None:
    level = _containers([found])
    for _ in range(DEEPEST):
        level = [child for node in level for child in _containers(node.values() if isinstance(node, dict) else node)]
        if not level:
            return
    raise _too_deep(name, code)


def _containers(values: Any) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _too_deep(name: str, code: str) -> Refused:
    return Refused(f"{name}: this JSON is nested more deeply than {DEEPEST} levels.", code)
