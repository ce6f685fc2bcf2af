"""What the server refuses, with which code; and that nothing a client sends makes it fail or stop."""

from __future__ import annotations

import socket
from email.utils import formatdate
from typing import Any

import httpx
import lz4.block
import pytest
from datahub.core import DatahubProtocolType
from datahub.exceptions import (
    AuthorizationFailedException,
    InvalidCursorException,
    InvalidOperationException,
    InvalidParameterException,
    ResourceNotFoundException,
    ShardSealedException,
)
from datahub.models import BlobRecord, CursorType, FieldType, RecordSchema, TupleRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed import BATCH, JSON, PROTOBUF, act, send

from datahub import DataHub
from disync.connectors.datahub.wire import batch, frame, protobuf
from disync.connectors.datahub.wire.entry import Entry
from disync.datahub.local import LocalDataHub
from disync.datahub.records import MAX_BODY, MAX_RECORDS


@pytest.fixture
def shard(client: DataHub, project: str) -> str:
    """The path of a BLOB topic's only shard."""
    client.create_blob_topic(project, "t", 1, 3, "")
    return f"/projects/{project}/topics/t/shards/0"


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["ErrorCode"]


def test_every_answer_has_a_request_id_and_a_refusal_a_sentence(hub: LocalDataHub) -> None:
    answer = send(hub.endpoint, "GET", "/projects/nobody")
    assert refused(answer) == (404, "NoSuchProject")
    assert answer.json()["ErrorMessage"] == "there is no project 'nobody'"
    assert len(answer.headers["x-datahub-request-id"]) == 32
    assert send(hub.endpoint, "GET", "/projects").headers["x-datahub-request-id"]


@pytest.mark.parametrize(
    "change",
    [
        {"key": ("id", "other")},
        {"key": ("nobody", "secret")},
        {"key": ("nöbody", "secret")},
        {"headers": {"Date": ""}},
        {"headers": {"Date": "yesterday"}},
        {"headers": {"Date": formatdate(1_700_000_000, usegmt=True)}},
        {"headers": {"Date": formatdate(4_000_000_000, usegmt=True)}},
    ],
)
def test_who_does_not_sign_rightly_is_not_let_in(hub: LocalDataHub, change: dict[str, Any]) -> None:
    assert refused(send(hub.endpoint, "GET", "/projects", **change)) == (401, "Unauthorized")


@pytest.mark.parametrize("header", ["", "DATAHUB", "DATAHUB id", "DATAHUB id:", "DATAHUB :x", "Basic aWQ6c2VjcmV0"])
def test_a_malformed_authorization(hub: LocalDataHub, header: str) -> None:
    headers = {"Authorization": header, "Date": formatdate(usegmt=True)}
    assert refused(httpx.get(f"{hub.endpoint}/projects", headers=headers, trust_env=False)) == (401, "Unauthorized")


def test_what_is_signed_cannot_be_changed(hub: LocalDataHub, client: DataHub, project: str) -> None:
    """Each part of one good request, altered after it was signed."""
    from disync.connectors.datahub.wire.sign import authorization

    headers = {"Content-Type": JSON, "Date": formatdate(usegmt=True), "x-datahub-client-version": "1.1"}
    headers["Authorization"] = authorization("id", "secret", "GET", f"/projects/{project}", "", headers)
    path = f"{hub.endpoint}/projects/{project}"
    assert httpx.get(path, headers=headers, trust_env=False).status_code == 200
    altered = [
        ("DELETE", path, headers),
        ("GET", f"{hub.endpoint}/projects", headers),
        ("GET", f"{path}?mode=id", headers),
        ("GET", path, {**headers, "Content-Type": "text/plain"}),
        ("GET", path, {**headers, "x-datahub-client-version": "1.2"}),
        ("GET", path, {**headers, "x-datahub-security-token": "mine"}),
        ("GET", path, {**headers, "Date": formatdate(usegmt=True, timeval=1_700_000_000)}),
    ]
    for method, url, sent in altered:
        assert refused(httpx.request(method, url, headers=sent, trust_env=False)) == (401, "Unauthorized")


