"""Batches of a source's table as rows of a target's: columns found by name, encoded column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from struct import pack
from typing import NamedTuple

import msgspec
import structlog

from disync.connectors.postgres import fields
from disync.connectors.postgres.catalog import Target
from disync.connectors.postgres.target import CHANGE_COLUMNS, keys_of
from disync.model.data import Batch, Dirty, Encoded, Table, rows_of
from disync.model.errors import BadConfig

log = structlog.get_logger()

INSERTED, DELETED, BEFORE, AFTER = b"IDBU"
"""The ops of a batch."""

Key = tuple[bytes, ...]


class Row(NamedTuple):
    """A row of a batch. `key`: equal for equal keys, None where it has no usable one; `gone`: its key columns, `data`:
    all of its columns, both as rows of a COPY. `reason`: why the target cannot hold it; None if it can, so far."""

    op: int
    batch: Batch
    place: int
    key: Key | None
    gone: bytes
    data: bytes
    reason: str | None

    def dirty(self, table: str, reason: str) -> Dirty:
        """The row as the source gave it, with why it was refused."""
        batch = self.batch
        assert not isinstance(batch.rows, Encoded), "rows are taken from Arrow only"
        (values,) = rows_of(batch.rows.slice(self.place, 1))
        named = dict(zip((column.name for column in batch.table.columns), values, strict=True))
        return Dirty(table, msgspec.json.encode(named).decode(), reason, batch.position)


@dataclass(frozen=True, slots=True)
class Feed:
    """One column of the source on its way into one of the target."""

    place: int
    name: str
    encoder: fields.Encoder
    canonical: Callable[[bytes], bytes]


class Mapping:
    """How rows of `table` become rows of `target`. `keys` is empty where rows are only ever added."""

    def __init__(self, table: Table, target: Target, append: bool) -> None:
        self.table = table
        self.append = append
        self.keys = () if append else keys_of(target, table)
        self._feeds = _feeds(table, target)
        names = [feed.name for feed in self._feeds]
        if not set(self.keys).issubset(names):
            raise BadConfig(f"The rows of {table.name} come without the key of {target.relation}: {self.keys}.")
        self._key_places = [names.index(key) for key in self.keys]
        self._count = pack("!h", len(names) + (len(CHANGE_COLUMNS) if append else 0))
        self._key_count = pack("!h", len(self.keys))
        self.columns = (*names, *(column.name for column in CHANGE_COLUMNS)) if append else tuple(names)
        self.whole = {c.name for c in target.columns if not c.generated}.issubset(self.columns)

    def rows(self, batch: Batch, sequence: int, now_ms: int) -> list[Row]:
        """`sequence` and `now_ms` are for the columns that tell a change in a target that only grows."""
        if isinstance(batch.rows, Encoded):
            raise BadConfig(f"A postgresql writer does not take rows as {batch.rows.format}.")
        columns: list[list[bytes | None]] = []
        reasons: dict[int, str] = {}
        for feed in self._feeds:
            encoded, refused = fields.encode(list(batch.rows.column(feed.place).to_pylist()), feed.encoder)
            columns.append(encoded)
            for place, why in refused.items():
                reasons.setdefault(place, f"column {feed.name}: {why}")
        ops = batch.ops or bytes([INSERTED]) * batch.count
        lines = list(zip(*columns, strict=True)) if columns else []
        tails = change_fields(ops, sequence, now_ms) if self.append else [b""] * len(lines)
        return [
            self._row(batch, place, ops[place], line, reasons.get(place), tails[place])
            for place, line in enumerate(lines)
        ]

    def _row(
        self, batch: Batch, place: int, op: int, line: tuple[bytes | None, ...], reason: str | None, tail: bytes
    ) -> Row:
        key, gone = None, b""
        if self.keys:
            parts = [part for at in self._key_places if (part := line[at]) is not None and part != fields.NULL]
            if len(parts) == len(self.keys):
                canonical = (self._feeds[at].canonical for at in self._key_places)
                key = tuple([make(part) for make, part in zip(canonical, parts, strict=True)])
                gone = self._key_count + b"".join(parts)
            elif reason is None:
                reason = f"column {self.keys[0]}: a key must not be null"
        data = b"" if reason is not None else self._count + b"".join([part for part in line if part is not None]) + tail
        return Row(op, batch, place, key, gone, data, reason)


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


def _feeds(table: Table, target: Target) -> Sequence[Feed]:
    feeds: list[Feed] = []
    for place, column in enumerate(table.columns):
        found = target.find(column.name)
        if found is None or found.generated:
            log.warning("postgres.column_left_out", table=str(target.relation), column=column.name)
            continue
        try:
            encoder = fields.encoder(column.kind, found.type)
        except KeyError as error:
            raise BadConfig(
                f"Column {column.name} of {target.relation} is {found.type}: that is not written."
            ) from error
        feeds.append(Feed(place, found.name, encoder, fields.canonical(found.type)))
    return feeds
