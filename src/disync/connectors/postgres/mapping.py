"""Batches of a source's table as rows of a target's: columns found by name, fields of binary COPY."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any, NamedTuple

import msgspec
import structlog

from disync.connectors.postgres import fields
from disync.connectors.postgres.catalog import Target
from disync.connectors.postgres.target import CHANGE_COLUMNS, keys_of
from disync.connectors.postgres.types import ColumnType, as_it_lies
from disync.model.data import Batch, Column, Dirty, Encoded, Position, Table
from disync.model.errors import BadConfig
from disync.native import pgcopy, rows

log = structlog.get_logger()

INSERTED, DELETED, BEFORE, AFTER, MOVED = b"IDBUM"
"""The ops of a batch, but for L."""


class Mapped(NamedTuple):
    """Rows of the target in the format `pgcopy`, one for each of `ops` (None: all inserted); those it cannot hold; and
    how many the rows are."""

    rows: bytes
    ops: bytes | None
    refused: list[Dirty]
    number: int


@dataclass(frozen=True, slots=True)
class Feed:
    """One column of the source on its way into one of the target."""

    place: int
    name: str
    type: ColumnType
    encoder: fields.Encoder


class Mapping:
    """How rows of `table` become rows of `target`. `keys` is empty where rows are only ever added; `key_places` says
    where they are among `columns`, `compared` how the target compares each (`native.fold`)."""

    def __init__(self, table: Table, target: Target, append: bool) -> None:
        self.table = table
        self.append = append
        self.keys = () if append else keys_of(target, table)
        self._feeds = _feeds(table, target)
        names = [feed.name for feed in self._feeds]
        if not set(self.keys).issubset(names):
            raise BadConfig(f"The rows of {table.name} come without the key of {target.relation}: {self.keys}.")
        self.key_places = [names.index(key) for key in self.keys]
        self.compared = [_compared(self._feeds[place].type) for place in self.key_places]
        self._count = pack("!h", len(names) + (len(CHANGE_COLUMNS) if append else 0))
        self.columns = (*names, *(column.name for column in CHANGE_COLUMNS)) if append else tuple(names)
        self.whole = {c.name for c in target.columns if not c.generated}.issubset(self.columns)
        self._relation = ".".join(target.relation.place)
        self._as_they_lie = (
            not append
            and [feed.place for feed in self._feeds] == list(range(len(table.columns)))
            and all(as_it_lies(table.columns[feed.place], feed.type) for feed in self._feeds)
        )

    def rows(self, batch: Batch, sequence: int, now_ms: int) -> Mapped:
        """`sequence` and `now_ms` are for the columns that tell a change in a target that only grows."""
        if isinstance(batch.rows, Encoded):
            if batch.rows.format != pgcopy.FORMAT:
                raise BadConfig(f"A postgresql writer does not take rows as {batch.rows.format}.")
            if self._as_they_lie:
                return Mapped(batch.rows.buffers[0], batch.ops, [], batch.count)
        values = _values(batch)
        columns, reasons = self._encoded(values)
        ops = batch.ops or bytes([INSERTED]) * batch.count
        tails = change_fields(ops, sequence, now_ms) if self.append else [b""] * batch.count
        kept = [place for place in range(batch.count) if self._stays(place, ops, columns, reasons)]
        lines = [
            self._count + b"".join([column[place] or fields.NULL for column in columns]) + tails[place]
            for place in kept
        ]
        names = [column.name for column in batch.table.columns]
        refused = [
            self._dirty(dict(zip(names, [column[place] for column in values], strict=True)), why, batch.position)
            for place, why in reasons.items()
            if _comes(ops[place])
        ]
        kept_ops = bytes([ops[place] for place in kept]) if batch.ops else None
        return Mapped(b"".join(lines), kept_ops, refused, len(kept))

    def refused(self, row: bytes, reason: str, position: Position, columns: Sequence[str]) -> Dirty:
        """A row of these columns that the server has refused."""
        (found,) = rows.fields(row)
        types = [*(feed.type for feed in self._feeds), *(_CHANGE_TYPES if self.append else ())]
        of = dict(zip(self.columns, types, strict=True))
        pairs = zip(columns, found, strict=True)
        values = {name: None if field is None else fields.decode(of[name], field) for name, field in pairs}
        return self._dirty(values, reason, position)

    def _encoded(self, values: Sequence[Sequence[Any]]) -> tuple[list[list[bytes | None]], dict[int, str]]:
        """(fields by column, why the target cannot hold a row by its place)"""
        columns: list[list[bytes | None]] = []
        reasons: dict[int, str] = {}
        for feed in self._feeds:
            encoded, refused = fields.encode(values[feed.place], feed.encoder)
            columns.append(encoded)
            for place, why in refused.items():
                reasons.setdefault(place, f"column {feed.name}: {why}")
        return columns, reasons

    def _stays(self, place: int, ops: bytes, columns: list[list[bytes | None]], reasons: dict[int, str]) -> bool:
        """Whether a row is handed on. Of one that goes only its key counts; one that cannot come takes along the row
        that it was before, unless that had another key."""

        def key(of: int) -> list[bytes | None]:
            return [columns[at][of] for at in self.key_places]

        if _comes(ops[place]):
            return place not in reasons
        if None in key(place):
            return False
        updated = ops[place] == BEFORE and place + 1 < len(ops) and ops[place + 1] == AFTER
        return not (updated and place + 1 in reasons and key(place) == key(place + 1))

    def _dirty(self, row: dict[str, Any], reason: str, position: Position) -> Dirty:
        shown = {name: _shown(value) for name, value in row.items()}
        return Dirty(self._relation, msgspec.json.encode(shown).decode(), reason, position)


def change_fields(ops: bytes, sequence: int, now_ms: int) -> list[bytes]:
    """The five fields of each change. The two rows of an update share their sequence number."""
    found: list[bytes] = []
    for op in ops:
        if op != AFTER or not found or ops[len(found) - 1] != BEFORE:
            sequence += 1
        letter = {INSERTED: b"I", DELETED: b"D"}.get(op, b"U")
        before = b"Y" if op in (BEFORE, DELETED) else b"N"
        after = b"N" if op in (BEFORE, DELETED) else b"Y"
        texts = (b"%020d" % sequence, letter, before, after)
        number, kind, *images = [pack("!i", len(text)) + text for text in texts]
        found.append(b"".join((number, kind, pack("!iq", 8, now_ms), *images)))
    return found


def changes_in(ops: bytes) -> int:
    """How many sequence numbers `change_fields` uses."""
    pairs = sum(op == AFTER and at > 0 and ops[at - 1] == BEFORE for at, op in enumerate(ops))
    return len(ops) - pairs


_CHANGE_TYPES = tuple(ColumnType(pgcopy.TYPES[column.kind]) for column in CHANGE_COLUMNS)


def _shown(value: Any) -> Any:
    """JSON has no half of a surrogate pair: it is written out."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _comes(op: int) -> bool:
    return op in (INSERTED, AFTER, MOVED)


