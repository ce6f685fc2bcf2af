"""The wire against the vendor's own Python client: what one writes the other reads, and signatures are equal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests
from datahub.auth import AliyunAccount
from datahub.batch.batch_serializer import BatchSerializer
from datahub.batch.utils import SchemaObject
from datahub.models import BlobRecord, CompressFormat, RecordSchema, TupleRecord
from datahub.models.params import GetPBRecordsRequestParams, PutPBRecordsRequestParams, PutRecordsRequestParams
from datahub.models.results import GetBatchRecordsResult, GetPBRecordsResult, GetRecordsResult, PutPBRecordsResult

from disync.connectors.datahub.wire import batch, frame, json, protobuf, schema
from disync.connectors.datahub.wire.entry import Block, Blocks, Entry, Failed, Records
from disync.connectors.datahub.wire.schema import Field, Schema
from disync.connectors.datahub.wire.sign import authorization

ALL = Schema(tuple(Field(f"f_{name}", name) for name in sorted(schema.TYPES)))
THEIRS = RecordSchema.from_json_str(schema.dump(ALL))
ROW: dict[str, Any] = {
    "bigint": -(1 << 63),
    "boolean": True,
    "decimal": Decimal("12345678901234567890.1000"),
    "double": 0.1,
    "float": 2.5,
    "integer": -(1 << 31),
    "smallint": 32767,
    "string": "高德 tab\tnewline\n" * 20,
    "timestamp": 1700000000123456,
    "tinyint": -128,
}
VALUES = tuple(ROW[field.type] for field in ALL.fields)
TEXTS = tuple(str(value).lower().encode() if value is True else str(value).encode() for value in VALUES)
ATTRIBUTES = {"kind": "test", "n": "1"}
NOWHERE = SchemaObject("project", "topic", None)


def _record(values: tuple[Any, ...] = VALUES) -> TupleRecord:
    made = TupleRecord(schema=THEIRS, values=list(values))
    made.attributes = dict(ATTRIBUTES)
    return made


@pytest.mark.parametrize("compression", list(CompressFormat))
def test_blocks_of_theirs_are_read_by_us(compression: CompressFormat) -> None:
    block = BatchSerializer.serialize(compression, NOWHERE, [_record()] * 20)
    assert batch.decode(block, ALL) == [Entry(TEXTS, ATTRIBUTES)] * 20
    assert batch.validate(block) == 20


@pytest.mark.parametrize("compression", ["", "lz4", "zlib"])
def test_blocks_of_ours_are_read_by_them(compression: str) -> None:
    short = (b"1", b"false", b"1", b"1.5", b"1.5", b"1", b"1", b"seven77", b"0", b"1")
    entries = [Entry(TEXTS, ATTRIBUTES), Entry((None,) * 10), Entry(short)] * 7
    read = BatchSerializer.deserialize(THEIRS, NOWHERE, batch.encode(entries, ALL, compression))
    assert read[0].values == VALUES and read[0].attributes == ATTRIBUTES
    assert read[1].values == (None,) * 10 and read[1].attributes == {}
    assert read[2].values[7] == "seven77"
    assert len(read) == 21


def test_blob_blocks_both_ways() -> None:
    data = [b"x", b"1234567", b"12345678", bytes(range(256))]
    theirs = BatchSerializer.serialize(CompressFormat.LZ4, NOWHERE, [BlobRecord(one) for one in data])
    assert [entry.data[0] for entry in batch.decode(theirs, None)] == data
    ours = batch.encode([Entry((one,)) for one in data], None)
    assert [one.blob_data for one in BatchSerializer.deserialize(None, NOWHERE, ours)] == data


def test_protobuf_both_ways() -> None:
    body = PutPBRecordsRequestParams([_record(), _record((None,) * 10), BlobRecord(b"blob")]).content()
    assert protobuf.decode_put(frame.unwrap(body)) == [
        Entry(TEXTS, ATTRIBUTES),
        Entry((None,) * 10, ATTRIBUTES),
        Entry((b"blob",)),
    ]
    reply = Records("cursor", 5, [Entry(TEXTS, ATTRIBUTES, sequence=5, system_time=1700000000000)])
    read = GetPBRecordsResult.parse_content(frame.wrap(protobuf.encode_records(reply)), {}, record_schema=THEIRS)
    assert (read.next_cursor, read.record_count, read.start_seq) == ("cursor", 1, 5)
    assert read.records[0].values == VALUES and read.records[0].attributes == ATTRIBUTES
    assert protobuf.decode_get(frame.unwrap(GetPBRecordsRequestParams("cursor", 100).content())) == ("cursor", 100)
    failures = frame.wrap(protobuf.encode_put_reply([Failed(2, "MalformedRecord", "why")]))
    failed = PutPBRecordsResult.parse_content(failures, {})
    assert [(f.index, f.error_code, f.error_message) for f in failed.failed_records] == [(2, "MalformedRecord", "why")]


def test_binary_answers_of_ours_are_read_by_them() -> None:
    block = Block(batch.encode([Entry(TEXTS)] * 3, ALL), 9, 1700000000000, "c", "n")
    body = frame.wrap(protobuf.encode_blocks(Blocks("next", 9, [block, block], 14, 1700000000000)))
    names = {"project_name": "project", "topic_name": "topic", "init_schema": THEIRS, "schema_register": None}
    read = GetBatchRecordsResult.parse_content(body, {}, **names)
    assert (read.next_cursor, read.record_count, read.start_seq) == ("next", 6, 9)
    assert [one.values for one in read.records] == [VALUES] * 6


def test_json_both_ways() -> None:
    record = _record()
    record.partition_key = "key"
    entry = json.decode_put(PutRecordsRequestParams([record]).content().encode(), False)[0]
    assert isinstance(entry, Entry)
    assert entry.partition_key == "key" and entry.attributes == ATTRIBUTES
    assert batch.rows(batch.encode([entry], ALL), ALL)[0][0] == ROW["bigint"]
    reply = json.encode_records(Records("n", 5, [Entry(TEXTS, ATTRIBUTES, sequence=5)]), False)
    read = GetRecordsResult.parse_content(reply, {}, record_schema=THEIRS)
    assert read.records[0].values == VALUES and read.records[0].attributes == ATTRIBUTES


@pytest.mark.parametrize("query", ["", "?mode=id", "?b=2&a=%20x&c", "?donetime"])
def test_signatures_are_theirs(query: str) -> None:
    headers = {
        "x-datahub-client-version": "1.1",
        "x-datahub-security-token": "token",
        "X-Datahub-Request-Action": "pub",
        "Content-Type": "application/json",
        "Date": "Sun, 22 Nov 2026 20:00:00 GMT",
        "User-Agent": "not signed",
    }
    request = requests.Request("POST", f"http://host/projects/p/topics/t%20x{query}", headers=headers).prepare()
    AliyunAccount(access_id="id", access_key="secret").sign_request(request)
    signed = authorization("id", "secret", "POST", "/projects/p/topics/t%20x", query.lstrip("?"), headers)
    assert signed == request.headers["Authorization"]
