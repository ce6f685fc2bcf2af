"""From topic to topic: what passes as it is, what is mapped, and what happens while shards split and merge."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from contract.source import rows_in, take
from disync.connectors.datahub.types import FORMAT, table_of
from disync.connectors.datahub.wire import schema as schemas
from disync.connectors.datahub.wire.schema import TYPES, Field, Schema
from disync.model.connector import ChangeReader, Sink, Writer
from disync.model.data import Batch, Column, Dirty, Encoded, Event, Idle, Position, SchemaChange, Table, record_batch
from disync.model.errors import BadConfig, PositionGone
from disync.model.run import Checkpoint, Split, Start
from disync.model.types import Kind

if TYPE_CHECKING:
    from conftest import Service, Topic

PAIR = Schema((Field("id", "bigint"), Field("name", "string")))
FORMATS = pytest.mark.parametrize("form", [FORMAT, None], ids=["blocks", "arrow"])


def feed(sink: Sink, event: Event) -> None:
    if isinstance(event, Batch):
        sink.write(event)
    elif isinstance(event, SchemaChange):
        sink.alter(event)


def copy(reader: ChangeReader, writer: Writer, form: str | None = FORMAT) -> list[Dirty]:
    """Everything that is there now, the streams one after the other, parents first."""
    writer.prepare(reader.tables())
    dirty: list[Dirty] = []
    for stream in sorted(reader.streams(), key=lambda split: int(split.id.rpartition("/")[2])):
        dirty += copy_stream(reader, writer, stream, form)
    reader.close()
    writer.close()
    return dirty


def copy_stream(
    reader: ChangeReader, writer: Writer, stream: Split, form: str | None, then: Callable[[], None] | None = None
) -> list[Dirty]:
    sink = writer.open(stream)
    position = reader.seek(stream, Start())
    for event in reader.changes(replace(stream, format=form), position):
        position = event.position
        if isinstance(event, Idle):
            break
        feed(sink, event)
        if then is not None:
            then()
            then = None
    dirty = sink.flush(Checkpoint(stream.id, position, 1))
    sink.close()
    return dirty


def values(first: int, count: int) -> list[tuple[Any, ...]]:
    return [(i, f"name {i} 高德") for i in range(first, first + count)]


def everything(topic: Topic) -> list[Any]:
    return [row for shard in topic.shards() for row in topic.rows(shard)]


def test_equal_schemas_pass_blocks_as_they_are(service: Service) -> None:
    source, target = service.topic(PAIR, 2), service.topic(PAIR, 2)
    for shard in (0, 1):
        source.put(shard, values(shard * 1000, 300), {"trace": "7"})
        source.put(shard, values(shard * 1000 + 300, 5))
    assert copy(source.reader(), target.writer(batchSize=100)) == []
    for shard in (0, 1):
        assert target.rows(shard) == source.rows(shard) == values(shard * 1000, 305)
        assert [r.attributes for r in target.records(shard)] == [{"trace": "7"}] * 300 + [{}] * 5


def test_the_buffers_of_a_batch_are_the_blocks_of_the_source(service: Service) -> None:
    source = service.topic(PAIR)
    source.put(0, values(0, 10))
    reader = source.reader()
    stream = replace(reader.streams()[0], format=FORMAT)
    (event,) = take(reader.changes(stream, reader.seek(stream, Start())), 10)
    assert isinstance(event, Batch) and isinstance(event.rows, Encoded)
    assert [buffer[:4] for buffer in event.rows.buffers] == [b"DHUB"]
    reader.close()


@FORMATS
def test_columns_are_mapped_by_name_and_converted_by_their_texts(service: Service, form: str | None) -> None:
    source = service.topic(
        Schema((Field("ID", "integer"), Field("price", "double"), Field("extra", "string"), Field("when", "timestamp")))
    )
    target = service.topic(
        Schema((Field("when", "bigint"), Field("id", "string"), Field("price", "decimal"), Field("missing", "string")))
    )
    source.put(0, [(1, 1.5, "x", 1700000000000000), (2, None, None, None)], {"a": "b"})
    assert copy(source.reader(), target.writer(), form) == []
    assert target.rows(0) == [(1700000000000000, "1", Decimal("1.5"), None), (None, "2", None, None)]
    assert target.records(0)[0].attributes == ({"a": "b"} if form else {})


@FORMATS
def test_what_cannot_be_converted_is_dirty_and_the_rest_is_written_in_order(service: Service, form: str | None) -> None:
    source = service.topic(Schema((Field("id", "string"), Field("name", "string"))))
    target = service.topic(PAIR)
    source.put(0, [("1", "a"), ("one", "b"), ("2", None), ("99999999999999999999", "c"), ("3", "d")])
    dirty = copy(source.reader(), target.writer(), form)
    assert target.rows(0) == [(1, "a"), (2, None), (3, "d")]
    assert [json.loads(one.row) for one in dirty] == [
        {"id": "one", "name": "b"},
        {"id": "99999999999999999999", "name": "c"},
    ]
    assert "'id'" in dirty[0].reason and "no bigint" in dirty[0].reason
    assert dirty[0].table == target.name and dirty[0].position


@FORMATS
def test_blobs(service: Service, form: str | None) -> None:
    source, target = service.topic(None), service.topic(None)
    data = [b"x", bytes(range(256)) * 40, "高德".encode()]
    source.put(0, data)
    assert copy(source.reader(), target.writer(), form) == []
    assert target.rows(0) == data


def test_a_tuple_topic_into_a_blob_topic_is_json_text(service: Service) -> None:
    source, target = service.topic(PAIR), service.topic(None)
    source.put(0, [(1, "高德"), (2, None)])
    assert copy(source.reader(), target.writer()) == []
    assert [json.loads(row) for row in target.rows(0)] == [{"id": "1", "name": "高德"}, {"id": "2", "name": None}]


def test_tables_with_no_column_in_common_are_refused(service: Service) -> None:
    source, target = service.topic(None), service.topic(PAIR)
    with pytest.raises(BadConfig, match="no column in common"):
        target.writer().prepare(source.reader().tables())


def test_a_field_that_must_not_be_null_needs_a_column(service: Service) -> None:
    source, target = service.topic(PAIR), service.topic(Schema((*PAIR.fields, Field("must", "string", notnull=True))))
    with pytest.raises(BadConfig, match="must"):
        target.writer().prepare(source.reader().tables())


@FORMATS
def test_key_columns_choose_the_shard(service: Service, form: str | None) -> None:
    source, target = service.topic(PAIR, 2), service.topic(PAIR, 4)
    rows = [(i, f"key {i % 20}") for i in range(400)]
    source.put(0, rows)
    assert copy(source.reader(), target.writer(keyColumns=["NAME"], batchSize=50), form) == []
    seen: dict[str, str] = {}
    for shard in target.shards():
        for row in target.rows(shard):
            assert seen.setdefault(row[1], shard) == shard
        ids = [row[0] for row in target.rows(shard)]
        assert ids == sorted(ids)
    assert len(set(seen.values())) == 4
    assert sorted(everything(target)) == rows


def test_an_unknown_key_column_is_refused(service: Service) -> None:
    topic = service.topic(PAIR)
    with pytest.raises(BadConfig, match="no column 'nowhere'"):
        topic.writer(keyColumns=["nowhere"]).prepare(topic.reader().tables())


@pytest.mark.parametrize("keys", [[], ["id"]], ids=["by place", "by key"])
def test_the_writer_follows_a_target_that_splits_and_merges(service: Service, keys: list[str]) -> None:
    source, target = service.topic(PAIR, 2), service.topic(PAIR, 2)
    for part in range(6):
        source.put(0, values(part * 50, 50))
    reader, writer = source.reader(batchSize=50), target.writer(batchSize=50, keyColumns=keys)
    writer.prepare(reader.tables())
    stream = replace(reader.streams()[0], format=FORMAT)
    sink = writer.open(stream)
    for number, event in enumerate(take(reader.changes(stream, reader.seek(stream, Start())), 300)):
        feed(sink, event)
        if number == 1:
            low, _ = target.split(0)
            target.split(low)
        if number == 3:
            target.merge(*[shard.shard_id for shard in _active(target)[:2]])
    assert sink.flush(Checkpoint(stream.id, event.position, 1)) == []
    assert sorted(everything(target)) == values(0, 300)
    for shard in target.shards():
        ids = [row[0] for row in target.rows(shard)]
        assert ids == sorted(ids)
    reader.close()
    writer.close()


def _active(topic: Topic) -> list[Any]:
    shards = topic.service.vendor.list_shard("contract", topic.name).shards
    return sorted((s for s in shards if s.state.name == "ACTIVE"), key=lambda s: s.begin_hash_key)


def test_the_reader_follows_a_source_that_splits_and_merges(service: Service) -> None:
    source, target = service.topic(PAIR, 1), service.topic(PAIR, 4)
    source.put(0, values(0, 10))
    low, high = source.split(0)
    source.put(low, values(10, 10))
    source.put(high, values(20, 10))
    merged = source.merge(low, high)
    source.put(merged, values(30, 10))
    reader = source.reader()
    streams = {split.id.rpartition("/")[2]: split for split in reader.streams()}
    assert set(streams) == {"0", low, high, merged}
    assert streams[low].parents == (streams["0"].id,)
    assert set(streams[merged].parents) == {streams[low].id, streams[high].id}
    assert {split.at for split in streams.values()} == {0.0}
    assert copy(reader, target.writer()) == []
    assert target.rows(0) == values(0, 40)  # one key space in the source: one shard in the target, in order


def test_equal_keys_keep_their_shard_when_a_source_of_three_shards_splits(service: Service) -> None:
    source, target = service.topic(PAIR, 3), service.topic(PAIR, 3)
    for shard in range(3):
        source.put(shard, values(shard * 100, 10))
    for child in source.split(1):
        source.put(child, values(100 + 10 * int(child), 5))
    assert copy(source.reader(), target.writer()) == []
    assert target.rows(0) == values(0, 10)
    assert target.rows(1) == [*values(100, 10), *values(130, 5), *values(140, 5)]
    assert target.rows(2) == values(200, 10)


@FORMATS
def test_a_field_appended_to_the_source_is_appended_to_its_copy(service: Service, form: str | None) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    source.put(0, values(0, 5))
    reader, writer = source.reader(), target.writer()
    writer.prepare(reader.tables())
    stream = replace(reader.streams()[0], format=form)
    sink = writer.open(stream)
    events = reader.changes(stream, reader.seek(stream, Start()))
    for event in take(events, 5):
        feed(sink, event)
    service.vendor.append_field("contract", source.name, "more", _vendor_type("double"))
    source.schema = target.schema = Schema((*PAIR.fields, Field("more", "double")))
    source.put(0, [(5, "five", 5.5)])
    seen = take(events, 1)
    for event in seen:
        feed(sink, event)
    assert sink.flush(Checkpoint(stream.id, seen[-1].position, 1)) == []
    assert [type(event) for event in seen if not isinstance(event, Idle)] == [SchemaChange, Batch]
    assert target.rows(0) == [*[(*row, None) for row in values(0, 5)], (5, "five", 5.5)]
    reader.close()
    writer.close()


def _vendor_schema(schema: Schema) -> Any:
    from datahub.models import RecordSchema

    return RecordSchema.from_json_str(schemas.dump(schema))


def _vendor_type(name: str) -> Any:
    from datahub.models import FieldType

    return FieldType(name)


def test_records_of_an_older_schema_are_read_with_the_columns_they_had(service: Service) -> None:
    source, target = service.topic(PAIR), service.topic(Schema((*PAIR.fields, Field("more", "double"))))
    source.put(0, values(0, 2))
    service.vendor.append_field("contract", source.name, "more", _vendor_type("double"))
    source.schema = target.schema
    source.put(0, [(2, "two", 2.5)])
    assert copy(source.reader(), target.writer()) == []
    assert target.rows(0) == [(0, "name 0 高德", None), (1, "name 1 高德", None), (2, "two", 2.5)]


def test_large_records_are_put_within_the_limits(service: Service) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    rows = [(i, chr(97 + i) * 1_300_000) for i in range(7)]
    for row in rows:
        source.put(0, [row])
    assert copy(source.reader(), target.writer()) == []
    assert target.rows(0) == rows


def test_a_time_to_start_at(service: Service) -> None:
    source = service.topic(PAIR)
    source.put(0, values(0, 3))
    later = max(record.system_time for record in source.records(0)) + 1
    while True:
        source.put(0, values(3, 1))
        if source.records(0)[-1].system_time >= later:
            break
    expected = [
        row for row, record in zip(source.rows(0), source.records(0), strict=True) if record.system_time >= later
    ]
    reader = source.reader()
    stream = reader.streams()[0]
    assert rows_in(take(reader.changes(stream, reader.seek(stream, Start("time", later))), 1)) == expected[:1]
    future = reader.seek(stream, Start("time", later + 10**9))
    assert isinstance(next(reader.changes(stream, future)), Idle)
    reader.close()


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(service: Service) -> None:
    source = service.topic(PAIR)
    source.put(0, values(0, 3))
    reader = source.reader()
    stream = reader.streams()[0]
    position = take(reader.changes(stream, reader.seek(stream, Start())), 3)[-1].position
    service.vendor.delete_topic("contract", source.name)
    service.vendor.create_tuple_topic("contract", source.name, 1, 7, _vendor_schema(PAIR), "another")
    source.put(0, values(100, 9))
    with pytest.raises(PositionGone, match="made anew"):
        next(reader.changes(stream, position))
    reader.close()


def test_bytes_from_elsewhere_become_text_or_are_dirty(service: Service) -> None:
    target = service.topic(PAIR)
    table = Table("elsewhere", (Column("id", Kind.BIGINT), Column("name", Kind.BYTES)))
    writer = target.writer()
    writer.prepare([table])
    sink = writer.open(Split("elsewhere/0", table))
    rows = [(1, "高德".encode()), (2, b"\xff\xfe"), (3, None)]
    sink.write(Batch(table, record_batch(table, rows), None, Position("3")))
    (dirty,) = sink.flush(Checkpoint("elsewhere/0", Position("3"), 1))
    assert target.rows(0) == [(1, "高德"), (3, None)]
    assert json.loads(dirty.row) == {"id": "2", "name:base64": "//4="} and "not UTF-8" in dirty.reason
    writer.close()


def test_rows_of_every_kind_from_elsewhere(service: Service) -> None:
    schema = Schema(tuple(Field(name, name) for name in sorted(TYPES)))
    target = service.topic(schema)
    table = replace(table_of("elsewhere", schema), keys=("bigint",))
    row = (-5, True, "12345678901234567890.10", 0.1, 2.5, 7, -7, "x", 1700000000000001, 3)
    writer = target.writer()
    writer.prepare([table])
    sink = writer.open(Split("elsewhere/0", table))
    sink.write(Batch(table, record_batch(table, [row, (None,) * 10]), None, Position("2")))
    assert sink.flush(Checkpoint("elsewhere/0", Position("2"), 1)) == []
    assert target.rows(0) == [(*row[:2], Decimal(row[2]), *row[3:]), (None,) * 10]
    writer.close()


def test_days_and_clock_times_are_text_in_a_text_field(service: Service) -> None:
    names = ("day", "clock", "span", "document")
    target = service.topic(Schema((*[Field(name, "string") for name in names], Field("moment", "timestamp"))))
    kinds = (Kind.DATE, Kind.DATETIME, Kind.TIME, Kind.JSON, Kind.DATETIME)
    table = Table("elsewhere", tuple(map(Column, (*names, "moment"), kinds)))
    writer = target.writer()
    writer.prepare([table])
    sink = writer.open(Split("elsewhere/0", table))
    row = (19723, 1704067200000001, "-12:00:00", "{}", 1704067200000001)
    sink.write(Batch(table, record_batch(table, [row]), None, Position("1")))
    assert sink.flush(Checkpoint("elsewhere/0", Position("1"), 1)) == []
    assert target.rows(0) == [("2024-01-01", "2024-01-01 00:00:00.000001", "-12:00:00", "{}", 1704067200000001)]
    writer.close()


def test_updates_and_deletes_are_refused_and_not_written_as_rows(service: Service) -> None:
    target = service.topic(PAIR)
    table = table_of("elsewhere", PAIR)
    writer = target.writer()
    writer.prepare([table])
    sink = writer.open(Split("elsewhere/0", table))
    with pytest.raises(BadConfig, match="updates or deletes"):
        sink.write(Batch(table, record_batch(table, values(0, 2)), b"ID", Position("1")))
    assert target.rows(0) == []
    writer.close()
