"""What a route of the console is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from disync.gateway.answer import JSON_TYPE, Reply
from disync.gateway.request import Headers
from disync.model.errors import ApiError, ParamInvalid
from disync.services.sessions import Session


@dataclass(frozen=True, slots=True)
class Asked:
    """`document`: the JSON object of the body, {} without one. `secure`: the browser came by https. `changes`: it
    is no mere read."""

    headers: Headers
    document: Mapping[str, Any]
    address: str
    secure: bool
    changes: bool
    session: Session | None = None

    @property
    def signed_in(self) -> Session:
        """The session; a route that may be called without one looks at `session`."""
        if self.session is None:
            raise ApiError(401, "SignIn.Required", "Nobody is signed in, or the session has ended.")
        return self.session

    def text(self, name: str, longest: int) -> str:
        value = self.document.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= longest:
            raise ParamInvalid(name, f"a text of 1 to {longest} characters.")
        return value

    def members(self, name: str) -> Mapping[str, Any]:
        value = self.document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ParamInvalid(name, "an object.")
        return value


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, ready to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def told(document: Any, *headers: tuple[bytes, bytes]) -> Told:
    """200 and JSON, which no browser keeps."""
    return Told(200, msgspec.json.encode(document), (*_json(JSON_TYPE), *headers))


def forwarded(reply: Reply, *headers: tuple[bytes, bytes]) -> Told:
    """An answer of the gateway, as it is."""
    named = (b"x-acs-request-id", reply.request_id.encode())
    return Told(reply.status, reply.body, (*_json(reply.media_type), named, *headers))


def _json(media_type: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return (b"content-type", media_type), (b"cache-control", b"no-store")
