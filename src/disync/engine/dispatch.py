"""What a worker asks of whoever hands out work. The services implement it over the store."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import NamedTuple, Protocol

from disync.engine.helping import Help
from disync.engine.ledger import Ledger
from disync.engine.lending import Desk
from disync.model.errors import TaskError
from disync.model.run import Task


class Hold(NamedTuple):
    """A run that a worker holds: a task and the epoch under which it was claimed."""

    task_id: int
    epoch: int


class Renewed(NamedTuple):
    """Of the runs that a worker hosts: those that are still wanted, and those that are not its own any more. What is in
    neither is to end in good order."""

    wanted: Set[Hold]
    lost: Set[Hold]


class Dispatch(Protocol):
    def claim(self, worker: str) -> Task | None:
        """Take one run that is wanted and that nobody holds; its epoch grows by one. None: nothing to do."""

    def renew(self, worker: str, running: Set[Hold], begun: Set[Hold] = frozenset()) -> Renewed:
        """Hold on to these runs for LEASE_SECONDS more: to those `running`, which are marked so, and to those that have
        only `begun`. What else the store says that the worker holds has ended unheard, and lapses."""

    def sample(self, delays: Mapping[Hold, int | None], memory_bytes: int) -> None:
        """Write down how these runs are: what each has done since it was told of before (nothing, the first time), how
        far it is behind in ms, and how much memory the worker holds."""

    def finish(self, task: Task, error: TaskError | None) -> None:
        """The run has ended and holds nothing any more: by itself or as asked (None), or because of `error`.

        Of one that was fenced off by the target, although no newer run is known of, the next has a newer epoch than the
        target has seen.
        """

    def ledger(self, task: Task) -> Ledger: ...

    def desk(self, task: Task) -> Desk:
        """Where the run meets workers that help it."""

    @property
    def help(self) -> Help:
        """Where a worker meets runs that it helps."""
