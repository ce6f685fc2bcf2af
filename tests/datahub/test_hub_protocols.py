"""The vendor's client writes and reads records in every protocol, compression and record type."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from datahub.core import DatahubProtocolType
from datahub.exceptions import InvalidParameterException
from datahub.models import BlobRecord, CursorType, FieldType, RecordSchema, TupleRecord
from datahub.models.compress import CompressFormat

from datahub import DataHub
from disync.datahub.local import LocalDataHub

PROTOCOLS = [DatahubProtocolType.JSON, DatahubProtocolType.PB, DatahubProtocolType.BATCH]
COMPRESSIONS = [CompressFormat.NONE, CompressFormat.LZ4, CompressFormat.ZLIB]
TYPES = [
    FieldType.TINYINT,
    FieldType.SMALLINT,
    FieldType.INTEGER,
    FieldType.BIGINT,
    FieldType.FLOAT,
    FieldType.DOUBLE,
    FieldType.BOOLEAN,
    FieldType.TIMESTAMP,
    FieldType.STRING,
    FieldType.DECIMAL,
]
SCHEMA = RecordSchema.from_lists([f"f_{kind.value}" for kind in TYPES], TYPES)
LOW = [-128, -(1 << 15), -(1 << 31), -(1 << 63), -1.5, -1e300, False, 0, "", Decimal("-0.10")]
HIGH = [127, (1 << 15) - 1, (1 << 31) - 1, (1 << 63) - 1, 2.5, 1e-300, True, 1_700_000_000_000_001, "七" * 900]
HIGH.append(Decimal("12345678901234567890.123456789"))


def connect(hub: LocalDataHub, protocol: DatahubProtocolType, compression: CompressFormat) -> DataHub:
    return DataHub("id", "secret", hub.endpoint, protocol_type=protocol, compress_format=compression)


def put(client: DataHub, protocol: DatahubProtocolType, project: str, records: list[Any]) -> None:
    """To shard 0 of topic `t`, by the call that the protocol has for it."""
    if protocol is DatahubProtocolType.JSON:
        for record in records:
            record.shard_id = "0"
        assert client.put_records(project, "t", records).failed_record_count == 0
    else:
        client.put_records_by_shard(project, "t", "0", records)


def read(client: DataHub, project: str, schema: RecordSchema | None, limit: int = 1000) -> list[Any]:
    """Everything in shard 0, call by call."""
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    found: list[Any] = []
    while True:
        if schema is None:
            result = client.get_blob_records(project, "t", "0", cursor, limit)
        else:
            result = client.get_tuple_records(project, "t", "0", schema, cursor, limit)
        if not result.records:
            assert result.next_cursor == cursor
            return found
        found += result.records
        cursor = result.next_cursor


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda c: c.name)
@pytest.mark.parametrize("writing", PROTOCOLS, ids=lambda p: p.name)
def test_tuples_come_back_in_every_protocol(
    hub: LocalDataHub, project: str, writing: DatahubProtocolType, compression: CompressFormat
) -> None:
    writer = connect(hub, writing, compression)
    writer.create_tuple_topic(project, "t", 1, 3, SCHEMA, "")
    sent = [TupleRecord(schema=SCHEMA, values=row) for row in (LOW, HIGH) for _ in range(30)]
    for number, record in enumerate(sent):
        record.put_attribute("number", str(number))
        if writing is not DatahubProtocolType.BATCH:  # there the client counts characters for bytes
            record.put_attribute("名", "值")
    put(writer, writing, project, sent)
    for reading in PROTOCOLS:
        records = read(connect(hub, reading, compression), project, SCHEMA)
        assert [list(r.values) for r in records] == [list(r.values) for r in sent], reading
        assert [r.attributes for r in records] == [r.attributes for r in sent], reading
        if reading is not DatahubProtocolType.BATCH:  # there the client gives all records of a block one sequence
            assert [r.sequence for r in records] == list(range(60))
        assert all(r.system_time > 1_600_000_000_000 for r in records)


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda c: c.name)
@pytest.mark.parametrize("writing", PROTOCOLS, ids=lambda p: p.name)
def test_blobs_come_back_in_every_protocol(
    hub: LocalDataHub, project: str, writing: DatahubProtocolType, compression: CompressFormat
) -> None:
    writer = connect(hub, writing, compression)
    writer.create_blob_topic(project, "t", 1, 3, "")
    sent = [BlobRecord(blob_data=data) for data in (b"\x00\xff", b"1234567", bytes(range(256)) * 40)]
    sent[1].put_attribute("key", "value")
    put(writer, writing, project, sent)
    for reading in PROTOCOLS:
        records = read(connect(hub, reading, compression), project, None)
        assert [r.blob_data for r in records] == [r.blob_data for r in sent], reading
        assert [r.attributes for r in records] == [{}, {"key": "value"}, {}], reading


@pytest.mark.parametrize("writing", [DatahubProtocolType.JSON, DatahubProtocolType.PB], ids=lambda p: p.name)
@pytest.mark.parametrize("reading", PROTOCOLS, ids=lambda p: p.name)
def test_nulls_of_all_types(
    hub: LocalDataHub, project: str, writing: DatahubProtocolType, reading: DatahubProtocolType
) -> None:
    """But for what the client cannot do: put a null DOUBLE as BATCH, and tell a null STRING of PB from an empty one."""
    writer = connect(hub, writing, CompressFormat.LZ4)
    writer.create_tuple_topic(project, "t", 1, 3, SCHEMA, "")
    put(writer, writing, project, [TupleRecord(schema=SCHEMA, values=[None] * len(TYPES))])
    [record] = read(connect(hub, reading, CompressFormat.LZ4), project, SCHEMA)
    expected: list[Any] = [None] * len(TYPES)
    if reading is DatahubProtocolType.PB:
        expected[TYPES.index(FieldType.STRING)] = ""
    assert list(record.values) == expected


@pytest.mark.parametrize("reading", PROTOCOLS, ids=lambda p: p.name)
def test_records_put_one_by_one_are_read_in_order(
    hub: LocalDataHub, project: str, reading: DatahubProtocolType
) -> None:
    writer = connect(hub, DatahubProtocolType.PB, CompressFormat.NONE)
    writer.create_blob_topic(project, "t", 1, 3, "")
    for number in range(20):
        put(writer, DatahubProtocolType.PB, project, [BlobRecord(blob_data=b"%d" % number)])
    records = read(connect(hub, reading, CompressFormat.NONE), project, None, limit=7)
    assert [int(r.blob_data) for r in records] == list(range(20))


@pytest.mark.parametrize("reading", [DatahubProtocolType.JSON, DatahubProtocolType.PB], ids=lambda p: p.name)
def test_limit_is_exact_where_records_are_decoded(
    hub: LocalDataHub, project: str, reading: DatahubProtocolType
) -> None:
    writer = connect(hub, DatahubProtocolType.PB, CompressFormat.NONE)
    writer.create_blob_topic(project, "t", 1, 3, "")
    put(writer, DatahubProtocolType.PB, project, [BlobRecord(blob_data=b"%d" % n) for n in range(10)])
    reader = connect(hub, reading, CompressFormat.NONE)
    cursor = reader.get_cursor(project, "t", "0", CursorType.SEQUENCE, 4).cursor
    result = reader.get_blob_records(project, "t", "0", cursor, 3)
    assert [r.sequence for r in result.records] == [4, 5, 6]
    assert (result.record_count, result.start_seq) == (3, 4)


def test_a_cursor_into_a_block_gives_the_blocks_tail(hub: LocalDataHub, project: str) -> None:
    batch = connect(hub, DatahubProtocolType.BATCH, CompressFormat.LZ4)
    batch.create_blob_topic(project, "t", 1, 3, "")
    for start in (0, 10):
        put(batch, DatahubProtocolType.BATCH, project, [BlobRecord(blob_data=b"%d" % (start + n)) for n in range(10)])
    cursor = batch.get_cursor(project, "t", "0", CursorType.SEQUENCE, 7).cursor
    result = batch.get_blob_records(project, "t", "0", cursor, 1000)
    assert [int(r.blob_data) for r in result.records] == list(range(7, 20))
    assert (result.records[0].sequence, result.records[0].batch_size) == (7, 3)
    assert (result.records[-1].sequence, result.records[-1].batch_size) == (10, 10)


def test_batch_gives_whole_blocks_and_at_least_one(hub: LocalDataHub, project: str) -> None:
    batch = connect(hub, DatahubProtocolType.BATCH, CompressFormat.LZ4)
    batch.create_blob_topic(project, "t", 1, 3, "")
    for _ in range(3):
        put(batch, DatahubProtocolType.BATCH, project, [BlobRecord(blob_data=b"x")] * 10)
    cursor = batch.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    assert batch.get_blob_records(project, "t", "0", cursor, 1).record_count == 10
    assert batch.get_blob_records(project, "t", "0", cursor, 11).record_count == 20


def test_a_broken_block_is_refused_and_not_stored(hub: LocalDataHub, project: str) -> None:
    """The client's own: it gives the length of attributes in characters, so the records do not add up."""
    batch = connect(hub, DatahubProtocolType.BATCH, CompressFormat.LZ4)
    batch.create_blob_topic(project, "t", 1, 3, "")
    broken = BlobRecord(blob_data=b"x")
    broken.put_attribute("名", "值")
    with pytest.raises(InvalidParameterException) as caught:
        put(batch, DatahubProtocolType.BATCH, project, [broken, broken])
    assert caught.value.error_code == "MalformedRecord"
    assert read(batch, project, None) == []


def test_a_bad_record_does_not_stop_the_others(hub: LocalDataHub, project: str) -> None:
    client = connect(hub, DatahubProtocolType.PB, CompressFormat.NONE)
    schema = RecordSchema.from_lists(["a"], [FieldType.BIGINT])
    client.create_tuple_topic(project, "t", 2, 3, schema, "")
    loose = RecordSchema.from_lists(["a"], [FieldType.STRING])
    records = [TupleRecord(schema=loose, values=[value]) for value in ("1", "no number", "3", "4")]
    for record in records:
        record.shard_id = "0"
    records[3].shard_id = "9"
    result = client.put_records(project, "t", records)
    assert [(f.index, f.error_code) for f in result.failed_records] == [(1, "MalformedRecord"), (3, "NoSuchShard")]
    assert [r.values for r in read(client, project, schema)] == [(1,), (3,)]
