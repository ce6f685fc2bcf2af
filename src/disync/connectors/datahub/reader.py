"""Reading a topic: one split a shard, from its oldest record to what was newest when the splits were made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

from disync.connectors.datahub.client import Client, Cursor, Shard
from disync.connectors.datahub.config import ReaderParameters
from disync.connectors.datahub.layout import Layout
from disync.connectors.datahub.tail import Tail, position_of
from disync.connectors.datahub.transfer import Transfer
from disync.connectors.datahub.types import FORMAT, table_of
from disync.connectors.datahub.wire import batch, record
from disync.connectors.datahub.wire.entry import Block
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Schema
from disync.model.connector import Reader
from disync.model.data import Batch, Encoded, Event, Position, SchemaChange, Table, record_batch
from disync.model.errors import BadConfig, PositionGone
from disync.model.lineage import Dataset
from disync.model.run import Split

Fetched = tuple[Block, int, Position]
"""A block, its number of records, and the position behind it."""


class DataHubReader(Reader):
    """Reads a topic. Delivered as Arrow, records lose their attributes; as blocks (FORMAT) they lose nothing."""

    formats: ClassVar[tuple[str, ...]] = (FORMAT,)

    def __init__(self, client: Client, parameters: ReaderParameters) -> None:
        self.client = client
        self.topic = parameters.topic
        self.batch_size = parameters.batch_size
        self._layout: Layout | None = None
        self._transfer: Transfer | None = None

    def check(self) -> list[str]:
        self.client.check()
        self.client.topic(self.topic)
        return []

    def tables(self) -> list[Table]:
        return [table_of(self.topic, self.layout.schema)]

    def split(self, want: int) -> list[Split]:
        return [replace(split, bounds=self._bounds(split)) for split in self.shards()]

    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        first, last = (int(edge) for edge in split.bounds.split(":"))
        tail = self.tail(split, after or position_of(first, ""))
        while tail.sequence <= last and not self.client.connection.closed:
            fetched = tail.fetch(self.batch_size)
            if not fetched:
                return
            for event in self.events(split, [_until(last, one) for one in fetched if one[0].sequence <= last]):
                yield replace(event, ops=None) if isinstance(event, Batch) else event

    def dataset(self, table: Table) -> Dataset:
        return self.client.dataset(self.topic)

    def close(self) -> None:
        self.client.close()

    # What both ways of reading need.

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = Layout(self.client, self.topic)
        return self._layout

    def shards(self) -> list[Split]:
        """A split for every shard there is, closed ones too: they may still hold records, or else end at once."""
        table = self.tables()[0]
        listed = {shard.id: shard for shard in self.client.shards(self.topic)}
        return [
            Split(self._split_id(shard.id), table, _at(shard, listed), tuple(self._split_id(p) for p in shard.parents))
            for shard in listed.values()
        ]

    def shard_of(self, split: Split) -> str:
        return split.id.rpartition("/")[2]

    def tail(self, split: Split, position: Position) -> Tail:
        if self._transfer is None:
            self._transfer = Transfer(self.client, self.layout)
        return Tail(self.client, self._transfer, self.topic, self.shard_of(split), position)

    def cursor(self, split: Split, kind: str, value: int = -1) -> Cursor | None:
        """A place in the shard; None where the service says that there is none (an empty shard, a time to come)."""
        try:
            return self.client.cursor(self.topic, self.shard_of(split), kind, value)
        except PositionGone:
            return None

    def events(self, split: Split, fetched: Sequence[Fetched]) -> Iterator[Event]:
        """Batches of one schema version each; a SchemaChange before the first row with a new column."""
        known = split.table
        for version, group in groupby(self._by_version(fetched), key=lambda pair: pair[0]):
            run = [one for _, one in group]
            schema = self._schema_of(version)
            table = table_of(self.topic, schema)
            if {c.name for c in table.columns} - {c.name for c in known.columns}:
                yield SchemaChange(known, table, "ADDCOLUMN", "", position_of(run[0][0].sequence, ""))
                known = table
            yield self._batch(table, schema, run, split.format)

    def _by_version(self, fetched: Sequence[Fetched]) -> Iterator[tuple[int, Fetched]]:
        """The same records in blocks that have one schema version each, as nearly all have from the start."""
        for one in fetched:
            versions = batch.versions(one[0].data)
            if len(versions) == 1:
                yield next(iter(versions)), one
            else:
                yield from _cut_by_version(one[0])

    def _schema_of(self, version: int) -> Schema | None:
        schema = self.layout.schema_of(version)
        if (version == batch.BLOB_VERSION) is not (schema is None):
            raise BadConfig(f"Topic {self.topic} was made anew with another record type. Start the task again.")
        return schema

    def _batch(self, table: Table, schema: Schema | None, run: Sequence[Fetched], form: str | None) -> Batch:
        blocks, count = [block.data for block, _, _ in run], sum(count for _, count, _ in run)
        position = run[-1][2]
        ops, time = b"I" * count, max((block.system_time for block, _, _ in run), default=0)
        if form == FORMAT:
            return Batch(table, Encoded(FORMAT, tuple(blocks), count), ops, position, time)
        try:
            rows = [row for block in blocks for row in batch.rows(block, schema)]
        except Malformed as error:
            raise BadConfig(
                f"Topic {self.topic} holds a record before {position} that cannot be read: {error}"
            ) from error
        return Batch(table, record_batch(table, rows), ops, position, time)

    def _bounds(self, split: Split) -> str:
        oldest, newest = self.cursor(split, "OLDEST"), self.cursor(split, "LATEST")
        if oldest is None or newest is None:
            return "0:-1"
        return f"{max(0, oldest.sequence)}:{newest.sequence}"

    def _split_id(self, shard: str) -> str:
        return f"{self.client.project}.{self.topic}/{shard}"


def _at(shard: Shard, listed: dict[str, Shard]) -> float:
    """Where the shard's first ancestor begins in the hash space, so that keys keep their place over splits.

    A shard merged of two takes the place of the lower one: it can have only one.
    """
    root = shard
    while parents := [listed[parent] for parent in root.parents if parent in listed]:
        root = min(parents, key=lambda parent: parent.begin)
    at = root.begin / (1 << 128)
    return math.nextafter(at, 1.0) if int(at * (1 << 128)) < root.begin else at


def _until(last: int, fetched: Fetched) -> Fetched:
    """The part of a block up to the record `last`."""
    block, count, _ = fetched
    keep = last + 1 - block.sequence
    if keep >= count:
        return fetched
    data = batch.pack(batch.unpack(block.data)[:keep])
    return Block(data, block.sequence, block.system_time), keep, position_of(last + 1, "")


def _cut_by_version(block: Block) -> Iterator[tuple[int, Fetched]]:
    at = block.sequence
    for version, group in groupby(batch.unpack(block.data), key=record.version_of):
        records = list(group)
        piece = Block(batch.pack(records), at, block.system_time)
        at += len(records)
        yield version, (piece, len(records), position_of(at, ""))
