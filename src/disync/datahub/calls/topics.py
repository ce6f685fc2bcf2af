"""Topics and their schema versions."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from disync.connectors.datahub.wire import schema as schemas
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Field, Schema
from disync.datahub.catalog import SchemaVersion, Topic
from disync.datahub.errors import Fault, invalid
from disync.datahub.registry import TOPIC, Answer, Call, call
from disync.datahub.shards import divide

MAX_TOPICS = 500
MAX_LIFECYCLE = 7
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_RESERVED = "system_time"


class Create(msgspec.Struct, rename="pascal"):
    record_type: str
    shard_count: int = 1
    lifecycle: int = 3
    comment: str = ""
    record_schema: str = ""
    expand_mode: str = ""


class Update(msgspec.Struct, rename="pascal"):
    lifecycle: int | None = None
    comment: str | None = None


class AppendField(msgspec.Struct, rename="pascal"):
    field_name: str
    field_type: str


class Page(msgspec.Struct, rename="pascal"):
    page_number: int = -1
    page_size: int = -1


class Version(msgspec.Struct, rename="pascal"):
    version_id: int = -1
    record_schema: str = ""


@call("GET", "/projects/{project}/topics")
def list_topics(call: Call) -> Answer:
    return {"TopicNames": [topic.name for topic in call.hub.catalog.topics(call.names["project"])]}


@call("POST", TOPIC, body=Create)
def create_topic(call: Call) -> None:
    body: Create = call.body
    project, name = call.names["project"], call.names["topic"]
    if _NAME.fullmatch(name) is None:
        raise invalid("TopicName", "1 to 128 letters, digits and underscores, a letter first")
    kind = body.record_type.upper()
    if kind not in ("TUPLE", "BLOB"):
        raise invalid("RecordType", "must be TUPLE or BLOB")
    if len(call.hub.catalog.topics(project)) >= MAX_TOPICS:
        raise Fault("LimitExceeded", f"a project has at most {MAX_TOPICS} topics")
    now = call.hub.clock() // 1000
    versions: tuple[SchemaVersion, ...] = ()
    if kind == "TUPLE":
        schema = _schema(body.record_schema)
        versions = (SchemaVersion(0, schema, schemas.dump(schema), now),)
    call.hub.create_topic(
        Topic(
            *(0, project, name, kind == "TUPLE", _lifecycle(body.lifecycle), body.comment),
            *(body.expand_mode.lower() == "extend", now, now),
            schemas=versions,
            shards=divide(body.shard_count),
        )
    )


@call("GET", TOPIC)
def get_topic(call: Call) -> Answer:
    topic = call.topic
    answer = {
        "Comment": topic.comment,
        "ShardCount": sum(shard.active for shard in topic.shards),
        "Lifecycle": topic.lifecycle,
        "CreateTime": topic.created,
        "LastModifyTime": topic.modified,
        "RecordType": "TUPLE" if topic.is_tuple else "BLOB",
        "ExpandMode": "extend" if topic.extend else "split",
    }
    return {**answer, "RecordSchema": topic.schema.text if topic.schema else ""}


@call("PUT", TOPIC, body=Update)
def update_topic(call: Call) -> None:
    topic, body = call.topic, call.body
    lifecycle = topic.lifecycle if body.lifecycle is None else _lifecycle(body.lifecycle)
    comment = topic.comment if body.comment is None else body.comment
    _save(call, replace(topic, lifecycle=lifecycle, comment=comment))


@call("DELETE", TOPIC)
async def delete_topic(call: Call) -> None:
    await call.hub.delete_topic(call.topic)


@call("POST", TOPIC, "appendfield", AppendField)
def append_field(call: Call) -> None:
    topic, body = call.topic, call.body
    current = _current(topic)
    field = Field(body.field_name, body.field_type.lower())
    _add_version(call, topic, _schema(schemas.dump(Schema((*current.schema.fields, field)))))


@call("POST", TOPIC, "listschema", Page)
def list_schemas(call: Call) -> Answer:
    versions = [version for version in call.topic.schemas if not version.deleted]
    size = call.body.page_size if call.body.page_size > 0 else max(1, len(versions))
    number = max(1, call.body.page_number)
    shown = versions[(number - 1) * size : number * size]
    return {
        "PageNumber": number,
        "PageSize": size,
        "PageCount": -(-len(versions) // size),
        "TotalCount": len(versions),
        "RecordSchemaList": [_version(version) for version in shown],
    }


@call("POST", TOPIC, "getschema", Version)
def get_schema(call: Call) -> Answer:
    """By version, else by the schema's text; -1 is the newest."""
    body, topic = call.body, call.topic
    if body.version_id < 0 and body.record_schema:
        wanted = _schema(body.record_schema)
        found = [version for version in topic.schemas if version.schema == wanted]
    elif body.version_id < 0:
        found = [_current(topic)]
    else:
        found = [version for version in topic.schemas if version.version == body.version_id]
    live = [version for version in found if not version.deleted]
    if not live:
        raise Fault("NoSuchSchema", "the topic has no such schema")
    return _version(live[0])


@call("POST", TOPIC, "registerschema", Version)
def register_schema(call: Call) -> Answer:
    topic = call.topic
    schema = _schema(call.body.record_schema)
    _current(topic)
    for version in topic.schemas:
        if version.schema == schema and not version.deleted:
            return {"VersionId": version.version}
    return {"VersionId": _add_version(call, topic, schema)}


@call("POST", TOPIC, "deleteschema", Version)
def delete_schema(call: Call) -> None:
    topic, number = call.topic, call.body.version_id
    live = [version.version for version in topic.schemas if not version.deleted]
    if number not in live:
        raise Fault("NoSuchSchema", f"the topic has no schema version {number}")
    if len(live) == 1:
        raise Fault("InvalidOperation", "the only schema of a topic cannot be deleted")
    kept = [replace(version, deleted=version.deleted or version.version == number) for version in topic.schemas]
    _save(call, replace(topic, schemas=tuple(kept)))


def _save(call: Call, topic: Topic) -> None:
    call.hub.catalog.save_topic(replace(topic, modified=call.hub.clock() // 1000))


def _add_version(call: Call, topic: Topic, schema: Schema) -> int:
    number = topic.schemas[-1].version + 1
    version = SchemaVersion(number, schema, schemas.dump(schema), call.hub.clock() // 1000)
    _save(call, replace(topic, schemas=(*topic.schemas, version)))
    return number


def _current(topic: Topic) -> SchemaVersion:
    if topic.schema is None:
        raise Fault("InvalidOperation", "a BLOB topic has no schema")
    return topic.schema


def _version(version: SchemaVersion) -> dict[str, object]:
    return {
        "VersionId": version.version,
        "RecordSchema": version.text,
        "CreateTime": version.created,
        "Creator": "",
    }


def _schema(text: str) -> Schema:
    try:
        schema = schemas.parse(text)
    except Malformed as error:
        raise Fault("InvalidSchema", str(error)) from error
    if any(field.name.lower() == _RESERVED for field in schema.fields):
        raise Fault("InvalidSchema", f"a field may not be called {_RESERVED}")
    return schema


def _lifecycle(days: int) -> int:
    if not 1 <= days <= MAX_LIFECYCLE:
        raise invalid("Lifecycle", f"must be between 1 and {MAX_LIFECYCLE} days")
    return days
