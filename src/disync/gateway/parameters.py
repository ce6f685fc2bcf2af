"""The texts of a request become typed values, as the spec declares them.

Clients send texts only: `True` and `true`, `None` and `null` for what they did not set, lists as one JSON text or
flattened (`Tags.1.Key`). What the spec does not declare is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from disync.gateway.spec import Operation, Parameter, Tree
from disync.model.errors import ApiError, ParamInvalid

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_UNSET = frozenset(("None", "null"))
_MAX_DEPTH = 16


def missing(name: str) -> ApiError:
    """400 Missing<Name>, in the vendor's words."""
    return ApiError(400, f"Missing{name}", f"{name} is mandatory for this action.")


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    """JSON values as a client would send them: texts as they are, all else as JSON, and what is null not at all."""
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in values.items()
        if value is not None
    }


def convert(operation: Operation, raw: Mapping[str, str]) -> dict[str, Any]:
    """The declared parameters that were given, by name. Raises ApiError: Missing<Name> or Param.Invalid."""
    values: dict[str, Any] = {}
    for parameter in operation.parameters:
        value = _value(parameter, raw)
        if value is not None:
            values[parameter.name] = value
        elif parameter.required:
            raise missing(parameter.name)
    return values


def _value(parameter: Parameter, raw: Mapping[str, str]) -> Any:
    text = raw.get(parameter.name)
    if not isinstance(parameter.type, str) or parameter.type == "object":
        return _structure(parameter, text, raw)
    if text is None:
        return None
    if parameter.type == "string":
        return _string(parameter, text)
    if not text or text in _UNSET:
        return None
    return _scalar(parameter, text)


def _string(parameter: Parameter, text: str) -> str | None:
    """An empty text is a value, except where one is required or must be chosen from a list.

    `None` and `null` are what two of the official clients send for an optional member that was not set.
    """
    choice = parameter.values
    if text in _UNSET and (choice is not None or not parameter.required):
        return None
    if not text and (choice is not None or parameter.required):
        return None
    if choice is not None and text not in choice:
        raise ParamInvalid(parameter.name, f"must be one of {', '.join(sorted(choice))}")
    return _clean(parameter.name, text)


def _clean(name: str, text: str) -> str:
    # PostgreSQL cannot store U+0000 in a text, and no name or content has a use for it.
    if "\0" in text:
        raise ParamInvalid(name, "must not contain the character U+0000")
    return text


def _scalar(parameter: Parameter, text: str) -> Any:
    name = parameter.name
    match parameter.type:
        case "integer":
            return _bounded(parameter, _integer(name, text))
        case "boolean":
            return _boolean(name, text)
        case "number":
            return _number(name, text)
    return _clean(name, text)


def _integer(name: str, text: str) -> int:
    if not _INTEGER.fullmatch(text) or not -(2**63) <= (number := int(text)) < 2**63:
        raise ParamInvalid(name, "must be an integer of 64 bits")
    return number


def _bounded(parameter: Parameter, number: int) -> int:
    if parameter.minimum is not None and number < parameter.minimum:
        raise ParamInvalid(parameter.name, f"must be {parameter.minimum} or more")
    if parameter.maximum is not None and number > parameter.maximum:
        raise ParamInvalid(parameter.name, f"must be {parameter.maximum} or less")
    return number


def _boolean(name: str, text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
    raise ParamInvalid(name, "must be true or false")


def _number(name: str, text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
        raise ParamInvalid(name, "must be a number")
    return number


def _structure(parameter: Parameter, text: str | None, raw: Mapping[str, str]) -> Any:
    if text is None:
        flat = _flattened(parameter.name, raw)
        return None if flat is None else _typed(parameter.name, parameter.type, flat)
    if not text or text in _UNSET:
        return None
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ParamInvalid(parameter.name, f"must be JSON ({error})") from None
    return _typed(parameter.name, parameter.type, value)


def _flattened(name: str, raw: Mapping[str, str]) -> dict[str, Any] | None:
    """The tree behind `Name.1.Key=v`, with the indexes as keys; None if no parameter begins with `Name.`."""
    prefix = name + "."
    tree: dict[str, Any] = {}
    for path, text in raw.items():
        if not path.startswith(prefix):
            continue
        *branches, leaf = path[len(prefix) :].split(".")
        if len(branches) > _MAX_DEPTH:
            raise ParamInvalid(name, f"must not be nested deeper than {_MAX_DEPTH}")
        node: Any = tree
        for branch in branches:
            node = node.setdefault(branch, {}) if isinstance(node, dict) else None
        if not isinstance(node, dict) or leaf in node:
            raise ParamInvalid(path, "contradicts another parameter")
        node[leaf] = text
    return tree or None


def _typed(path: str, tree: Tree, value: Any) -> Any:
    """`value` checked against the declared type; members that the spec does not know are kept as they are."""
    if value is None or tree == "any":
        return value
    if isinstance(tree, list):
        return [_typed(f"{path}.{i}", tree[0], item) for i, item in _items(path, value)]
    if isinstance(tree, dict) or tree == "object":
        if not isinstance(value, dict):
            raise ParamInvalid(path, "must be an object")
        members = tree if isinstance(tree, dict) else {}
        return {k: _typed(f"{path}.{k}", members.get(k, "any"), v) for k, v in value.items()}
    return _leaf(path, tree, value)


def _items(path: str, value: Any) -> list[tuple[int, Any]]:
    """Numbered items; the indexes of a flattened list begin at 1 and may have gaps."""
    if isinstance(value, list):
        return list(enumerate(value, 1))
    if not isinstance(value, dict) or not all(re.fullmatch(r"[1-9][0-9]{0,5}", k, re.ASCII) for k in value):
        raise ParamInvalid(path, "must be a list")
    return sorted((int(k), v) for k, v in value.items())


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
}


def _leaf(path: str, tree: str, value: Any) -> Any:
    """A scalar inside a structure: of its own JSON type, or the text of one (flattened lists hold only texts)."""
    if isinstance(value, str) and tree != "string":
        return _scalar(Parameter(path, "", tree), value)
    if not isinstance(value, _JSON_TYPES[tree]) or (isinstance(value, bool) and tree != "boolean"):
        raise ParamInvalid(path, f"must be a {tree}" if tree != "integer" else "must be an integer")
    if tree == "integer" and isinstance(value, int):
        return _integer(path, str(value))
    return _clean(path, value) if isinstance(value, str) else value