def test_the_client_raises_its_own_exceptions(hub: LocalDataHub, client: DataHub, shard: str, project: str) -> None:
    with pytest.raises(AuthorizationFailedException):
        DataHub("id", "wrong", hub.endpoint).list_project()
    for call in (
        lambda: client.list_topic("nobody"),
        lambda: client.get_topic(project, "none"),
        lambda: client.get_cursor(project, "t", "7", CursorType.OLDEST),
        lambda: client.get_cursor(project, "t", "x", CursorType.OLDEST),
    ):
        with pytest.raises(ResourceNotFoundException):
            call()
    with pytest.raises(InvalidCursorException):
        client.get_blob_records(project, "t", "0", "no cursor", 1)
    with pytest.raises(InvalidOperationException, match="connectors are not served"):
        client.list_connector(project, "t")
    with pytest.raises(InvalidOperationException):
        client.append_field(project, "t", "f", FieldType.STRING)
    protobuf_client = DataHub("id", "secret", hub.endpoint, protocol_type=DatahubProtocolType.PB)
    schema = RecordSchema.from_lists(["a", "b"], [FieldType.STRING] * 2)
    with pytest.raises(InvalidParameterException) as caught:  # two fields into a BLOB
        protobuf_client.put_records_by_shard(project, "t", "0", [TupleRecord(schema=schema, values=["x", "y"])])
    assert caught.value.error_code == "MalformedRecord"
    client.split_shard(project, "t", "0")
    with pytest.raises(ShardSealedException):
        protobuf_client.put_records_by_shard(project, "t", "0", [BlobRecord(blob_data=b"x")])


