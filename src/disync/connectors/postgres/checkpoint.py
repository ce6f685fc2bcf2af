"""The table `disync_checkpoint` beside the data: how far each split is, committed together with its rows.

The row is also the lock of the split: a flush begins by writing it, so two runs of one task cannot both have it, and
what a run does not expect to find there tells that another run has been at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from disync.connectors.postgres.catalog import describe
from disync.connectors.postgres.connection import MADE_MEANWHILE, Connection
from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.target import make_schema
from disync.model.data import Dirty, Position
from disync.model.errors import BegunAnew, Fenced, Unreachable
from disync.model.run import Checkpoint

NAME = "disync_checkpoint"

_CREATE = """
CREATE TABLE {} (
    task text NOT NULL, split text NOT NULL, position text NOT NULL, epoch bigint NOT NULL, done boolean NOT NULL,
    sequence bigint NOT NULL, refused text NOT NULL DEFAULT '[]', updated timestamp with time zone NOT NULL,
    PRIMARY KEY (task, split))
"""
_GROW = "ALTER TABLE {} ADD COLUMN IF NOT EXISTS refused text NOT NULL DEFAULT '[]'"
_READ = "SELECT position, epoch, done, sequence, refused FROM {} WHERE task = $1 AND split = $2"
_PARTS = """
SELECT split, position, done FROM {}
WHERE task = $1 AND (split = $2 OR left(split, length($3::text)) = $3::text)
"""
_REFUSED = "UPDATE {} SET refused = $1 WHERE task = $2 AND split = $3"
_CLAIM = """
INSERT INTO {} AS held (task, split, position, epoch, done, sequence, updated) VALUES ($1, $2, $3, $4, $5, $6, now())
ON CONFLICT (task, split) DO UPDATE SET position = EXCLUDED.position, epoch = EXCLUDED.epoch, done = EXCLUDED.done,
    sequence = EXCLUDED.sequence, refused = '[]', updated = EXCLUDED.updated
WHERE held.epoch <= EXCLUDED.epoch AND held.position = $7 AND held.epoch = $8 AND held.done = $9 RETURNING 1
"""

CLOSED = 2**62
"""An epoch that no run has: of what an earlier beginning of a task has written."""


@dataclass(frozen=True, slots=True)
class Held:
    """A row of the table. `sequence`: changes that were appended, for `_sequence_id_`."""

    checkpoint: Checkpoint
    sequence: int = 0

    @property
    def closed(self) -> bool:
        """Whether it is of an earlier beginning of the task, which counts no more."""
        return self.checkpoint.epoch == CLOSED


def relation(schema: str) -> Relation:
    return Relation(schema, NAME)


def create(connection: Connection, schema: str) -> None:
    """Make the table where it is not. Commits."""
    while describe(connection, relation(schema)) is None:
        try:
            make_schema(connection, schema)
            connection.execute(_CREATE.format(relation(schema)).encode())
            connection.commit()
        except MADE_MEANWHILE:
            connection.rollback()
    target = describe(connection, relation(schema))
    if target is not None and target.find("refused") is None:  # made by an earlier release
        connection.execute(_GROW.format(relation(schema)).encode())
        connection.commit()
    connection.rollback()


def goes_on(connection: Connection, schema: str, task: str) -> bool:
    """Whether this task has written here before: what its tables still lack, its log may bring then."""
    query = f"SELECT 1 FROM {relation(schema)} WHERE task = $1 AND split <> '' LIMIT 1".encode()
    found = connection.execute(query, (task,)).fetchone() is not None
    connection.rollback()
    return found


def ended(connection: Connection, schema: str, task: str, among: Sequence[str] | None = None) -> set[str]:
    """The splits of this task, or of those `among` them, that were written to their end."""
    query = (
        f"SELECT split FROM {relation(schema)} WHERE task = $1 AND done AND ($2::text[] IS NULL OR split = ANY ($2))"
    )
    values = (task, None if among is None else list(among))
    found = {str(split) for (split,) in connection.execute(query.encode(), values).fetchall()}
    connection.rollback()
    return found


def read(connection: Connection, schema: str, task: str, split: str, lock: bool = False) -> Held | None:
    """The row of a split; `lock` keeps it until the transaction ends."""
    query = _READ.format(relation(schema)) + (" FOR UPDATE" if lock else "")
    row = connection.execute(query.encode(), (task, split)).fetchone()
    if row is None:
        return None
    position, epoch, done, sequence, refused = row
    rows = msgspec.json.decode(refused, type=tuple[Dirty, ...])
    return Held(Checkpoint(split, Position(position), epoch, done, rows), sequence)


def parts(connection: Connection, schema: str, task: str, split: str) -> dict[str, Position]:
    """Where the sinks of a stream are by their ids: that of the split, and the others that are not done."""
    query = _PARTS.format(relation(schema)).encode()
    rows = connection.execute(query, (task, split, f"{split}/")).fetchall()
    return {str(id_): Position(position) for id_, position, done in rows if id_ == split or not done}


def keep(connection: Connection, schema: str, task: str, split: str, seen: Held | None) -> None:
    """Make sure that the row is the one that this run saw last, and keep it locked until the transaction ends.

    Unreachable where another run has written it meanwhile: this one starts again, and learns whether it still counts.
    """
    held = read(connection, schema, task, split, lock=True)
    now, before = (found and (found.checkpoint.position, found.checkpoint.epoch) for found in (held, seen))
    if now != before:
        raise Unreachable(f"Another run has written {split} since this one looked; it starts again from there.")


def require_lead(connection: Connection, schema: str, task: str, lead: str, epoch: int) -> None:
    """Keep the row of a stream's first sink locked until the transaction ends. Fenced where a newer run has it: it has
    looked for the others already, and does not know of one that came after that."""
    held = read(connection, schema, task, lead, lock=True)
    if held is not None and held.checkpoint.epoch > epoch:
        raise _fenced(lead, held.checkpoint.epoch, epoch)


def refuse(connection: Connection, schema: str, task: str, checkpoint: Checkpoint) -> None:
    """Keep the checkpoint's refused rows in its row, which this transaction has claimed."""
    if checkpoint.refused:
        rows = msgspec.json.encode(checkpoint.refused).decode()
        connection.execute(_REFUSED.format(relation(schema)).encode(), (rows, task, checkpoint.split))


def claim(connection: Connection, schema: str, task: str, new: Held, seen: Held | None) -> None:
    """Write the row `new` over the row that this run saw last, and keep it locked until the transaction ends.

    `done` is compared, too: a worker that helps may have rows in its hands which another has meanwhile found gone, so
    that the part has ended where it was.

    Fenced where a newer run has been here; Unreachable, so that the run starts again from what is held, where an older
    one was still at work after we had looked.
    """
    cp, before = new.checkpoint, seen.checkpoint if seen else None
    values = (task, cp.split, cp.position, cp.epoch, cp.done, new.sequence)
    expected = (before.position, before.epoch, before.done) if before else (None, None, None)
    if connection.execute(_CLAIM.format(relation(schema)).encode(), (*values, *expected)).fetchone():
        return
    held = read(connection, schema, task, cp.split)
    if held is not None and held.checkpoint.epoch > cp.epoch:
        raise _fenced(cp.split, held.checkpoint.epoch, cp.epoch)
    raise Unreachable(f"Another run has written {cp.split} since this one looked; it starts again from there.")


def _fenced(split: str, newer: int, epoch: int) -> Fenced:
    return BegunAnew() if newer == CLOSED else Fenced(f"Run {newer} writes {split} now; this is run {epoch}.", newer)