def _values(batch: Batch) -> list[list[Any]]:
    """The values of a batch by column, in the storage of their kinds."""
    if not isinstance(batch.rows, Encoded):
        return [list(batch.rows.column(place).to_pylist()) for place in range(batch.rows.num_columns)]
    types = [ColumnType(pgcopy.TYPES[column.kind]) for column in batch.table.columns]
    lines = rows.fields(batch.rows.buffers[0])
    return [
        [None if (field := line[place]) is None else fields.decode(type_, field) for line in lines]
        for place, type_ in enumerate(types)
    ]


def _compared(type_: ColumnType) -> str:
    if type_.name in ("float4", "float8"):
        return "float"
    return "numeric" if type_.name == "numeric" else "plain"


def _feeds(table: Table, target: Target) -> Sequence[Feed]:
    feeds: list[Feed] = []
    for place, column in enumerate(table.columns):
        found = target.find(column.name)
        if found is None or found.generated:
            log.warning("postgres.column_left_out", table=str(target.relation), column=column.name)
            continue
        feeds.append(Feed(place, found.name, found.type, _encoder(column, found.type, target)))
    return feeds


def _encoder(column: Column, type_: ColumnType, target: Target) -> fields.Encoder:
    try:
        return fields.encoder(column.kind, type_)
    except KeyError as error:
        raise BadConfig(f"Column {column.name} of {target.relation} is {type_}: that is not written.") from error
