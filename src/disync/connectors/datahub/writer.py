"""Writing a topic: each split of the source goes, in order, to the shard that holds its place in the hash space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import structlog

from disync.connectors.datahub.client import Client
from disync.connectors.datahub.config import WriterParameters
from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.lanes import MAX_BYTES, Lanes, Piece
from disync.connectors.datahub.layout import Layout, Shape
from disync.connectors.datahub.mapping import Mapping
from disync.connectors.datahub.target import Target, point_of, point_of_key
from disync.connectors.datahub.types import FORMAT, layout_of
from disync.connectors.datahub.wire import batch
from disync.connectors.datahub.wire.entry import Entry
from disync.connectors.datahub.wire.errors import Malformed
from disync.model.connector import Sink, Writer
from disync.model.data import Batch, Dirty, Encoded, Position, SchemaChange, Table, rows_of
from disync.model.errors import BadConfig
from disync.model.lineage import Dataset
from disync.model.outlook import Outlook
from disync.model.run import Checkpoint, Split

log = structlog.get_logger()


class DataHubWriter(Writer):
    """Writes a topic that exists. Blocks of a source with the same schema are put as they are."""

    formats: ClassVar[tuple[str, ...]] = (FORMAT,)
    adds_only: ClassVar[bool] = True

    def __init__(self, client: Client, parameters: WriterParameters) -> None:
        self._client = client
        self._parameters = parameters
        self._target: Target | None = None

    def guard(self, held: Callable[[], None]) -> None:
        self._client.before_put = held

    def check(self) -> list[str]:
        self._client.check()
        self._client.topic(self._parameters.topic)
        return []

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        """Topics are not made here: shards and lifecycle are the owner's choice. Verify that the columns fit."""
        self._target = Target(self._client, self._parameters.topic)
        for table in tables:
            if left_out := self._left_out(table, self._target.layout.shape):
                log.warning("datahub.columns_left_out", topic=self._parameters.topic, columns=left_out)

    def foresee(self, table: Table) -> Outlook:
        """No statement: what `prepare` does not make is told in words."""
        topic = self._parameters.topic
        place = f"{self._client.project}.{topic}"
        try:
            shape = Layout(self._client, topic).shape
        except Rejected as error:
            if error.reason != "NoSuchTopic":
                raise
            return self._missing(table, place)
        fields = {field.name.lower(): field.type for field in shape.schema.fields} if shape.schema else {}
        types = {column.name: fields.get(column.name.lower(), "") for column in table.columns}
        if shape.schema is None:
            types = dict.fromkeys(types, "blob")
        try:
            left_out = self._left_out(table, shape)
        except BadConfig as error:
            return Outlook(place, True, "", types, (str(error),))
        told = (f"The topic has no field for these columns, and they are left out: {', '.join(left_out)}.",)
        return Outlook(place, True, "", types, told if left_out else ())

    def _missing(self, table: Table, place: str) -> Outlook:
        said = f"There is no topic {place}, and DISync makes none: its shards and lifecycle are for you to choose."
        try:
            wanted = layout_of(table)
        except BadConfig as error:
            return Outlook(place, False, "", {}, (f"{said} Create it. {error}",))
        fields = wanted.fields if wanted is not None else ()
        names = ", ".join(f"{field.name} {field.type}" for field in fields)
        kind = f"as a TUPLE topic with the fields {names}" if fields else "as a BLOB topic"
        types = {field.name: field.type for field in fields} or {column.name: "blob" for column in table.columns}
        return Outlook(place, False, "", types, (f"{said} Create it {kind}.",))

    def _left_out(self, table: Table, shape: Shape) -> list[str]:
        """Columns that no field of the topic takes. BadConfig where the rows would not fit."""
        mapping = Mapping(table, shape, self._parameters.key_columns)
        names = {column.name.lower() for column in table.columns}
        for field in shape.schema.fields if shape.schema is not None else ():
            if field.notnull and field.name.lower() not in names:
                raise BadConfig(
                    f"Field {field.name} of the target must not be null, and {table.name} has no such column."
                )
        return mapping.left_out if shape.schema is not None else []

    def open(self, split: Split) -> Sink:
        if self._target is None:
            self._target = Target(self._client, self._parameters.topic)
        return DataHubSink(self._target, self._parameters, split)

    def dataset(self, table: Table) -> Dataset:
        return self._client.dataset(self._parameters.topic)

    def close(self) -> None:
        self._client.close()


