"""The memory connector keeps the contract, and fails as it is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from contract.source import ChangeReaderSuite, ReaderSuite, Row, take
from contract.target import SPLIT, TABLE, WriterSuite, batch, rows
from disync.connectors import find
from disync.connectors.memory import Faults, Stream, forget, place
from disync.model.connector import ChangeReader, Reader, Site, Writer
from disync.model.data import Position
from disync.model.errors import Unreachable
from disync.model.run import Checkpoint, Start


def _reader(**parameters: object) -> Reader:
    connector = find("memory")
    assert connector is not None and connector.reader is not None
    return connector.reader(Site({"table": "rows", "place": "test", **parameters}, {}))


def _writer(**parameters: object) -> Writer:
    connector = find("memory")
    assert connector is not None and connector.writer is not None
    return connector.writer(Site({"table": "rows", "place": "test", **parameters}, {}))


@pytest.fixture(autouse=True)
def _place() -> Iterator[None]:
    forget("test")
    yield
    forget("test")


class MemorySource:
    table_width = 2

    def __init__(self) -> None:
        place("test").create(TABLE)

    def rows(self, first: int, count: int) -> list[Row]:
        return [(i, f"row {i}") for i in range(first, first + count)]

    def fill(self, rows: Sequence[Row]) -> None:
        stored = place("test").tables["rows"]
        for row in rows:
            stored.appended += 1
            stored.rows[stored.appended] = row

    def reader(self) -> Reader:
        return _reader()


class MemoryLog(MemorySource):
    def __init__(self) -> None:
        super().__init__()
        place("test").streams["rows"] = [Stream("s0"), Stream("s1", 0.5)]

    def append(self, stream: int, rows: Sequence[Row]) -> None:
        place("test").append("rows", f"s{stream}", rows)

    def seal(self, stream: int) -> None:
        memory = place("test")
        with memory.changed:
            old = memory.streams["rows"][stream]
            old.sealed = True
            memory.streams["rows"].append(Stream("s2", old.at, (old.id,)))
            memory.changed.notify_all()

    def expire(self, stream: int) -> None:
        log = place("test").streams["rows"][stream]
        log.gone = len(log.rows)

    def reader(self) -> ChangeReader:
        reader = _reader(follow=True)
        assert isinstance(reader, ChangeReader)
        return reader


class MemoryTarget:
    bad_row = (-1, "refused")

    def __init__(self, transactional: bool) -> None:
        self.transactional = transactional
        place("test").create(TABLE)
        place("test").faults.refuse = lambda row: "it is the bad row" if row[0] == -1 else None

    def writer(self) -> Writer:
        return _writer(transactional=self.transactional)

    def rows(self) -> list[Row]:
        return place("test").rows("rows")


@pytest.fixture
def source() -> MemorySource:
    return MemorySource()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(params=[True, False], ids=["transactional", "plain"])
def target(request: pytest.FixtureRequest) -> MemoryTarget:
    return MemoryTarget(request.param)


class TestReader(ReaderSuite):
    pass


class TestChangeReader(ChangeReaderSuite):
    pass


class TestWriter(WriterSuite):
    pass


def test_the_formats_of_reader_and_writer_meet(source: MemorySource, target: MemoryTarget) -> None:
    assert set(_reader().formats) & set(_writer().formats)


def test_a_sink_that_fails_between_rows_and_checkpoint() -> None:
    for transactional, kept in ((True, 0), (False, 2)):
        target = MemoryTarget(transactional)
        sink = target.writer().open(SPLIT)
        sink.write(batch(rows(0, 5)))
        place("test").faults.flush_after = 2
        with pytest.raises(Unreachable):
            sink.flush(Checkpoint(SPLIT.id, Position("5"), 1))
        assert len(target.rows()) == kept
        assert sink.last() is None
        forget("test")


def test_faults_count_down_and_fire_once(log: MemoryLog) -> None:
    log.append(0, log.rows(0, 250))
    place("test").faults = Faults(read_after=150)
    reader = log.reader()
    stream = reader.streams()[0]
    first = reader.seek(stream, Start())
    events = reader.changes(stream, first)
    take(events, 100)
    with pytest.raises(Unreachable):
        next(events)
    assert len(take(reader.changes(stream, first), 250)) == 3
    reader.close()
