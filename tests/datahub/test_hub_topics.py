"""Projects, topics and schema versions, by the vendor's client."""

from __future__ import annotations

import pytest
from datahub.core import DatahubProtocolType
from datahub.exceptions import (
    InvalidOperationException,
    InvalidParameterException,
    ResourceExistException,
    ResourceNotFoundException,
)
from datahub.models import CursorType, FieldType, RecordSchema, RecordType, TupleRecord
from signed import send

from datahub import DataHub
from disync.datahub.local import LocalDataHub

SCHEMA = RecordSchema.from_lists(["a", "b"], [FieldType.BIGINT, FieldType.STRING], ["first", ""], [False, True])
WIDER = RecordSchema.from_lists(["b", "a", "c"], [FieldType.STRING, FieldType.BIGINT, FieldType.DOUBLE])


def test_a_projects_life(client: DataHub) -> None:
    client.create_project("life", "one")
    with pytest.raises(ResourceExistException):
        client.create_project("life", "again")
    assert "life" in client.list_project().project_names
    client.update_project("life", "two")
    assert client.get_project("life").comment == "two"
    client.delete_project("life")
    with pytest.raises(ResourceNotFoundException):
        client.get_project("life")


def test_a_project_with_topics_is_not_deleted(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "")
    with pytest.raises(InvalidOperationException) as caught:
        client.delete_project(project)
    assert caught.value.error_code == "OperationDenied"


def test_a_topics_life(client: DataHub, project: str) -> None:
    client.create_tuple_topic(project, "t", 3, 7, SCHEMA, "words")
    with pytest.raises(ResourceExistException):
        client.create_blob_topic(project, "t", 1, 3, "")
    topic = client.get_topic(project, "t")
    assert (topic.shard_count, topic.life_cycle, topic.comment) == (3, 7, "words")
    assert topic.record_type is RecordType.TUPLE
    assert topic.record_schema.to_json_string() == SCHEMA.to_json_string()
    client.update_topic(project, "t", 2, "other words")
    assert (client.get_topic(project, "t").life_cycle, client.get_topic(project, "t").comment) == (2, "other words")
    assert client.list_topic(project).topic_names == ["t"]
    client.wait_shards_ready(project, "t")
    client.delete_topic(project, "t")
    with pytest.raises(ResourceNotFoundException):
        client.get_topic(project, "t")


def test_nothing_of_a_deleted_topic_comes_back(client: DataHub, project: str) -> None:
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    client.put_records(project, "t", [TupleRecord(schema=SCHEMA, values=[1, "x"])])
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    client.delete_topic(project, "t")
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    assert client.get_cursor(project, "t", "0", CursorType.LATEST).sequence == -1
    with pytest.raises(Exception, match="is no cursor of this shard"):
        client.get_tuple_records(project, "t", "0", SCHEMA, cursor, 10)


def test_an_appended_field_is_null_in_older_records(client: DataHub, project: str) -> None:
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    client.put_records(project, "t", [TupleRecord(schema=SCHEMA, values=[1, "x"])])
    client.append_field(project, "t", "c", FieldType.DECIMAL)
    schema = client.get_topic(project, "t").record_schema
    assert [field.name for field in schema.field_list] == ["a", "b", "c"]
    client.put_records(project, "t", [TupleRecord(schema=schema, values=[2, "y", 3])])
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    records = client.get_tuple_records(project, "t", "0", schema, cursor, 10).records
    assert [record.values for record in records] == [(1, "x", None), (2, "y", 3)]


