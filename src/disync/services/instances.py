"""The runs of deployed tasks as users see them: start, stop, take offline, ask for the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection

from disync.model import ddl
from disync.model.ddl import Policy
from disync.model.errors import NeedsConfirmation, Refused
from disync.model.job import dirty_limit
from disync.model.run import Start
from disync.services import happening, waiting
from disync.services.access import Caller, Role
from disync.services.clock import now_ms
from disync.services.happening import Kind
from disync.services.realtime import find, find_own
from disync.store import checkpoints, deployments
from disync.store import instances as rows
from disync.store.database import Store


class State(StrEnum):
    """As in GetDISyncInstanceInfo, `Data.Status` of DI_REALTIME."""

    NORUN = "NORUN"
    """Never started."""
    WAIT = "WAIT"
    """Start was asked for; no worker runs it yet, or it waits for its next try after a failure."""
    RUN = "RUN"
    KILLING = "KILLING"
    """Stop was asked for; a worker still holds it."""
    PAUSE = "PAUSE"
    """Stopped: as asked, or for good because of an error, which `Data.Message` then tells."""


def state(row: Any) -> State:
    """What runs, not what is hoped for: RUN means that a worker holds the lease and reads."""
    if row is None or row.started_ms is None:
        return State.NORUN
    held = row.worker is not None
    if row.desired == "RUN":
        return State.RUN if held and row.running else State.WAIT
    return State.KILLING if held else State.PAUSE


@dataclass(frozen=True, slots=True)
class StartParam:
    """StartDISyncInstance.StartParam. None: the task's own setting, or the default.

    `start` comes from `startTime`, which is our extension: ms since 1970, "earliest" or "latest".
    """

    failover_count: int | None = None
    failover_minutes: int | None = None
    dirty_limit: int | None = None
    start: Start | None = None
    ddl: Mapping[str, Policy] = field(default_factory=dict)


class Instances:
    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self, caller: Caller, project_id: int, file_id: int, start_param: str | None) -> None:
        """Ask for the task to run. It resumes where it was, unless `startTime` says where to begin."""
        with self._store.write() as db:
            find_own(db, caller, project_id, file_id)
            begin(db, file_id, parse_start_param(start_param))

    def stop(self, caller: Caller, project_id: int, file_id: int) -> None:
        """Ask for the task to stop: what it has read is flushed, and its position kept."""
        with self._store.write() as db:
            find_own(db, caller, project_id, file_id)
            halt(db, file_id)

    def terminate(self, caller: Caller, project_id: int, file_id: int) -> None:
        """Take the task offline. Its run is cut off and its position forgotten: deployed again, it begins anew."""
        with self._store.write() as db:
            find_own(db, caller, project_id, file_id)
            withdraw(db, file_id)

    def info(self, caller: Caller, project_id: int, file_id: int) -> tuple[State, str, str | None]:
        """(state, name, message): the message is the cause when the task waits after a failure, or ended by one."""
        with self._store.read() as db:
            file = find(db, caller, project_id, file_id, Role.VISITOR)
            row = rows.get(db, file_id)
            now = state(row)
            message = row.message if row is not None else None
            if now is State.WAIT and message is None:
                message = waiting.reason(db, row)
        return now, file.name, message


def begin(db: Connection, file_id: int, param: StartParam, what: str = "task") -> None:
    """What `Instances.start` promises. A task whose last run ended with NeedsConfirmation is confirmed by it, and
    tables that were left behind are taken up again."""
    if deployments.get(db, file_id) is None:
        raise Refused(f"The {what} is not deployed: call DeployDISyncTask before starting it.")
    row = rows.get(db, file_id)
    now = state(row)
    if now in (State.RUN, State.WAIT):
        raise Refused(f"The {what} is started already (its state is {now}): stop it first.")
    if now is State.KILLING:
        raise Refused(f"The {what} is still stopping (KILLING): start it when its state is PAUSE.")
    at = now_ms()
    values: dict[str, Any] = {"desired": "RUN", "message": None, "started_ms": at, "lease_until_ms": 0}
    values |= {"failover_count": param.failover_count, "failover_minutes": param.failover_minutes}
    values |= dict.fromkeys(("rows_read", "bytes_read", "rows_written", "rows_dirty"), 0)
    values |= {"dirty_limit": param.dirty_limit, "ddl": msgspec.json.encode(param.ddl).decode()}
    if asks(row):
        values["confirmed_ms"] = at
    checkpoints.retry(db, file_id)
    if param.start is not None:
        checkpoints.forget(db, file_id)
        values |= {"start_at": param.start.at, "start_time_ms": param.start.time_ms}
    if param.start is not None or row is None or row.started_ms is None:
        values["beginning"] = _beginning(row, at)
    rows.put(db, file_id, **values)
    start = param.start and (param.start.time_ms if param.start.at == "time" else param.start.at)
    happening.tell(db, file_id, Kind.START, start=start, confirmed=asks(row) or None)


_YEAR_MS = 1_767_225_600_000
"""2026, since 1970: seconds after it have room in the column for longer than it is anybody's concern."""


