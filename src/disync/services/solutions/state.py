"""What a solution's status is: computed from what is deployed and from what runs, never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from disync.services import instances
from disync.services.instances import State


class Status(StrEnum):
    """As in GetDISyncTask, `SolutionDetail.Status`. The comments say what the vendor's words mean here."""

    SUCCESSFUL = "0"
    """All that was there is loaded, and the log is followed."""
    NOT_RUNNING = "1"
    """Created, or stopped as asked."""
    RUNNING = "2"
    """A worker has it; the load is not at its end, or a table was left behind."""
    FAILED = "3"
    """Stopped for good by an error, which GetDISyncInstanceInfo tells."""
    COMMITTED = "4"
    """Deployed, and not started yet."""
    TO_CONFIRM = "5"
    """Stopped because a table of the target is not what it would be made like; a start says: go on with it."""
    CONFIRMED = "6"
    """That start was asked for; no rows are read yet."""
    OTHER = "7"
    """About to stop, or taken offline."""
    WAITING = "8"
    """A start was asked for, and no worker has it: yet, or for now, after a failure."""
    DELETED = "9"


RUNS = {
    Status.SUCCESSFUL: "run",
    Status.NOT_RUNNING: "stop",
    Status.RUNNING: "run",
    Status.FAILED: "fail",
    Status.COMMITTED: "commit",
    Status.TO_CONFIRM: "confirm",
    Status.CONFIRMED: "confirmed",
    Status.OTHER: "other",
    Status.WAITING: "wait",
    Status.DELETED: "deleted",
}
"""`SolutionInfo.Status`. Of these words only `run` is published."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the status is made of. `state` and `held` (by a worker) are of the real-time task that the solution
    owns, `asks` is whether it stopped to be confirmed, `confirming` whether it was started by such a confirmation and
    has met no failure since. `begun`: tables are made, the load is cut; `loaded`: it is at its end. `behind`: tables
    that the run has left behind, and why."""

    deleted: bool = False
    submitted: bool = False
    deployed: bool = False
    state: State = State.NORUN
    held: bool = False
    asks: bool = False
    confirming: bool = False
    begun: bool = False
    loaded: bool = False
    behind: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None

    @property
    def told(self) -> str | None:
        """What is wrong, if anything is."""
        if self.message or not self.behind:
            return self.message
        table, reason = sorted(self.behind.items())[0]
        more = f" and {len(self.behind) - 1} more tables are" if len(self.behind) > 1 else " is"
        return f"{table}{more} left behind, and taken up again by a stop and a start: {reason}"


def facts(row: Any, instance: Any, load: Any, begun: bool, behind: Mapping[str, str]) -> Facts:
    """From the rows of the solution and of its task; `load` as `store.solutions.load` has it."""
    there = instance is not None
    state = instances.state(instance)
    return Facts(
        deleted=bool(row.deleted),
        submitted=row.submitted_ms is not None,
        deployed=row.deployed_ms is not None,
        state=state,
        held=there and instance.worker is not None,
        asks=instances.asks(instance),
        confirming=there
        and instance.confirmed_ms is not None
        and instance.confirmed_ms == instance.started_ms
        and instance.message is None,
        begun=begun,
        loaded=begun and load.ended == load.parts,
        behind=dict(behind),
        message=instance.message if there else None,
    )


def status(facts: Facts) -> Status:
    if facts.deleted:
        return Status.DELETED
    if not facts.deployed:
        return Status.OTHER if facts.submitted else Status.NOT_RUNNING
    match facts.state:
        case State.NORUN:
            return Status.COMMITTED
        case State.WAIT:
            return Status.CONFIRMED if facts.confirming else Status.RUNNING if facts.held else Status.WAITING
        case State.RUN:
            return Status.SUCCESSFUL if facts.loaded and not facts.behind else Status.RUNNING
        case State.KILLING:
            return Status.OTHER
        case State.PAUSE:
            if facts.asks:
                return Status.TO_CONFIRM
            return Status.FAILED if facts.message else Status.NOT_RUNNING
