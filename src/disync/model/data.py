"""What flows from a source to a target: immutable values, in one direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NewType

from arro3.core import Array, RecordBatch

from disync.model.types import Kind, storage

Position = NewType("Position", str)
"""«Resume after this.» Opaque outside its connector, and only ever a place where resuming is valid."""


@dataclass(frozen=True, slots=True)
class Column:
    """`length` in characters (STRING) or bytes (BYTES); `precision` and `scale` of a DECIMAL in digits, `precision`
    of a TIME, DATETIME or TIMESTAMP in digits of a second's fraction. None: not limited, or not known.

    `optional`: a target that has no such column goes without it: the source has none any more, or the change that
    brought it was not followed. That any other one is not there is an error."""

    name: str
    kind: Kind
    nullable: bool = True
    comment: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table, a topic, a collection. No columns: rows of bytes without a schema (a BLOB topic).

    `path`: the parts of its name where it has several: database and table; of a target that a mapping has named, schema
    ("" for the one that the writer step names) and table. `repeats`: it could have a key, and has none, so that its
    rows may be equal. Where no table has one, as in DataHub, that of the target may tell them apart.
    """

    name: str
    columns: tuple[Column, ...] = ()
    keys: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows that stay in an encoding which reader and writer share; what `buffers` mean is the format's affair."""

    format: str
    buffers: tuple[bytes, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table. `ops` is None for a full load, else one byte a row:

    I  a row that was inserted          B  a row before an update; its U follows at once
    D  a row that was deleted           U  that row after the update

    A source that knows no earlier image sends U alone. Only sinks may see L and M, which are B and U with the other row
    elsewhere (`Writer.writers`). `position` is the place after the last of these rows; it only
    changes where resuming is valid, so the batches inside a long transaction all carry the position before it.
    `time`: when the last of these changes was made, by the source's clock, in ms since 1970; None or 0: not known.
    """

    table: Table
    rows: RecordBatch | Encoded
    ops: bytes | None
    position: Position
    time: int | None = None

    @property
    def count(self) -> int:
        return self.rows.count if isinstance(self.rows, Encoded) else self.rows.num_rows

    @property
    def changes(self) -> int:
        """Rows as people count them: an update is one, though it may have two, the row as it was and as it is."""
        return self.count - (self.ops.count(b"B") if self.ops is not None else 0)

    @property
    def size(self) -> int:
        """Bytes held, near enough to pace by."""
        if isinstance(self.rows, Encoded):
            return sum(len(buffer) for buffer in self.rows.buffers)
        return int(self.rows.nbytes)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """`kind` is one of the eight of ddlMarkMap.

    `filled`: columns that have come, and the value, in the storage of its kind, that the rows which were there have in
    them; `unfilled`: those of which nobody can tell. `together`: more renamings of the same statement, which take
    effect with this one or not at all. `unknown`: the table now has rows of which the source has not told.
    """

    before: Table
    after: Table
    kind: str
    statement: str
    position: Position
    filled: tuple[tuple[str, Any], ...] = ()
    unfilled: tuple[str, ...] = ()
    together: tuple[SchemaChange, ...] = ()
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to deliver now; the source has been read up to here. `time`, as in a Batch, of what was read last where
    more is to come; None: this is the end of the log, all that has happened has been delivered."""

    position: Position
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Dirty:
    """A row that cannot be read, or that the target refused: kept, counted against the limit, replayable. `row`: a JSON
    object by column."""

    table: str
    row: str
    reason: str
    position: Position


@dataclass(frozen=True, slots=True)
class Unread:
    """Rows that are there and cannot be read; of their other rows nothing is missing. `position` as in a Batch."""

    rows: tuple[Dirty, ...]
    position: Position


Event = Batch | SchemaChange | Idle | Unread


def record_batch(table: Table, rows: Sequence[Sequence[Any]]) -> RecordBatch:
    """Rows of Python values, in the storage of their kinds (`types.storage`), as one Arrow record batch."""
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in table.columns]
    arrays = [Array(list(values), storage(c.kind)) for c, values in zip(table.columns, columns, strict=True)]
    return RecordBatch.from_pydict({c.name: a for c, a in zip(table.columns, arrays, strict=True)})


def rows_of(batch: RecordBatch) -> list[tuple[Any, ...]]:
    """The rows of a record batch as tuples of Python values: the slow way, for tests, dirty rows and plain targets."""
    columns: list[list[Any]] = [list(batch.column(i).to_pylist()) for i in range(batch.num_columns)]
    return list(zip(*columns, strict=True))