def test_a_cursor_of_another_shard(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 2, 3, "")
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    with pytest.raises(InvalidCursorException):
        client.get_blob_records(project, "t", "1", cursor, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/", b"", 400, "InvalidUriSpec"),
        ("GET", "/nothing/here", b"", 400, "InvalidUriSpec"),
        ("GET", "/projects/{p}/topics/t/shards/0/more", b"", 400, "InvalidUriSpec"),
        ("PATCH", "/projects/{p}", b"", 400, "InvalidOperation"),
        ("POST", "/projects/{p}/topics/t/shards/0", b'{"Action":"dance"}', 400, "InvalidOperation"),
        ("POST", "/projects/{p}/topics/t/shards/0", b'{"Action":7}', 400, "InvalidParameter"),
        ("POST", "/projects/{p}/topics/t/shards/0", b"\xff", 400, "InvalidParameter"),
        ("POST", "/projects/{p}/topics/t/shards/0", b'{"Action":"cursor"}', 400, "InvalidParameter"),
        ("POST", "/projects/{p}/topics/t/shards/0", b'{"Action":"cursor","Type":"NEXT"}', 400, "InvalidParameter"),
        (
            "POST",
            "/projects/{p}/topics/t/shards/0",
            b'{"Action":"cursor","Type":"SYSTEM_TIME"}',
            400,
            "InvalidParameter",
        ),
        ("POST", "/projects/{p}/topics/t/shards/0", b'{"Action":"sub"}', 400, "InvalidParameter"),
        ("POST", "/projects/{p}/topics/t/shards", b'{"Action":"pub","Records":{}}', 400, "InvalidParameter"),
        ("POST", "/projects/{p}/topics/t/shards", b"[" * 100_000, 400, "InvalidParameter"),
        (
            "POST",
            "/projects/{p}/topics/t/shards",
            b'{"Action":"split","ShardId":"0","SplitKey":"z"}',
            400,
            "InvalidParameter",
        ),
        (
            "POST",
            "/projects/{p}/topics/t/shards",
            b'{"Action":"split","ShardId":"0","SplitKey":"0"}',
            400,
            "InvalidParameter",
        ),
        ("POST", "/projects/{p}/topics/t/subscriptions", b'{"Action":"list","PageIndex":0}', 400, "InvalidParameter"),
        ("GET", "/projects/{p}/topics/t/subscriptions/none", b"", 404, "NoSuchSubscription"),
        ("POST", "/projects/{p}/topics/t/connectors/sink_odps", b'{"Action":"Create"}', 400, "InvalidOperation"),
    ],
)
def test_calls_that_cannot_be(
    hub: LocalDataHub, shard: str, project: str, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    assert refused(send(hub.endpoint, method, path.replace("{p}", project), body)) == (status, code)


@pytest.mark.parametrize("content_type", [PROTOBUF, BATCH])
@pytest.mark.parametrize("body", [b"", b"DHUB", b"\x00" * 40, frame.wrap(b"\xff\xff"), frame.wrap(b"\x0a\x02\x0a\x05")])
def test_binary_bodies_that_are_none(hub: LocalDataHub, shard: str, content_type: str, body: bytes) -> None:
    assert refused(act(hub.endpoint, shard, "pub", content_type, body)) == (400, "MalformedRecord")


def test_batch_records_are_put_by_shard(hub: LocalDataHub, shard: str) -> None:
    body = frame.wrap(protobuf.encode_binary_put([batch.encode([Entry((b"x",))], None)]))
    assert refused(act(hub.endpoint, shard.removesuffix("/0"), "pub", BATCH, body)) == (400, "InvalidOperation")


def test_limits_of_a_put(hub: LocalDataHub, client: DataHub, shard: str, project: str) -> None:
    large = frame.wrap(protobuf.encode_put([Entry((bytes(MAX_BODY),))]))
    answer = act(hub.endpoint, shard, "pub", PROTOBUF, large)
    assert refused(answer) == (400, "InvalidParameter")
    assert "larger than" in answer.json()["ErrorMessage"]
    many = frame.wrap(protobuf.encode_put([Entry((b"x",))] * (MAX_RECORDS + 1)))
    assert refused(act(hub.endpoint, shard, "pub", PROTOBUF, many)) == (400, "InvalidParameter")
    bomb = frame.wrap(protobuf.encode_binary_put([batch.encode([Entry((bytes(8 << 20),))], None)]))
    assert refused(act(hub.endpoint, shard, "pub", BATCH, bomb)) == (400, "MalformedRecord")
    assert client.get_cursor(project, "t", "0", CursorType.LATEST).sequence == -1


def test_the_largest_put_of_one_protocol_can_be_passed_on_in_another(
    hub: LocalDataHub, client: DataHub, shard: str, project: str
) -> None:
    """Small records grow when they are stored as BATCH; what a get delivers must still be a legal put."""
    client.create_blob_topic(project, "u", 1, 3, "")
    fields = [FieldType.STRING] * 60
    client.create_tuple_topic(project, "v", 1, 3, RecordSchema.from_lists([f"f{n}" for n in range(60)], fields), "")
    wide = f"/projects/{project}/topics/v/shards/0"
    body = frame.wrap(protobuf.encode_put([Entry((b"x",) * 60)] * MAX_RECORDS))
    assert len(body) < MAX_BODY
    assert act(hub.endpoint, wide, "pub", PROTOBUF, body).status_code == 200
    cursor = client.get_cursor(project, "v", "0", CursorType.OLDEST).cursor
    count = 0
    while True:
        get = frame.wrap(protobuf.encode_get(cursor, MAX_RECORDS))
        answer = act(hub.endpoint, wide, "sub", BATCH, get)
        reply = protobuf.decode_blocks(frame.unwrap(answer.content))
        if not reply.blocks or count >= MAX_RECORDS:
            break
        count += sum(batch.count(block.data) for block in reply.blocks)
        cursor = reply.next_cursor
        for block in reply.blocks:
            put = frame.wrap(protobuf.encode_binary_put([block.data]))
            assert act(hub.endpoint, wide, "pub", BATCH, put).status_code == 200
    assert count == MAX_RECORDS


@pytest.mark.parametrize(
    ("encoding", "raw_size", "body"),
    [
        ("lz4", "10", b"\xff" * 10),
        ("lz4", str(1 << 40), lz4.block.compress(bytes(100), store_size=False)),
        ("lz4", "7", lz4.block.compress(bytes(100), store_size=False)),
        ("lz4", "x", b"x"),
        ("zlib", "10", b"no zlib"),
        ("br", "10", b"x"),
    ],
)
def test_bodies_that_do_not_decompress(
    hub: LocalDataHub, shard: str, encoding: str, raw_size: str, body: bytes
) -> None:
    headers = {"Content-Encoding": encoding, "x-datahub-content-raw-size": raw_size}
    assert refused(send(hub.endpoint, "POST", shard, body, headers=headers)) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("slot", "says"),
    [
        (b"\x0d\x00\x00\x00\xff\xff\xff\x7f", "records 1 to 1 were put in a broken block"),  # the text is elsewhere
        (b"\xff" * 8, "record 1 is broken"),  # seven bytes that are not UTF-8
    ],
)
def test_a_record_that_is_broken_inside_can_be_stepped_over(
    hub: LocalDataHub, client: DataHub, project: str, slot: bytes, says: str
) -> None:
    """A put looks into no field. Who decodes is told which records are broken, and goes on behind them."""
    schema = RecordSchema.from_lists(["a"], [FieldType.STRING])
    client.create_tuple_topic(project, "t", 1, 3, schema, "")
    shard = f"/projects/{project}/topics/t/shards/0"
    record = bytearray(batch.unpack(batch.encode([Entry((b"a longer text",))], _wire(schema)))[0])
    record[28:36] = slot
    body = frame.wrap(protobuf.encode_binary_put([batch.pack([bytes(record)])]))
    client.put_records(project, "t", [TupleRecord(schema=schema, values=["before"])])
    assert act(hub.endpoint, shard, "pub", BATCH, body).status_code == 200
    client.put_records(project, "t", [TupleRecord(schema=schema, values=["after"])])
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    result = client.get_tuple_records(project, "t", "0", schema, cursor, 10)
    assert [record.values for record in result.records] == [("before",)]
    with pytest.raises(InvalidParameterException, match=says):
        client.get_tuple_records(project, "t", "0", schema, result.next_cursor, 10)
    cursor = client.get_cursor(project, "t", "0", CursorType.SEQUENCE, 2).cursor
    assert client.get_tuple_records(project, "t", "0", schema, cursor, 10).records[0].values == ("after",)


