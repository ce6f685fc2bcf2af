"""A job as it runs: plain data that may cross a process or a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from disync.model.data import Dirty, Position, Table
from disync.model.ddl import BUILT_IN, Policies


@dataclass(frozen=True, slots=True)
class Split:
    """A piece of a source that is read in order by one reader: a key range, a file, a shard, a binlog.

    `id` is unique in its source and stable over restarts: checkpoints are kept under it.
    `at` places the split in the source's key space, 0 <= at < 1: rows with equal keys come from splits with equal `at`.
    `parents` are the splits that must be read to their end before this one begins: a shard's parents, and the full
    load before a log. `endless`: a stream of changes. `format` is the encoding that plan chose; None means Arrow.

    Tables may come to a task whose log is being followed. Until they have caught up they have a stream of their own:
    `stream` of a bounded split is the id of the one that follows its table ("": the source's own). An endless split
    tells of `tables` alone (None: all that are selected), and never of those `without`; it ends behind `until`. Where
    several sinks take one stream, `lead` is the id of the first, for all others: who has that one has them all.
    """

    id: str
    table: Table
    at: float = 0.0
    parents: tuple[str, ...] = ()
    bounds: str = ""
    endless: bool = False
    format: str | None = None
    stream: str = ""
    tables: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    until: Position | None = None
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a stream begins that has no checkpoint: `earliest`, `latest`, or `time` (ms since 1970, in `time_ms`)."""

    at: str = "earliest"
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """`failovers` in `failover_minutes` before the task stops for good; `dirty` rows allowed (None: no limit)."""

    failovers: int = 100
    failover_minutes: int = 5
    dirty: int | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a deployed job, ready to be placed: everything a worker needs, secrets included (kept out of repr).

    `code` is the job as the user wrote it; `epoch` grows with every run that is placed, and whoever holds an older one
    is fenced off. `sources` holds the content of each data source that the job names. `owner` is the name under which
    targets keep the task's checkpoints: no other task has it, and the task gets another one when it begins anew.
    `confirmed`: after a run that ended with NeedsConfirmation, the user has started the task again. `isolates`: a table
    that cannot go on is left behind, and the others go on; and a table of the target that differs is asked about.
    `seat`: of a worker that helps with the run.
    """

    id: int
    name: str
    epoch: int
    code: str
    sources: Mapping[str, Mapping[str, Any]] = field(repr=False)
    start: Start = field(default_factory=Start)
    limits: Limits = field(default_factory=Limits)
    owner: str = ""
    ddl: Policies = field(default_factory=lambda: BUILT_IN)
    confirmed: bool = False
    isolates: bool = False
    seat: str = ""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All rows of `split` up to `position` are durable in the target, but for those `refused` since the checkpoint
    before. `done`: the split is read to its end.

    `chosen`: a person has set this position when the task's newest run had this epoch, and no run has taken it up yet:
    what a target holds from that run, or an earlier one, counts no more.
    """

    split: str
    position: Position
    epoch: int
    done: bool = False
    refused: tuple[Dirty, ...] = ()
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has done since it began; rows and bytes as read and as accepted by the target."""

    rows_read: int = 0
    bytes_read: int = 0
    rows_written: int = 0
    rows_dirty: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.rows_read + other.rows_read,
            self.bytes_read + other.bytes_read,
            self.rows_written + other.rows_written,
            self.rows_dirty + other.rows_dirty,
        )
