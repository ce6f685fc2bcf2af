"""The audit log: who asked for which write, through which door, and what came of it.

An event is in the store before its operation begins, so none is lost where the server dies meanwhile: then it stays
without a code. Kept for 90 days, and of a great many events the newest. Whatever is secret is masked before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from sqlalchemy import ColumnElement, Connection
from sqlalchemy.exc import SQLAlchemyError

from disync.model.errors import ForbiddenAccess, Refused
from disync.services import masking
from disync.services.access import Caller, Role, enter
from disync.services.clock import now_ms
from disync.services.pages import Page, Slice
from disync.store import audit as rows
from disync.store import data_sources, workspaces
from disync.store.database import Store
from disync.store.schema import audit
from disync.store.trouble import fault

log = structlog.get_logger()

KEPT_MS = 90 * 24 * 60 * 60 * 1000
MOST = 500_000
PRUNE_EVERY = 256

LONGEST = 2000
"""Characters of a parameter, and of a message; what is longer is cut."""

DONE = "OK"


@dataclass(frozen=True, slots=True)
class Write:
    """A write as it is asked for. `request_id`: "" where no request of the API or the console asks for it."""

    caller: Caller
    action: str
    parameters: Mapping[str, Any]
    request_id: str = ""


@dataclass(slots=True)
class Outcome:
    """What whoever does the write may say about it; without a word, it went well."""

    code: str = DONE
    message: str = ""
    file_id: int | None = None
    workspace_id: int | None = None

    def refuse(self, code: str, message: str) -> None:
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Filter:
    """What ListAuditEvents may ask for; None: everything. Times in ms since 1970, the end excluded."""

    project_id: int | None = None
    user_id: str | None = None
    action: str | None = None
    file_id: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None

    def where(self) -> list[ColumnElement[bool]]:
        table = audit.c
        exact = {
            table.workspace_id: self.project_id,
            table.user_id: self.user_id,
            table.action: self.action,
            table.file_id: self.file_id,
        }
        found: list[ColumnElement[bool]] = [column == value for column, value in exact.items() if value is not None]
        if self.start_ms is not None:
            found.append(table.at_ms >= self.start_ms)
        if self.end_ms is not None:
            found.append(table.at_ms < self.end_ms)
        return found


class Audit:
    def __init__(self, store: Store) -> None:
        self._store = store

    @contextmanager
    def writing(self, write: Write) -> Iterator[Outcome]:
        """Record what is done inside, and how it ends. An error goes on as it came."""
        event_id, hidden = self._begin(write)
        outcome = Outcome()
        try:
            yield outcome
        except Refused as error:
            outcome.refuse(error.code, str(error))
            raise
        except Exception as error:
            # Of a fault of ours the log has the text; it is not known what it holds.
            told = fault(error)
            outcome.refuse(told.code, str(told))
            raise
        finally:
            self._finish(event_id, outcome, hidden)

    def list(self, caller: Caller, wanted: Filter, asked: Slice) -> Page[Any]:
        """Events of a workspace for its owners, of all and of none for root; the newest first."""
        with self._store.read() as db:
            if wanted.project_id is not None:
                enter(db, caller, wanted.project_id, Role.OWNER)
            elif not caller.root:
                raise ForbiddenAccess()
            return Page(asked, *rows.page(db, wanted.where(), asked.offset, asked.size))

    def _begin(self, write: Write) -> tuple[int, frozenset[str]]:
        now, caller, given = now_ms(), write.caller, write.parameters
        with self._store.write() as db:
            source = _data_source(db, given)
            kind = given.get("DataSourceType") or (source.type if source is not None else None)
            shown = masking.parameters(given, kind)
            event_id = rows.add(
                db,
                at_ms=now,
                user_id=caller.user_id,
                user_name=caller.name,
                door=caller.door,
                action=write.action,
                workspace_id=source.workspace_id if source is not None else _workspace(db, given),
                file_id=_number(given.get("FileId")),
                parameters=_text(shown),
                request_id=write.request_id,
            )
            if event_id % PRUNE_EVERY == 0:
                rows.prune(db, now - KEPT_MS, event_id - MOST)
        return event_id, masking.hidden(given, shown)

    def _finish(self, event_id: int, outcome: Outcome, hidden: frozenset[str]) -> None:
        message = outcome.message
        for secret in sorted(hidden, key=len, reverse=True):
            message = message.replace(secret, masking.HIDDEN)
        known = {"file_id": outcome.file_id, "workspace_id": outcome.workspace_id}
        found = {name: value for name, value in known.items() if value is not None}
        try:
            with self._store.write() as db:
                rows.finish(db, event_id, code=outcome.code, message=_cut(message), **found)
        except SQLAlchemyError:
            # The write is done: to tell its caller otherwise would be a lie.
            log.exception("the outcome of a write could not be recorded", event_id=event_id, code=outcome.code)


def _data_source(db: Connection, given: Mapping[str, Any]) -> Any:
    source_id = given.get("DataSourceId")
    return None if source_id is None else data_sources.get(db, source_id)


def _workspace(db: Connection, given: Mapping[str, Any]) -> int | None:
    """The workspace that the parameters name, whether it is there or not."""
    project_id = given.get("ProjectId")
    if project_id is None and given.get("ProjectIdentifier"):
        row = workspaces.named(db, given["ProjectIdentifier"])
        return None if row is None else int(row.id)
    return _number(project_id)


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _text(parameters: Mapping[str, Any]) -> str:
    cut = {name: _short(value) for name, value in parameters.items()}
    return msgspec.json.encode(cut).decode()


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return _cut(value)
    text = msgspec.json.encode(value).decode()
    return value if len(text) <= LONGEST else _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
