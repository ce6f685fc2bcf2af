"""What happens to tasks, written down where it happens, in the transaction that makes it so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.services.clock import now_ms
from disync.store import events

LONGEST = 4000
"""Characters of a message or of one text of a detail."""

SHOWN = 100
"""Tables that one event names."""


class Kind(StrEnum):
    """START, STOP and TERMINATE: somebody asked for it. RUN: a worker runs it. END: the run has ended in good order, as
    it was stopped or had read all there was. FAILOVER: it ended by an error and goes on. FAIL: it was stopped for good.
    DDL: a change of the source's schema. TABLE_JOIN, TABLE_LEAVE, TABLE_FAIL: tables came into the task, left it, or
    were left behind. CHECKPOINT: a person has set a position. RETRY: tables are to be loaded again. REPLAY: refused
    rows are to be written again. VERIFY: rows that a comparison found to differ are, or a comparison has ended."""

    START = "START"
    STOP = "STOP"
    TERMINATE = "TERMINATE"
    RUN = "RUN"
    END = "END"
    FAILOVER = "FAILOVER"
    FAIL = "FAIL"
    DDL = "DDL"
    TABLE_JOIN = "TABLE_JOIN"
    TABLE_LEAVE = "TABLE_LEAVE"
    TABLE_FAIL = "TABLE_FAIL"
    CHECKPOINT = "CHECKPOINT"
    RETRY = "RETRY"
    REPLAY = "REPLAY"
    VERIFY = "VERIFY"


def tell(db: Connection, file_id: int, kind: Kind, message: str = "", table: str = "", /, **detail: Any) -> None:
    """`detail`: what becomes JSON. NULs, which no store takes, are left out."""
    events.add(db, file_id, at_ms=now_ms(), type=str(kind), **_texts(message, table, detail))


def tell_once(db: Connection, file_id: int, kind: Kind, message: str = "", table: str = "", /, **detail: Any) -> None:
    """As `tell`, but for what may come once more after a crash: nothing where the very same is there already."""
    texts = _texts(message, table, {name: str(value) for name, value in detail.items()})
    if not events.told(db, file_id, type=str(kind), **texts):
        events.add(db, file_id, at_ms=now_ms(), type=str(kind), **texts)


def tell_tables(db: Connection, file_id: int, kind: Kind, message: str, tables: Collection[str]) -> None:
    """One event for all of them: by name where it is one, in its detail where they are more."""
    if tables:
        named = sorted(tables)
        one = named[0] if len(named) == 1 else ""
        tell(db, file_id, kind, message, one, count=len(named), tables=[_short(name) for name in named[:SHOWN]])


def _texts(message: str, table: str, detail: Mapping[str, Any]) -> dict[str, str]:
    told = {name: value for name, value in detail.items() if value is not None}
    written = msgspec.json.encode({n: _short(v) if isinstance(v, str) else v for n, v in told.items()}).decode()
    return {"table_name": _short(table), "message": _short(message), "detail": written.replace("\\u0000", "")}


def _short(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST]