def test_schema_versions(client: DataHub, project: str) -> None:
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    assert client.register_topic_schema(project, "t", WIDER).version_id == 1
    assert client.register_topic_schema(project, "t", WIDER).version_id == 1
    listed = client.list_topic_schema(project, "t", 1, 1)
    assert (listed.page_count, listed.total_count, listed.record_schema_list[0]["VersionId"]) == (2, 2, 0)
    assert client.get_topic_schema(project, "t", schema=WIDER).version_id == 1
    assert client.get_topic_schema(project, "t", version_id=0).record_schema == SCHEMA.to_json_string().replace(" ", "")
    client.delete_topic_schema(project, "t", 0)
    with pytest.raises(Exception, match="no such schema"):
        client.get_topic_schema(project, "t", version_id=0)
    with pytest.raises(InvalidOperationException):
        client.delete_topic_schema(project, "t", 1)


def test_records_of_all_versions_are_read_under_the_newest_by_name(
    hub: LocalDataHub, client: DataHub, project: str
) -> None:
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    client.register_topic_schema(project, "t", WIDER)
    batch = DataHub("id", "secret", hub.endpoint, protocol_type=DatahubProtocolType.BATCH)
    batch.put_records_by_shard(project, "t", "0", [TupleRecord(schema=SCHEMA, values=[1, "x"])])
    batch.put_records_by_shard(project, "t", "0", [TupleRecord(schema=WIDER, values=["y", 2, 0.5])])
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    records = client.get_tuple_records(project, "t", "0", WIDER, cursor, 10).records
    assert [record.values for record in records] == [("x", 1, None), ("y", 2, 0.5)]
    records = batch.get_tuple_records(project, "t", "0", WIDER, cursor, 10).records
    assert [record.values for record in records] == [(1, "x"), ("y", 2, 0.5)]


def test_a_block_of_an_unknown_schema_version_is_refused(client: DataHub, hub: LocalDataHub, project: str) -> None:
    client.create_tuple_topic(project, "t", 1, 7, SCHEMA, "")
    client.register_topic_schema(project, "t", WIDER)
    batch = DataHub("id", "secret", hub.endpoint, protocol_type=DatahubProtocolType.BATCH)
    record = TupleRecord(schema=WIDER, values=["y", 2, 0.5])
    batch.put_records_by_shard(project, "t", "0", [record])
    client.delete_topic_schema(project, "t", 1)
    with pytest.raises(InvalidParameterException) as caught:  # the client still remembers the version
        batch.put_records_by_shard(project, "t", "0", [record])
    assert caught.value.error_code == "InvalidSchema"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"RecordType":"TUPLE","RecordSchema":"{}"}', "InvalidSchema"),
        (b'{"RecordType":"TUPLE","RecordSchema":"{\\"fields\\":[]}"}', "InvalidSchema"),
        (
            b'{"RecordType":"TUPLE","RecordSchema":"{\\"fields\\":[{\\"name\\":\\"system_time\\",\\"type\\":\\"string\\"}]}"}',
            "InvalidSchema",
        ),
        (b'{"RecordType":"OTHER"}', "InvalidParameter"),
        (b'{"RecordType":"BLOB","ShardCount":0}', "InvalidParameter"),
        (b'{"RecordType":"BLOB","ShardCount":257}', "InvalidParameter"),
        (b'{"RecordType":"BLOB","Lifecycle":0}', "InvalidParameter"),
        (b'{"RecordType":"BLOB","Lifecycle":"x"}', "InvalidParameter"),
        (b"{}", "InvalidParameter"),
        (b"[", "InvalidParameter"),
    ],
)
def test_a_topic_that_cannot_be(hub: LocalDataHub, project: str, body: bytes, code: str) -> None:
    answer = send(hub.endpoint, "POST", f"/projects/{project}/topics/wrong", body)
    assert (answer.status_code, answer.json()["ErrorCode"]) == (400, code)


@pytest.mark.parametrize("name", ["a", "1abc", "a-b", "x" * 33])
def test_a_projects_name(hub: LocalDataHub, name: str) -> None:
    answer = send(hub.endpoint, "POST", f"/projects/{name}", b'{"Comment":""}')
    assert (answer.status_code, answer.json()["ErrorCode"]) == (400, "InvalidParameter")
