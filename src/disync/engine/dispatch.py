"""What a worker asks of whoever hands out work. The services implement it over the store."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple, Protocol

from disync.engine.ledger import Ledger
from disync.model.errors import TaskError
from disync.model.run import Task


class Hold(NamedTuple):
    """A run that a worker holds: a task and the epoch under which it was claimed."""

    task_id: int
    epoch: int


LEASE_SECONDS = 10.0
"""How long a run stays a worker's own without being renewed. A worker that cannot renew stops its runs before that."""


class Dispatch(Protocol):
    def claim(self, worker: str) -> Task | None:
        """Take one run that is wanted and that nobody holds; its epoch grows by one. None: nothing to do."""

    def renew(self, worker: str, running: Set[Hold]) -> Set[Hold]:
        """Hold on to all of the worker's runs for LEASE_SECONDS more and mark those `running`.

        Returns those which are still wanted: all others must stop.
        """

    def finish(self, task: Task, error: TaskError | None) -> None:
        """The run has ended and holds nothing any more: by itself or as asked (None), or because of `error`."""

    def ledger(self, task: Task) -> Ledger: ...