class DataHubSink(Sink):
    """Puts the rows of one split.

    DataHub holds no checkpoints and puts nothing twice by itself, so `last` is None, and what a crash may repeat is
    what was put since the last checkpoint in the store; a put whose answer was lost is repeated as well. Order within
    a shard holds in both cases: what comes again comes in the same order. A run that stood still sends no put any more
    when it wakes, but for one that was on its way.
    """

    def __init__(self, target: Target, parameters: WriterParameters, split: Split) -> None:
        self._target = target
        self._keys = parameters.key_columns
        self._point = point_of(split.at)
        self._lanes = Lanes(target, parameters.batch_size)
        self._mapping: Mapping | None = None
        self._dirty: list[Dirty] = []

    def write(self, batch_: Batch) -> None:
        if batch_.ops is not None and batch_.ops.strip(b"I"):
            raise BadConfig(
                f"Table {batch_.table.name} has updates or deletes, and a topic can only be added to. "
                "Writing them as change records is not served yet."
            )
        mapping = self._mapping_for(batch_.table)
        rows = batch_.rows
        if not isinstance(rows, Encoded):
            self._take([(mapping.texts(row), {}) for row in rows_of(rows)], mapping, batch_.position)
        elif rows.format != FORMAT:
            raise BadConfig(f"A datahub writer does not take rows as {rows.format}.")
        elif mapping.equal and not mapping.keyed:
            for block in rows.buffers:
                self._pass(block, mapping.version, batch_.position)
        else:
            for block in rows.buffers:
                entries = _entries(block, mapping)
                self._take([(entry.data, entry.attributes) for entry in entries], mapping, batch_.position)
        self._dirty += self._lanes.send_full()

    def alter(self, change: SchemaChange) -> None:
        self._dirty += self._lanes.send_all()
        self._target.follow(change)
        self._mapping = None

    def last(self) -> Checkpoint | None:
        return None

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        dirty, self._dirty = self._dirty + self._lanes.send_all(), []
        return dirty

    def close(self) -> None:
        self._lanes.drop()

    def _mapping_for(self, table: Table) -> Mapping:
        mapping = self._mapping
        if mapping is None or mapping.table != table:
            keys = self._keys or table.keys
            mapping = self._mapping = Mapping(table, self._target.layout.shape, keys)
        return mapping

    def _pass(self, block: bytes, version: int, position: Position) -> None:
        """A block as it is; only the number of its schema may have to be the target's."""
        if batch.versions(block) - {version}:
            block = batch.restamp(block, version)
        self._lanes.put(Piece(block, batch.count(block), batch.raw_size(block), (self._point,), position))

    def _take(
        self, rows: Sequence[tuple[tuple[bytes | None, ...], dict[str, str]]], mapping: Mapping, position: Position
    ) -> None:
        """Rows of the source, in canonical texts: the ones that do not fit become dirty, all others one piece."""
        entries = [mapping.entry(data, attributes) for data, attributes in rows]
        records, failed = batch.encode_each(entries, mapping.target, mapping.version)
        refused = {f.index: f.message for f in failed}
        places = [place for place in range(len(rows)) if place not in refused]
        for place, record in zip(places, records, strict=True):
            if len(record) > MAX_BYTES:
                refused[place] = f"the record has {len(record)} bytes, and a put may have {MAX_BYTES}"
        for place in sorted(refused):
            row = mapping.row(rows[place][0])
            self._dirty.append(Dirty(self._target.topic, row, refused[place], position))
        good = [(record, rows[place][0]) for place, record in zip(places, records, strict=True) if place not in refused]
        if good:
            points = [point_of_key(mapping.key(data)) for _, data in good] if mapping.keyed else [self._point]
            block = batch.pack([record for record, _ in good])
            self._lanes.put(Piece(block, len(good), batch.raw_size(block), tuple(points), position))


def _entries(block: bytes, mapping: Mapping) -> list[Entry]:
    try:
        return batch.decode(block, mapping.source)
    except Malformed as error:
        raise BadConfig(f"Table {mapping.table.name} holds a record that cannot be read: {error}.") from error
