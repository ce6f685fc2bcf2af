"""What the engine asks of whoever remembers for it. The services implement it over the store; `Notebook` in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Protocol

from disync.model.data import Dirty, SchemaChange
from disync.model.ddl import Policy
from disync.model.kept import Kept
from disync.model.lineage import Flow
from disync.model.run import Checkpoint, Split, Tally


class Ledger(Protocol):
    """The durable memory of one run. Every call is atomic, and raises Fenced when a newer run has taken over."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        """The last checkpoint of every split this task has ever begun, by split id."""

    def checkpoint(self, split: str) -> Checkpoint | None:
        """The last one of this split."""

    def load(self) -> Sequence[Split]:
        """The bounded splits that `begin` was given; of each one's table only the name is kept."""

    def begin(self, checkpoints: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        """Remember where streams begin and how the full load is cut, all or none.

        A crash right after must choose neither other places nor other cuts.
        """

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        """Remember that everything up to `checkpoint` is durable in the target, with the rows it refused.

        `tally` is what was done since the last save of this split. Returns the rows refused since the task was started,
        but for those that were replayed or dropped.
        """

    def join(self, stream: str) -> None:
        """The tables that this stream followed are told of by the source's own from now on: both have come to one
        place."""

    def leave(self, tables: Set[str]) -> None:
        """These tables are no longer in the task: how they were cut is forgotten."""

    def left(self) -> Set[str]:
        """The tables that were in the task before and have not come back."""

    def parts_left(self, tables: Set[str]) -> Sequence[str]:
        """The bounded splits that these had, of those that have left."""

    def fail(self, tables: Set[str], reason: str) -> None:
        """These tables are left behind, for this reason, until somebody asks for them again: as if they had left."""

    def failed(self) -> Mapping[str, str]:
        """The tables that are left behind, and why."""

    def routed(self, flows: Callable[[], Sequence[Flow]]) -> None:
        """What this run reads and where it goes, for whoever traces it; told once, as the run begins. Whoever does not
        need not ask. Raises nothing: no run depends on it."""

    def changed(self, change: SchemaChange, policy: Policy, outcome: str) -> None:
        """The source's schema has changed, and this is what came of it. After a crash the same may be told again."""

    def omitted(self) -> Mapping[str, frozenset[str]]:
        """By table of the source, the columns that its target goes without."""

    def omit(self, table: str, columns: Set[str]) -> None:
        """The target of this table goes without these columns, and no others. Told again after a crash."""

    def asked(self) -> Sequence[Kept]:
        """The refused rows whose replay is asked for, in the order of their requests, then of their ids."""

    def settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        """Remember what became of rows whose replay was asked for: None, or the reason why they are refused again."""


class Notebook:
    """A ledger in memory, for a run without a server (`disync run`) and for tests of the loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._checkpoints: dict[str, Checkpoint] = {}
        self._load: list[Split] = []
        self._left: list[Split] = []
        self._failed: dict[str, str] = {}
        self._omitted: dict[str, frozenset[str]] = {}
        self.dirty: list[Dirty] = []
        self.changes: list[tuple[SchemaChange, Policy, str]] = []
        self.flows: list[Flow] = []
        self.kept: dict[int, Kept] = {}
        """Rows to replay, by id: what tests put here."""
        self.outcomes: dict[int, str | None] = {}
        self.tally = Tally()

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._lock:
            return dict(self._checkpoints)

    def checkpoint(self, split: str) -> Checkpoint | None:
        return self.checkpoints().get(split)

    def load(self) -> Sequence[Split]:
        with self._lock:
            return list(self._load)

    def begin(self, checkpoints: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        with self._lock:
            self._checkpoints.update({c.split: c for c in checkpoints})
            self._load.extend(load)
            names = {split.table.name for split in load}
            self._left = [split for split in self._left if split.table.name not in names]

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        with self._lock:
            self._checkpoints[checkpoint.split] = checkpoint
            self.dirty.extend(dirty)
            self.tally = self.tally + tally
            return len(self.dirty)

    def join(self, stream: str) -> None:
        with self._lock:
            self._load = [replace(split, stream="") if split.stream == stream else split for split in self._load]
            self._checkpoints.pop(stream, None)

    def leave(self, tables: Set[str]) -> None:
        with self._lock:
            self._left += [split for split in self._load if split.table.name in tables]
            self._load = [split for split in self._load if split.table.name not in tables]

    def left(self) -> Set[str]:
        with self._lock:
            return {split.table.name for split in self._left}

    def parts_left(self, tables: Set[str]) -> Sequence[str]:
        with self._lock:
            return [split.id for split in self._left if split.table.name in tables]

    def fail(self, tables: Set[str], reason: str) -> None:
        self.leave(tables)
        with self._lock:
            self._failed |= dict.fromkeys(tables, reason)

    def failed(self) -> Mapping[str, str]:
        with self._lock:
            return dict(self._failed)

    def retry(self, tables: Set[str] | None = None) -> None:
        """No table, or none of these, is left behind any more: the next run takes them up again."""
        with self._lock:
            for table in self._failed.keys() & (self._failed.keys() if tables is None else tables):
                del self._failed[table]

    def routed(self, flows: Callable[[], Sequence[Flow]]) -> None:
        with self._lock:
            self.flows = list(flows())

    def changed(self, change: SchemaChange, policy: Policy, outcome: str) -> None:
        with self._lock:
            self.changes.append((change, policy, outcome))

    def omitted(self) -> Mapping[str, frozenset[str]]:
        with self._lock:
            return dict(self._omitted)

    def omit(self, table: str, columns: Set[str]) -> None:
        with self._lock:
            self._omitted[table] = frozenset(columns)

    def asked(self) -> Sequence[Kept]:
        with self._lock:
            return sorted(self.kept.values(), key=lambda row: (row.request, row.id))

    def settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        with self._lock:
            self.outcomes.update(outcomes)
            self.tally = self.tally + tally
            for row in outcomes:
                self.kept.pop(row, None)
