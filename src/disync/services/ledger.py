"""What a run remembers, in the store. See engine/ledger.py for what is promised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import msgspec
import structlog
from sqlalchemy import Connection

from disync.model.data import Dirty, SchemaChange
from disync.model.ddl import Policy
from disync.model.errors import Fenced
from disync.model.job import parse
from disync.model.kept import Kept
from disync.model.lineage import Flow
from disync.model.run import Checkpoint, Split, Tally, Task
from disync.services import happening
from disync.services.clock import now_ms
from disync.services.happening import Kind
from disync.services.lineage import datasets
from disync.services.solutions import nodes
from disync.services.solutions.tables import Targets
from disync.services.together import Together
from disync.store import checkpoints, instances, lineage, solutions
from disync.store import dirty as refused_rows
from disync.store.database import Store

log = structlog.get_logger()

LONGEST_MESSAGE = 4000
LONGEST_ROW = 256 * 1024
"""Characters of a refused row that is kept whole."""
LONGEST_VALUE = 4096
"""And of each of its values where it is longer. No key is."""


@dataclass(frozen=True, slots=True)
class _Save:
    """As of Ledger.save."""

    checkpoint: Checkpoint
    dirty: Sequence[Dirty]
    tally: Tally


class StoreLedger:
    """The durable memory of one run: every call first makes sure that no newer run has taken over. `traced`: whether
    somebody wants to know what the run reads and writes."""

    def __init__(self, store: Store, task: Task, traced: bool = False) -> None:
        self._store = store
        self._task = task
        self._traced = traced
        self._saves = Together(self._save_all)
        self._cut: set[str] = set()
        """The parts of the full load: the rows of each are counted."""

    def checkpoints(self) -> Mapping[str, Checkpoint]:
        with self._store.read() as db:
            return checkpoints.of_task(db, self._task.id)

    def checkpoint(self, split: str) -> Checkpoint | None:
        with self._store.read() as db:
            return checkpoints.get(db, self._task.id, split)

    def load(self) -> Sequence[Split]:
        with self._store.read() as db:
            found = checkpoints.load_of_task(db, self._task.id)
        self._cut |= {split.id for split in found}
        return found

    def begin(self, checkpoints_: Sequence[Checkpoint], load: Sequence[Split] = ()) -> None:
        now = now_ms()
        with self._store.read() as db:
            planned = nodes.planned(db, self._task, load)
        targets = _targets(self._task, load)
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put_load(db, self._task.id, load, targets)
            checkpoints.put(db, self._task.id, checkpoints_, now)
            if load and checkpoints.begun_before(db, self._task.id, {split.id for split in load}):
                names = {split.table.name for split in load}
                happening.tell_tables(db, self._task.id, Kind.TABLE_JOIN, "It has come into the task.", names)
            if planned is not None:
                nodes.follow(db, *planned, anew=not self._cut)
        self._cut |= {split.id for split in load}

    def save(self, checkpoint: Checkpoint, dirty: Sequence[Dirty], tally: Tally) -> int:
        """Those of several splits at once are one transaction."""
        return self._saves.call(_Save(checkpoint, dirty, tally))

    def _save_all(self, saves: Sequence[_Save]) -> list[int]:
        task, now = self._task, now_ms()
        written = {save.checkpoint.split: save.tally.rows_written for save in saves if save.tally.rows_written}
        refused = [_kept(row, row not in save.checkpoint.refused) for save in saves for row in save.dirty]
        with self._store.write() as db:
            self._guard(db)
            checkpoints.put(db, task.id, [save.checkpoint for save in saves], now)
            solutions.wrote(db, task.id, {split: rows for split, rows in written.items() if split in self._cut})
            refused_rows.keep(db, task.id, refused, now)
            count = _count(db, task.id, sum((save.tally for save in saves), Tally()))
            # The limit bounds how many there are to be counted one by one.
            if refused and task.limits.dirty is not None:
                count = refused_rows.since_start(db, task.id)
        return [count] * len(saves)

    def join(self, stream: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.join(db, self._task.id, stream)

    def leave(self, tables: Set[str]) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.leave(db, self._task.id, tables)
            nodes.leave(db, self._task.id, tables)
            happening.tell_tables(db, self._task.id, Kind.TABLE_LEAVE, "It has left the task.", tables)

    def left(self) -> Set[str]:
        with self._store.read() as db:
            return checkpoints.left(db, self._task.id)

    def parts_left(self, tables: Set[str]) -> Sequence[str]:
        with self._store.read() as db:
            return checkpoints.parts_left(db, self._task.id, tables)

    def fail(self, tables: Set[str], reason: str) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.fail(db, self._task.id, tables, storable(reason), now_ms())
            happening.tell_tables(db, self._task.id, Kind.TABLE_FAIL, reason, tables)

    def routed(self, flows: Callable[[], Sequence[Flow]]) -> None:
        if not self._traced:
            return
        try:
            told = datasets.write(flows())
            with self._store.write() as db:
                self._guard(db)
                lineage.put(db, self._task.id, now_ms(), told)
        except Exception:
            log.exception("what this run reads and writes is not traced", task=self._task.id)

    def changed(self, change: SchemaChange, policy: Policy, outcome: str) -> None:
        table = (change.before if change.before.name else change.after).name
        detail = {"kind": change.kind, "policy": policy, "outcome": outcome, "statement": change.statement}
        # One statement may be several changes of one kind.
        if columns := {column.name for column in {*change.before.columns} ^ {*change.after.columns}}:
            detail["columns"] = ", ".join(sorted(columns))
        with self._store.write() as db:
            self._guard(db)
            happening.tell_once(
                db, self._task.id, Kind.DDL, f"{change.kind}: {outcome}", table, position=change.position, **detail
            )

    def omitted(self) -> Mapping[str, frozenset[str]]:
        with self._store.read() as db:
            return checkpoints.omitted(db, self._task.id)

    def omit(self, table: str, columns: Set[str]) -> None:
        with self._store.write() as db:
            self._guard(db)
            checkpoints.omit(db, self._task.id, table, columns)

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


def _targets(task: Task, load: Sequence[Split]) -> dict[str, str]:
    """Where each table goes. With many tables this takes a while, and needs no lock."""
    if not load:
        return {}
    targets = Targets(parse(task.code))
    return {table.name: targets.name(table) for table in {split.table.name: split.table for split in load}.values()}


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
