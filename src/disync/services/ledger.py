"""What a run remembers, in the store. See engine/ledger.py for what is promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import msgspec
from sqlalchemy import Connection

from disync.model.data import Dirty
from disync.model.errors import Fenced
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.services.clock import now_ms
from disync.services.solutions import nodes
from disync.store import checkpoints, instances, solutions
from disync.store import dirty as refused_rows
from disync.store.database import Store

LONGEST_MESSAGE = 4000
LONGEST_ROW = 256 * 1024
"""Characters of a refused row that is kept whole."""
LONGEST_VALUE = 4096
"""And of each of its values where it is longer. No key is."""


class StoreLedger:
    """The durable memory of one run: every call first makes sure that no newer run has taken over."""

    def __init__(self, store: Store, task: Task) -> None:
        self._store = store
        self._task = task
        self._cut: set[str] = set()
        """The parts of the full load: the rows of each are counted."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._store.read() as db:
            return checkpoints.of_task(db, self._task.id)

    def load(self) -> Sequence[Split]:
        with self._store.read() as db:
            found = checkpoints.load_of_task(db, self._task.id)
        self._cut |= {split.id for split in found}
        return found

    def begin(self, checkpoints_: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        now = now_ms()
        with self._store.read() as db:
            planned = nodes.planned(db, self._task, load)
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put_load(db, self._task.id, load)
            for mark in checkpoints_:
                checkpoints.put(db, self._task.id, mark, now)
            if planned is not None:
                nodes.follow(db, *planned, anew=not self._cut)
        self._cut |= {split.id for split in load}

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put(db, self._task.id, checkpoint, now_ms())
            if tally.rows_written and checkpoint.split in self._cut:
                solutions.wrote(db, self._task.id, checkpoint.split, tally.rows_written)
            refused_rows.keep(db, self._task.id, [_kept(row, row not in checkpoint.refused) for row in dirty], now_ms())
            refused = _count(db, self._task.id, tally)
            # The limit bounds how many there are to be counted one by one.
            if dirty and self._task.limits.dirty is not None:
                refused = refused_rows.since_start(db, self._task.id)
            return refused

    def join(self, stream: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.join(db, self._task.id, stream)

    def leave(self, tables: Set[str]) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.leave(db, self._task.id, tables)
            nodes.leave(db, self._task.id, tables)

    def left(self) -> Set[str]:
        with self._store.read() as db:
            return checkpoints.left(db, self._task.id)

    def fail(self, tables: Set[str], reason: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.fail(db, self._task.id, tables, storable(reason), now_ms())

    def failed(self) -> Mapping[str, str]:
        with self._store.read() as db:
            return checkpoints.failed(db, self._task.id)

    def asked(self) -> Sequence[Kept]:
        with self._store.read() as db:
            return refused_rows.asked(db, self._task.id)

    def settle(self, outcomes: Mapping[int, str | None], tally: Tally) -> None:
        with self._store.write() as db:
            self._guard(db)
            for row, reason in outcomes.items():
                refused_rows.settle(db, row, None if reason is None else storable(reason))
            _count(db, self._task.id, tally)

    def _guard(self, db: Connection) -> None:
        if not instances.is_current(db, self._task.id, self._task.epoch):
            raise Fenced("A newer run of this task has taken over.")


def _count(db: Connection, file_id: int, tally: Tally) -> int:
    return instances.count(db, file_id, (tally.rows_read, tally.bytes_read), tally.rows_written, tally.rows_dirty)


def _kept(row: Dirty, read: bool) -> tuple[Dirty, bool]:
    """The row as the store takes it, and whether it is whole: of a very large one the long values are cut, and of one
    that could not be read, some are only shown."""
    cut = replace(row, reason=storable(row.reason))
    if len(row.row) <= LONGEST_ROW:
        return cut, read
    named = msgspec.json.decode(row.row)
    short = {k: v[:LONGEST_VALUE] if isinstance(v, str) else v for k, v in named.items()}
    return replace(cut, row=msgspec.json.encode(short).decode()), False


def storable(text: str) -> str:
    """A text from outside as every store takes it, and short enough to be read."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST_MESSAGE]
