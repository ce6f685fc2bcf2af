"""A request as it came, and its parameters decoded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote_to_bytes

import msgspec

from disync.model.errors import ApiError, ParamInvalid

MAX_PARAMETERS = 10_000
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"

_ONCE = (b"x-acs-", b"authorization", b"host", b"content-type")
_BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-_.~]*", re.ASCII).fullmatch
_ENCODED = [chr(b) if _UNRESERVED(chr(b)) and b < 128 else f"%{b:02X}" for b in range(256)]


Headers = Mapping[bytes, bytes]


class Request(msgspec.Struct, frozen=True):
    """`query` as on the wire, without the question mark; header names in lower case, header values as on the wire."""

    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Parameters(msgspec.Struct, frozen=True):
    """Decoded and without repetition; `query` and `form` have no name in common."""

    query: Mapping[str, str]
    form: Mapping[str, str]

    def get(self, name: str) -> str | None:
        value = self.query.get(name)
        return self.form.get(name) if value is None else value


def encode(text: str) -> str:
    """Percent-encoding of both signatures: the UTF-8 bytes, all but `A-Z a-z 0-9 - _ . ~`."""
    if (text.isascii() and text.isalnum()) or _UNRESERVED(text):
        return text
    return "".join(map(_ENCODED.__getitem__, text.encode()))


def header(headers: Headers, name: bytes) -> str:
    """A header's text, "" if it is not there. Latin-1, as the clients sign them."""
    return headers.get(name, b"").strip().decode("latin-1")


def media_type(headers: Headers) -> str:
    return header(headers, b"content-type").partition(";")[0].strip().lower()


def header_map(request: Request) -> dict[bytes, bytes]:
    """Header values by name, as on the wire. Refuses a name twice: which one was signed?"""
    headers = dict(request.headers)
    if len(headers) != len(request.headers):
        seen: set[bytes] = set()
        for name, _ in request.headers:
            if name in seen and name.startswith(_ONCE):
                raise ApiError(400, "InvalidParameter", f"The header {_label(name)} is given more than once.")
            seen.add(name)
    return headers


def read_parameters(request: Request, headers: Headers, signed_json: bool) -> Parameters:
    """Query and form together. `signed_json`: a JSON body's members count too, as RPC 1.0 signs them."""
    query = _pairs(request.query)
    form: Mapping[str, str] = {}
    if request.body:
        media = media_type(headers)
        if media == FORM:
            form = _pairs(request.body)
        elif media == JSON and signed_json:
            form = _json_members(request.body)
        if twice := query.keys() & form.keys():
            raise ParamInvalid(min(twice), "is given more than once")
    return Parameters(query, form)


def _pairs(raw: bytes) -> dict[str, str]:
    if raw.count(b"&") >= MAX_PARAMETERS:
        raise ApiError(400, "InvalidParameter", f"More than {MAX_PARAMETERS} parameters are given.")
    found: dict[str, str] = {}
    for piece in _text(raw).split("&"):
        if piece:
            name, _, value = piece.partition("=")
            if "%" in piece or "+" in piece:
                label = name
                name, value = _unescape(name, label), _unescape(value, label)
            if name in found:
                raise ParamInvalid(name, "is given more than once")
            found[name] = value
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        name = raw[raw.rfind(b"&", 0, error.start) + 1 :].partition(b"=")[0]
        raise ParamInvalid(_label(name), "is not UTF-8") from None


def _unescape(text: str, label: str) -> str:
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    if _BROKEN.search(text):
        raise ParamInvalid(label[:100], "has a broken percent-encoding")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ParamInvalid(label[:100], "is not UTF-8") from None


def _label(name: bytes) -> str:
    return name[:100].decode("ascii", "backslashreplace")


def _json_members(body: bytes) -> dict[str, str]:
    """The top-level members, each as Python's `str` writes it: so the one client that sends such bodies signs them."""
    try:
        members = json.loads(body)
        if not isinstance(members, dict):
            raise ValueError("not an object")
        texts = {name: str(value) for name, value in members.items()}
        "".join([*texts, *texts.values()]).encode()
    except (ValueError, RecursionError):
        raise ApiError(400, "InvalidParameter", "The body is not a JSON object.") from None
    return texts
