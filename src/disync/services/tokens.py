"""ClientToken: a request that comes twice takes effect once and has the first one's answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.model.errors import ParamInvalid
from disync.services.clock import now_ms
from disync.store import client_tokens as rows

_LONGEST = 256


@dataclass(frozen=True, slots=True)
class Token:
    """`request` is a digest of what was asked with the token; see `digest`."""

    workspace_id: int
    action: str
    token: str
    request: str

    def __post_init__(self) -> None:
        if len(self.token) > _LONGEST:
            raise ParamInvalid("ClientToken", f"a token has at most {_LONGEST} characters.")


@dataclass(frozen=True, slots=True)
class Answer:
    """`again`: it is the answer of an earlier request; `differs`: that request asked for something else."""

    result: Any
    again: bool = False
    differs: bool = False


def once(
    db: Connection, token: Token, work: Callable[[], Any], lasts: Callable[[Any], bool] = lambda result: True
) -> Answer:
    """Do `work` unless the token was used; its result must be JSON. All in the caller's transaction.

    `lasts`: whether what an earlier request made is still there. If not, the token is as good as new.
    """
    if not token.token:
        return Answer(work())
    key = {"workspace_id": token.workspace_id, "action": token.action, "token": token.token}
    if not rows.claim(db, key, token.request, now_ms()):
        found = rows.locked(db, key)
        result = msgspec.json.decode(found.result)
        if lasts(result):
            return Answer(result, True, found.request != token.request)
    result = work()
    rows.finish(db, key, token.request, msgspec.json.encode(result).decode())
    return Answer(result)


def digest(*parts: str | None) -> str:
    return sha256(msgspec.json.encode(parts)).hexdigest()
