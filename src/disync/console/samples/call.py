"""One call, as every sample tells it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from disync.gateway.spec import Operation, Parameter

ID, SECRET = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
"""The environment variables that the vendor's own samples read. A sample never holds a secret."""

VERSION = "2020-05-18"
REGION = "cn-shanghai"
"""Any does: the endpoint is named."""

_INT64 = re.compile(r"(Id|Time)$")
_PAGES_64 = frozenset(("GetDataSourceMeta", "ListRefDISyncTasks"))
"""Of the integers of the operations that are served, those named so have 64 bits in the vendor's SDKs, and all of these
operations; the others 32."""


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter with what is sent for it: an int or a bool where it is declared as one, else its text. `long`: an int
    has 64 bits in the vendor's SDKs."""

    name: str
    plain: str | int | bool
    text: str
    place: str
    long: bool


@dataclass(frozen=True, slots=True)
class Call:
    """`endpoint` is `http://HOST:PORT`."""

    operation: Operation
    endpoint: str
    parameters: Mapping[str, str]

    @property
    def address(self) -> str:
        return urlsplit(self.endpoint).netloc

    @property
    def scheme(self) -> str:
        return urlsplit(self.endpoint).scheme

    @property
    def action(self) -> str:
        return self.operation.name

    @property
    def typed(self) -> bool:
        """Whether the SDKs have a class for it that takes the values as they are: they have none for what is ours."""
        declared = {parameter.name: parameter for parameter in self.operation.parameters}
        return not self.operation.own and all(_fits(declared[v.name], v.plain) for v in self.values)

    @property
    def values(self) -> list[Value]:
        """Those that were given, in the order of the spec."""
        return [
            Value(declared.name, _plain(declared, text), text, declared.place, self._is_long(declared.name))
            for declared in self.operation.parameters
            if (text := self.parameters.get(declared.name)) is not None
        ]

    def _is_long(self, name: str) -> bool:
        return bool(_INT64.search(name)) or self.action in _PAGES_64

    def of(self, place: str) -> list[Value]:
        """Those of the query, or of the form."""
        return [value for value in self.values if (value.place == "query") == (place == "query")]


def _plain(declared: Parameter, text: str) -> str | int | bool:
    if declared.type == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if declared.type == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


def _fits(declared: Parameter, plain: Any) -> bool:
    kinds: dict[str, type] = {"string": str, "integer": int, "boolean": bool}
    return isinstance(declared.type, str) and not declared.json and type(plain) is kinds.get(declared.type)


def lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def snake(name: str) -> str:
    """As the vendor's Python SDK spells it: `GetDISyncTask` is `get_disync_task`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def quoted(text: str) -> str:
    """A string of JSON, which is one of JavaScript, Java, Go and C# as well: with what ends a line in one of them, or
    may not stand in the file of one, escaped."""
    told = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\u{ord(letter):04x}" if letter in "\u0085\u2028\u2029\ufeff" else letter for letter in told)


def shell(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"
