"""Our own DataHub client: the calls that a task needs, on one project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import msgspec

from disync.connectors.datahub.config import Content
from disync.connectors.datahub.connection import KEY_CODES, RETRY_SECONDS, Connection, Rejected
from disync.connectors.datahub.wire import frame, schema
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Schema
from disync.model.errors import Unreachable
from disync.model.lineage import Dataset

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; `schema` is None for BLOB."""

    name: str
    schema: Schema | None
    lifecycle: int


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard's part of the hash space is `begin` up to, not including, `end`."""

    id: str
    active: bool
    begin: int
    end: int
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    cursor: str
    sequence: int
    time: int


class Client:
    """One project at one endpoint. May be used by many threads. `before_put` is called before each time that a put is
    sent, and may raise."""

    def __init__(self, content: Content, retry_seconds: float = RETRY_SECONDS, read_seconds: float = 30.0) -> None:
        self._content = content
        self.connection = Connection(content, retry_seconds, read_seconds)
        self.before_put: Callable[[], None] | None = None

    @property
    def project(self) -> str:
        return self._content.project

    def dataset(self, topic: str) -> Dataset:
        """OpenLineage has no rule for DataHub: the service, and in it project and topic."""
        return Dataset(f"datahub://{self.connection.authority}", f"{self.project}.{topic}")

    def close(self) -> None:
        self.connection.close()

    # Control calls.

    def check(self) -> None:
        """Raise unless the project is there and the key opens it."""
        self._json("GET", self._path())

    def topics(self) -> list[str]:
        return self._json("GET", self._path("topics"), _Topics).topic_names

    def topic(self, name: str) -> Topic:
        found = self._json("GET", self._path("topics", name), _Topic)
        if found.record_type.upper() == "BLOB":
            return Topic(name, None, found.lifecycle)
        return Topic(name, _schema(found.record_schema or ""), found.lifecycle)

    def schemas(self, topic: str) -> dict[int, Schema]:
        """The schema versions of a topic; empty where the service keeps none."""
        versions: dict[int, Schema] = {}
        page, pages = 1, 1
        try:
            while page <= pages:
                body = {"Action": "ListSchema", "PageNumber": page, "PageSize": 100}
                found = self._json("POST", self._path("topics", topic), _Schemas, body)
                versions |= {item.version_id: _schema(item.record_schema) for item in found.record_schema_list}
                page, pages = page + 1, found.page_count
        except Rejected as error:
            if error.reason in KEY_CODES or error.reason.startswith("NoSuch"):
                raise
        return versions

    def append_field(self, topic: str, field: schema.Field) -> None:
        body = {"Action": "appendfield", "FieldName": field.name, "FieldType": field.type}
        self._json("POST", self._path("topics", topic), _Nothing, body, again=False)

    def shards(self, topic: str) -> list[Shard]:
        found = self._json("GET", self._path("topics", topic, "shards"), _Shards)
        return [
            Shard(
                item.shard_id,
                item.state.upper() in ("ACTIVE", "OPENING"),
                int(item.begin_hash_key, 16),
                _end(item.end_hash_key),
                tuple(item.parent_shard_ids or ()),
            )
            for item in found.shards
        ]

    def cursor(self, topic: str, shard: str, kind: str, value: int = -1) -> Cursor:
        """The cursor for OLDEST, LATEST, SYSTEM_TIME (value: ms) or SEQUENCE (value: the sequence)."""
        body: dict[str, Any] = {"Action": "cursor", "Type": kind}
        if kind == "SYSTEM_TIME":
            body["SystemTime"] = value
        elif kind == "SEQUENCE":
            body["Sequence"] = value
        found = self._json("POST", self._path("topics", topic, "shards", shard), _Cursor, body)
        return Cursor(found.cursor, found.sequence, found.record_time)

    # Record calls.

    def records(self, action: str, topic: str, shard: str, content_type: str, body: bytes) -> bytes:
        """A get (`sub`) or put (`pub`) in protobuf or BATCH; the message in the answer's frame, or nothing."""
        headers = {"x-datahub-request-action": action}
        packed = "" if content_type == "application/x-binary" else "lz4"  # blocks are compressed inside
        path = self._path("topics", topic, "shards", shard)
        before = self.before_put if action == "pub" else None
        answer = self.connection.call(
            "POST", path, frame.wrap(body), content_type=content_type, headers=headers, packed=packed, before=before
        )
        return frame.unwrap(answer) if answer[:4] == frame.MAGIC else b""

    def json_records(self, topic: str, shard: str, body: bytes) -> bytes:
        """A get (with a shard) or put (without) in JSON; the answer's body."""
        parts = ("topics", topic, "shards", shard) if shard else ("topics", topic, "shards")
        before = None if shard else self.before_put
        return self.connection.call("POST", self._path(*parts), body, packed="lz4", before=before)

    def _path(self, *parts: str) -> str:
        names = ("projects", self.project, *parts)
        return "".join("/" + quote(name, safe="") for name in names)

    def _json(
        self, method: str, path: str, kind: type[_T] | None = None, body: object = None, again: bool = True
    ) -> _T:
        sent = msgspec.json.encode(body) if body is not None else b""
        data = self.connection.call(method, path, sent, again=again)
        wanted: Any = kind or _Nothing
        try:
            found: _T = msgspec.json.decode(data or b"{}", type=wanted)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Unreachable(f"DataHub at {self._content.endpoint} sent an answer without sense.") from error
        return found


def _schema(text: str) -> Schema:
    try:
        return schema.parse(text)
    except Malformed as error:
        raise Unreachable("DataHub describes a topic in a way that cannot be read.") from error


def _end(text: str) -> int:
    """The end of a hash range; the end of the whole space is written as all F, the last point inclusive."""
    point = int(text, 16)
    return point + 1 if point == (1 << 128) - 1 else point


class _Nothing(msgspec.Struct):
    """An answer of which nothing is read."""


class _Topics(msgspec.Struct, rename="pascal"):
    topic_names: list[str]


class _Topic(msgspec.Struct, rename="pascal"):
    record_type: str
    record_schema: str | None = None
    lifecycle: int = 0


class _Version(msgspec.Struct, rename="pascal"):
    version_id: int
    record_schema: str


class _Schemas(msgspec.Struct, rename="pascal"):
    record_schema_list: list[_Version] = []
    page_count: int = 1


_Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{1,32}\Z")]


class _Shard(msgspec.Struct, rename="pascal"):
    shard_id: str
    state: str
    begin_hash_key: _Hash
    end_hash_key: _Hash
    parent_shard_ids: list[str] | None = None


class _Shards(msgspec.Struct, rename="pascal"):
    shards: list[_Shard]


class _Cursor(msgspec.Struct, rename="pascal"):
    cursor: str
    sequence: int = -1
    record_time: int = -1