def _beginning(row: Any, at_ms: int) -> int:
    """The number of this beginning: higher than any before, and none that was ever another's. A store that was put back
    to an older state has forgotten some, while targets still hold how far those came."""
    return max(1 + (row.beginning if row is not None else 0), (at_ms - _YEAR_MS) // 1000)


def halt(db: Connection, file_id: int, what: str = "task") -> None:
    """What `Instances.stop` promises."""
    row = rows.get(db, file_id)
    if state(row) is State.NORUN:
        raise Refused(f"The {what} has not been started.")
    if row is not None and row.desired == "RUN":
        rows.put(db, file_id, desired="STOP", message=None, stopped_ms=now_ms())
        happening.tell(db, file_id, Kind.STOP)


def withdraw(db: Connection, file_id: int, what: str = "task") -> None:
    """What `Instances.terminate` promises."""
    if not deployments.remove(db, file_id):
        raise Refused(f"The {what} is not deployed.")
    row = rows.get(db, file_id)
    if row is not None:
        # The next epoch fences off a worker that still holds the run; it stops at its next tick.
        rows.remove(db, file_id)
        rows.put(db, file_id, epoch=row.epoch + 1, beginning=row.beginning + 1)
    checkpoints.forget(db, file_id)
    happening.tell(db, file_id, Kind.TERMINATE)


def asks(row: Any) -> bool:
    """Whether the last run ended to ask whether it may go on."""
    return row is not None and (row.message or "").startswith(f"{NeedsConfirmation.code}:")


def parse_start_param(text: str | None) -> StartParam:
    """Read StartParam. Raises Refused with the place of what is wrong; members it does not know have no effect."""
    if not text:
        return StartParam()
    try:
        param = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Refused(f"StartParam is not JSON: {error}") from error
    if not isinstance(param, dict):
        raise Refused("StartParam must be a JSON object.")
    failover, errors = _object(param, "failoverLimit"), _object(param, "errorLimit")
    try:
        dirty = dirty_limit(errors.get("record"))
    except ValueError as error:
        raise Refused(f"StartParam.errorLimit.record: {error}") from error
    return StartParam(
        _whole(failover, "failoverLimit", "count", least=0),
        _whole(failover, "failoverLimit", "interval", least=1),
        dirty,
        _start(param.get("startTime")),
        ddl.read(param.get("ddlMarkMap"), "StartParam.ddlMarkMap"),
    )


def _object(param: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    value = param.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"StartParam.{member} must be an object.")
    return value


def _whole(parent: Mapping[str, Any], name: str, member: str, least: int) -> int | None:
    value = _digits(parent.get(member))
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 1_000_000:
        raise Refused(f"StartParam.{name}.{member} must be a whole number from {least} to 1000000.")
    return value


def _digits(value: Any) -> Any:
    """A number that came as text, as a number; all else as it is. Numbers longer than any that is meant stay text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        return int(value)
    return value


def _start(value: Any) -> Start | None:
    if value is None:
        return None
    if value in ("earliest", "latest"):
        return Start(value)
    value = _digits(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53:
        return Start("time", value)
    raise Refused('StartParam.startTime must be a time in ms since 1970, "earliest" or "latest".')
