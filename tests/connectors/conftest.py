"""A local DataHub for all tests of this room, and topics in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from datahub.models import BlobRecord, CursorType, RecordSchema, TupleRecord

from datahub import DataHub
from disync.connectors import find
from disync.connectors.datahub.wire import schema as schemas
from disync.connectors.datahub.wire.schema import Schema
from disync.connectors.postgres import merging
from disync.datahub.hub import DAY_MS, Hub, now_ms
from disync.datahub.local import LocalDataHub
from disync.model.connector import ChangeReader, Site, Writer

pytest.register_assert_rewrite("contract.source", "contract.target")

PROJECT = "contract"
_NUMBER = itertools.count(1)


class Service:
    """A DataHub, seen through the vendor's client and through our connector."""

    def __init__(self, local: LocalDataHub) -> None:
        self.local = local
        self.vendor = DataHub("id", "secret", local.endpoint)
        self.vendor.create_project(PROJECT, "made by a test")

    def content(self, endpoint: str | None = None, **members: str) -> dict[str, str]:
        key = {"project": PROJECT, "accessId": "id", "accessKey": "secret", "tag": "public"}
        return {"endpoint": endpoint or self.local.endpoint, **key, **members}

    def topic(self, schema: Schema | None, shards: int = 1) -> Topic:
        name = f"topic_{next(_NUMBER)}"
        if schema is None:
            self.vendor.create_blob_topic(PROJECT, name, shards, 7, "blob")
        else:
            self.vendor.create_tuple_topic(PROJECT, name, shards, 7, _theirs(schema), "tuple")
        return Topic(self, name, schema)

    def age(self) -> None:
        """Let eight days pass for all that is stored: it expires."""
        self.local.stop()

        async def open_and_close() -> None:
            await Hub(Path(self.local.home), clock=lambda: now_ms() + 8 * DAY_MS).close()

        asyncio.run(open_and_close())
        self.local.start()


class Topic:
    """One topic; `rows` are tuples of values, or bytes in a BLOB topic."""

    def __init__(self, service: Service, name: str, schema: Schema | None) -> None:
        self.service = service
        self.name = name
        self.schema = schema

    def put(self, shard: int | str, rows: Sequence[Any], attributes: Mapping[str, str] | None = None) -> None:
        records = []
        for row in rows:
            if self.schema is None:
                record = BlobRecord(row)
            else:
                record = TupleRecord(schema=_theirs(self.schema), values=list(row))
            record.shard_id = str(shard)
            record.attributes = dict(attributes or {})
            records.append(record)
        assert self.service.vendor.put_records(PROJECT, self.name, records).failed_record_count == 0

    def records(self, shard: int | str) -> list[Any]:
        """What the vendor's client reads in a shard, oldest first."""
        vendor, found = self.service.vendor, []
        cursor = vendor.get_cursor(PROJECT, self.name, str(shard), CursorType.OLDEST).cursor
        while True:
            try:
                if self.schema is None:
                    result = vendor.get_blob_records(PROJECT, self.name, str(shard), cursor, 1000)
                else:
                    theirs = _theirs(self.schema)
                    result = vendor.get_tuple_records(PROJECT, self.name, str(shard), theirs, cursor, 1000)
            except Exception as error:
                if getattr(error, "error_code", "") == "InvalidShardOperation":  # closed and read to its end
                    return found
                raise
            if not result.records:
                return found
            found += result.records
            cursor = result.next_cursor

    def rows(self, shard: int | str) -> list[Any]:
        return [r.blob_data if self.schema is None else tuple(r.values) for r in self.records(shard)]

    def shards(self) -> list[str]:
        return [shard.shard_id for shard in self.service.vendor.list_shard(PROJECT, self.name).shards]

    def split(self, shard: int | str) -> list[str]:
        done = self.service.vendor.split_shard(PROJECT, self.name, str(shard), "")
        return [shard.shard_id for shard in done.new_shards]

    def merge(self, shard: int | str, other: int | str) -> str:
        with suppress(TypeError):  # the vendor's client cannot read the answer to its own call
            self.service.vendor.merge_shard(PROJECT, self.name, str(shard), str(other))
        return max(self.shards(), key=int)

    def _site(self, endpoint: str | None, parameters: Mapping[str, Any]) -> Site:
        return Site({"datasource": "here", "topic": self.name, **parameters}, {"here": self.service.content(endpoint)})

    def reader(self, endpoint: str | None = None, **parameters: Any) -> ChangeReader:
        connector = find("datahub")
        assert connector is not None and connector.reader is not None
        reader = connector.reader(self._site(endpoint, parameters))
        assert isinstance(reader, ChangeReader)
        return reader

    def writer(self, endpoint: str | None = None, **parameters: Any) -> Writer:
        connector = find("datahub")
        assert connector is not None and connector.writer is not None
        return connector.writer(self._site(endpoint, parameters))


def _theirs(schema: Schema) -> RecordSchema:
    return RecordSchema.from_json_str(schemas.dump(schema))


@pytest.fixture(params=["bound", "staged"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same test for rows that are bound to a statement, if they are few, and for all through temporary tables."""
    if request.param == "staged":
        monkeypatch.setattr(merging, "FEW_VALUES", 0)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with LocalDataHub(tmp_path_factory.mktemp("datahub"), {"id": "secret"}) as local:
        yield Service(local)
