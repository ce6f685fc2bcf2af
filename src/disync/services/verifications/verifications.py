"""Verifications as users see them: one is asked for, carried out by a process of its own, and looked at meanwhile.

Whether somebody may is looked at when he asks; the process that carries it out asks nobody. It has a lease, so that a
verification whose process is gone fails by itself, and takes no other's place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.engine.verify import Progress
from disync.model.errors import DISyncError, Refused
from disync.services import happening
from disync.services.access import Caller, Role, enter
from disync.services.clock import now_ms
from disync.services.happening import Kind
from disync.services.pages import Page, Slice
from disync.services.runs import find
from disync.services.verification import Asked, Verification, Verified
from disync.services.verifications import outcome
from disync.services.verifications.holding import LEASE_SECONDS, Holding, end, failed
from disync.services.verifications.outcome import State, Table
from disync.store import files
from disync.store import verifications as rows
from disync.store.database import Store

AT_ONCE = 2
"""So many run at once: each reads two databases from end to end."""

START_SECONDS = 60.0
"""In which a server takes one up that was asked for, and its process has begun."""

KEPT = 50
"""Of a task, of those that have ended."""

_NOBODY = f"No server took it up within {START_SECONDS:.0f} s: is `disync serve` running? Start it again."
_SILENT = "Its process fell silent: it, or the server, was killed, or could not reach the store. Start it again."


@dataclass(frozen=True, slots=True)
class Seen:
    """A row of `verification`, with what it comes to at this moment."""

    row: Any
    state: State
    message: str
    ended_ms: int | None

    @property
    def percent(self) -> int:
        """Of its tables, each counted alike; known where the row has its report."""
        tables = self.tables
        whole = self.state not in (State.RUN, State.STOPPED)
        return 100 if whole else sum(table.percent for table in tables) // max(1, len(tables))

    @property
    def tables(self) -> list[Table]:
        return outcome.read(self.row.report)


class Verifications:
    def __init__(self, store: Store, verification: Verification) -> None:
        self._store = store
        self._verification = verification

    def start(self, caller: Caller, project_id: int, file_id: int, asked: Asked, holder: str = "") -> int:
        """Ask for one, of a real-time task or of that of a solution; its id. `holder`: whoever carries it out himself;
        without one, a server takes it up.

        Refused where the task cannot be compared, and where it, or as many others as may be, are compared already.
        """
        with self._store.write() as db:
            self._store.alone(db, "verification")
            task = find(db, caller, project_id, file_id, Role.DEVELOPER).task
            if hindrance := self._verification.hindrance(db, task):
                raise Refused(hindrance)
            now = now_ms()
            _require_room(db, task, now)
            rows.prune(db, task, KEPT - 1, now)
            return rows.add(
                db,
                file_id=task,
                user_id=caller.user_id,
                tables=msgspec.json.encode(asked.tables).decode(),
                repair=asked.repair,
                most=asked.most,
                seconds=asked.seconds,
                holder=holder,
                until_ms=now + int((LEASE_SECONDS if holder else START_SECONDS) * 1000),
                started_ms=now,
            )

    def carry(
        self,
        verification_id: int,
        holder: str,
        tell: Callable[[Progress], None] = lambda _: None,
        lost: Callable[[], None] = lambda: None,
    ) -> Verified:
        """Do what was asked for, and keep what comes of it. Whatever ended it is kept, and raised."""
        with self._store.read() as db:
            row = rows.get(db, verification_id)
        if row is None or row.holder != holder or row.state != State.RUN:
            raise Refused(f"Verification {verification_id} is no longer there, has ended, or is somebody else's.")
        asked = Asked(msgspec.json.decode(row.tables, type=list[str]), row.repair, row.most, row.seconds)
        held = Holding(self._store, verification_id, holder, lost)

        def both(now: Progress) -> None:
            held.tell(now)
            tell(now)

        try:
            with held:
                found = self._verification.verify(row.file_id, asked, both, held.confirm)
        except BaseException as error:
            end(self._store, verification_id, holder, failed(_reason(error), held.course))
            raise
        end(self._store, verification_id, holder, outcome.of(found))
        return found

    def get(self, caller: Caller, project_id: int, verification_id: int) -> Seen:
        with self._store.read() as db:
            return _seen(_find(db, caller, project_id, verification_id))

    def stop(self, caller: Caller, project_id: int, verification_id: int) -> None:
        """End one that waits or runs: what was compared so far stays. Whoever carries it out finds at his next renewal
        that it is no longer his; from now on he asks for no repair."""
        with self._store.write() as db:
            row = _find(db, caller, project_id, verification_id, Role.DEVELOPER)
            found = outcome.stopped(outcome.read(row.report), caller.user_id, row.repair)
            now = now_ms()
            if not rows.stop(db, verification_id, now, ended_ms=now, **found.values):
                raise Refused(f"Verification {verification_id} has ended already: there is nothing to stop.")
            told = {"verification": verification_id, "state": str(found.state)}
            happening.tell(db, row.file_id, Kind.VERIFY, found.message, **told)

    def list(self, caller: Caller, project_id: int, file_id: int, asked: Slice) -> tuple[Page[Seen], str]:
        """Those of a task, the newest first; and why it cannot be compared now, "" where it can."""
        with self._store.read() as db:
            task = find(db, caller, project_id, file_id).task
            total, found = rows.page(db, task, asked.offset, asked.size)
            return Page(asked, total, [_seen(row) for row in found]), self._verification.hindrance(db, task)


def _find(db: Connection, caller: Caller, project_id: int, verification_id: int, need: Role = Role.VISITOR) -> Any:
    """The row, if the caller may do in its workspace what needs `need`."""
    workspace = enter(db, caller, project_id, need)
    row = rows.get(db, verification_id)
    file = files.get(db, row.file_id) if row is not None else None
    if file is None or file.workspace_id != workspace.id:
        raise Refused(f"VerificationId:[{verification_id}] is invalid.", "Invalid.VerificationId")
    return row


def _require_room(db: Connection, task: int, now: int) -> None:
    running = rows.running(db, now)
    own = next((row.id for row in running if row.file_id == task), None)
    if own is not None:
        raise Refused(f"Verification {own} of this task is still running: wait until it has ended, or stop it.")
    if len(running) >= AT_ONCE:
        tasks = ", ".join(str(row.file_id) for row in running)
        raise Refused(
            f"{len(running)} verifications are running already, as many as may be at once, of the tasks {tasks}: start "
            "this one when one of them has ended."
        )


def _reason(error: BaseException) -> str:
    """Of a fault of ours the log has the text; it is not known what it holds."""
    if isinstance(error, DISyncError):
        return str(error)
    return "An internal error occurred; the log has the details." if isinstance(error, Exception) else "It was cut off."


def _seen(row: Any) -> Seen:
    if row.state == State.RUN and row.until_ms < now_ms():
        return Seen(row, State.FAIL, _SILENT if row.holder else _NOBODY, row.until_ms)
    return Seen(row, State(row.state), row.message, row.ended_ms)
