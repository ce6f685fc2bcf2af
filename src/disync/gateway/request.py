"""A request as it came, and its parameters decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from disync.model.errors import ApiError, ParamInvalid

MAX_PARAMETERS = 10_000
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-_.~]*", re.ASCII).fullmatch
_ENCODED = [chr(b) if _UNRESERVED(chr(b)) and b < 128 else f"%{b:02X}" for b in range(256)]


@dataclass(frozen=True, slots=True)
class Request:
    """`query` as on the wire, without the question mark; header names in lower case, header values as on the wire."""

    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class Parameters:
    """Decoded and without repetition; `query` and `form` have no name in common."""

    query: Mapping[str, str]
    form: Mapping[str, str]

    def get(self, name: str) -> str | None:
        value = self.query.get(name)
        return self.form.get(name) if value is None else value


def encode(text: str) -> str:
    """Percent-encoding of both signatures: the UTF-8 bytes, all but `A-Z a-z 0-9 - _ . ~`."""
    if _UNRESERVED(text):
        return text
    return "".join(map(_ENCODED.__getitem__, text.encode()))


def media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def header_map(request: Request) -> dict[str, str]:
    """Header values by name. Latin-1, as the clients sign them. Refuses a name twice: which one was signed?"""
    headers: dict[str, str] = {}
    for name, value in request.headers:
        key = name.decode("latin-1")
        if key in headers and (key.startswith("x-acs-") or key in ("authorization", "host", "content-type")):
            raise ApiError(400, "InvalidParameter", f"The header {key} is given more than once.")
        headers[key] = value.decode("latin-1").strip()
    return headers


def read_parameters(request: Request, headers: Mapping[str, str], signed_json: bool) -> Parameters:
    """Query and form together. `signed_json`: a JSON body's members count too, as RPC 1.0 signs them."""
    query = _mapping(_pairs(request.query), ())
    form: Mapping[str, str] = {}
    if request.body:
        media = media_type(headers)
        if media == FORM:
            form = _mapping(_pairs(request.body), query)
        elif media == JSON and signed_json:
            form = _mapping(_json_members(request.body), query)
    return Parameters(query, form)


def _mapping(pairs: Iterable[tuple[str, str]], taken: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found or name in taken:
            raise ParamInvalid(name, "is given more than once")
        found[name] = value
    return found


def _pairs(raw: bytes) -> Iterator[tuple[str, str]]:
    if raw.count(b"&") >= MAX_PARAMETERS:
        raise ApiError(400, "InvalidParameter", f"More than {MAX_PARAMETERS} parameters are given.")
    for piece in raw.split(b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            decoded = _decode(name, name)
            yield decoded, _decode(value, name)


def _decode(raw: bytes, name: bytes) -> str:
    """`name` is the undecoded name of the parameter, for the message."""
    try:
        if b"%" in raw or b"+" in raw:
            if _BROKEN.search(raw):
                raise ParamInvalid(_label(name), "has a broken percent-encoding")
            raw = unquote_to_bytes(raw.replace(b"+", b" "))
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ParamInvalid(_label(name), "is not UTF-8") from None


def _label(name: bytes) -> str:
    return name[:100].decode("ascii", "backslashreplace")


def _json_members(body: bytes) -> list[tuple[str, str]]:
    """The top-level members, each as Python's `str` writes it: so the one client that sends such bodies signs them."""
    try:
        members = json.loads(body)
        if not isinstance(members, dict):
            raise ValueError("not an object")
        pairs = [(name, str(value)) for name, value in members.items()]
        "".join(name + value for name, value in pairs).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "InvalidParameter", "The body is not a JSON object.") from None
    return pairs
