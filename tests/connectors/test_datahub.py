"""The datahub connector keeps the contract, against a real server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from contract.source import ChangeReaderSuite, ReaderSuite, Row
from contract.target import WriterSuite
from disync.connectors.datahub.wire.schema import TYPES, Field, Schema
from disync.model.connector import ChangeReader, Writer

if TYPE_CHECKING:
    from conftest import Service

ALL = Schema(tuple(Field(f"f_{name}", name) for name in sorted(TYPES)))
PAIR = Schema((Field("id", "bigint", notnull=True), Field("name", "string")))


class DataHubLog:
    table_width = len(ALL.fields)

    def __init__(self, service: Service) -> None:
        self._service = service
        self._topic = service.topic(ALL, shards=2)

    def rows(self, first: int, count: int) -> list[Row]:
        return [
            (i, i % 2 == 0, f"{i}.50", i / 3, i / 2, i, i % 1000, f"名字 {i}" * (i % 5), 1700000000000000 + i, i % 100)
            if i % 7
            else (i, *[None] * 9)
            for i in range(first, first + count)
        ]

    def fill(self, rows: Sequence[Row]) -> None:
        for shard in (0, 1):
            self.append(shard, rows[shard::2])

    def append(self, stream: int, rows: Sequence[Row]) -> None:
        self._topic.put(stream, rows)

    def seal(self, stream: int) -> None:
        self._topic.split(stream)

    def expire(self, stream: int) -> None:
        self._service.age()

    def reader(self) -> ChangeReader:
        return self._topic.reader(batchSize=50)


class DataHubTarget:
    transactional = False
    bad_row = (None, "the row without an id")

    def __init__(self, service: Service) -> None:
        self._topic = service.topic(PAIR, shards=3)

    def writer(self) -> Writer:
        return self._topic.writer(batchSize=100)

    def rows(self) -> list[Row]:
        return [row for shard in self._topic.shards() for row in self._topic.rows(shard)]


@pytest.fixture
def source(service: Service) -> DataHubLog:
    return DataHubLog(service)


@pytest.fixture
def log(service: Service) -> DataHubLog:
    return DataHubLog(service)


@pytest.fixture
def target(service: Service) -> DataHubTarget:
    return DataHubTarget(service)


class TestReader(ReaderSuite):
    pass


class TestChangeReader(ChangeReaderSuite):
    pass


class TestWriter(WriterSuite):
    pass