def _wire(schema: RecordSchema) -> Any:
    from disync.connectors.datahub.wire.schema import parse

    return parse(schema.to_json_string())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([JSON, PROTOBUF, BATCH, "text/plain", ""]),
    st.sampled_from(["pub", "sub", "cursor", ""]),
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(frame.wrap),
        st.binary(max_size=60).map(lambda b: frame.wrap(protobuf.encode_binary_put([b]))),
        st.binary(max_size=60).map(lambda b: frame.wrap(protobuf.encode_binary_put([batch.pack([b])]))),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["Action", "Records", "Data", "ShardId", "Cursor", "Limit", "Type", "Sequence"]),
                    inner,
                )
            ),
            max_leaves=8,
        ).map(lambda value: httpx.Request("POST", "http://x", json=value).content),
    ),
    st.sampled_from(["", "/0", "/0/", "/%00", "/0?a=b", "/../..", "/" + "9" * 30]),
)
def test_nothing_makes_it_fail(
    hub: LocalDataHub, shard: str, content_type: str, action: str, body: bytes, tail: str
) -> None:
    path = shard.removesuffix("/0") + tail
    assert act(hub.endpoint, path, action, content_type, body).status_code < 500


def test_what_is_no_http_does_not_stop_it(hub: LocalDataHub) -> None:
    port = int(hub.endpoint.rpartition(":")[2])
    for data in (b"\x00\x01\x02", b"GET\r\n\r\n", b"POST /projects/x HTTP/1.1\r\nContent-Length: 99\r\n\r\nshort"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(data)
    assert send(hub.endpoint, "GET", "/projects").status_code == 200
