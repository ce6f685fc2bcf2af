"""Suites for readers. A test module gives a fixture `source`: a Source over an empty table."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest

from disync.connectors.postgres import fields
from disync.connectors.postgres.types import ColumnType
from disync.model.connector import ChangeReader, Reader
from disync.model.data import Batch, Encoded, Event, Idle, Position, rows_of
from disync.model.errors import PositionGone
from disync.model.run import Split, Start
from disync.model.types import storage
from disync.native import pgcopy, rows

Row = tuple[Any, ...]


class Source(Protocol):
    """A source that a test can fill. `rows` are distinct rows that fit the table."""

    table_width: int

    def rows(self, first: int, count: int) -> list[Row]: ...
    def fill(self, rows: Sequence[Row]) -> None:
        """Add rows, spread over what there is to be read in parallel."""

    def reader(self) -> Reader: ...


class Log(Source, Protocol):
    """A source with streams, at least two of them."""

    def append(self, stream: int, rows: Sequence[Row]) -> None: ...
    def seal(self, stream: int) -> None:
        """End a stream; the streams born of it name it as their parent."""

    def expire(self, stream: int) -> None:
        """Remove what the stream holds, as age would."""

    def reader(self) -> ChangeReader: ...


def rows_in(events: Sequence[Event]) -> list[Row]:
    return [row for event in events if isinstance(event, Batch) for row in _rows(event)]


def _rows(batch: Batch) -> list[Row]:
    if not isinstance(batch.rows, Encoded):
        return rows_of(batch.rows)
    assert batch.rows.format == pgcopy.FORMAT
    types = [ColumnType(pgcopy.TYPES[column.kind]) for column in batch.table.columns]
    found = [
        tuple(None if f is None else fields.decode(t, f) for t, f in zip(types, line, strict=True))
        for line in rows.fields(batch.rows.buffers[0])
    ]
    assert len(found) == batch.rows.count
    return found


def take(events: Iterator[Event], count: int) -> list[Event]:
    """Events until `count` rows have come."""
    taken: list[Event] = []
    while sum(event.count for event in taken if isinstance(event, Batch)) < count:
        taken.append(next(events))
    return taken


class ReaderSuite:
    """A bounded read."""

    def test_check_and_tables(self, source: Source) -> None:
        reader = source.reader()
        assert reader.check() == []
        (table,) = reader.tables()
        assert len(table.columns) == source.table_width
        reader.close()
        reader.close()

    @pytest.mark.parametrize("want", [1, 3])
    def test_the_splits_hold_every_row_once(self, source: Source, want: int) -> None:
        rows = source.rows(0, 250)
        source.fill(rows)
        reader = source.reader()
        splits = reader.split(want)
        assert len({split.id for split in splits}) == len(splits)
        assert all(0 <= split.at < 1 for split in splits)
        found = [row for split in splits for row in rows_in(list(reader.read(split, None)))]
        assert sorted(found) == sorted(rows)
        reader.close()

    def test_rows_lie_in_the_storage_of_their_kinds(self, source: Source) -> None:
        source.fill(source.rows(0, 10))
        reader = source.reader()
        for split in reader.split(1):
            for event in reader.read(replace(split, format=None), None):
                assert isinstance(event, Batch) and not isinstance(event.rows, Encoded)
                kinds = [storage(column.kind) for column in event.table.columns]
                assert [event.rows.column(i).type for i in range(event.rows.num_columns)] == kinds
                assert event.ops is None
        reader.close()

    def test_reading_goes_on_after_every_position(self, source: Source) -> None:
        source.fill(source.rows(0, 250))
        reader = source.reader()
        for split in reader.split(1):
            events = list(reader.read(split, None))
            for place, event in enumerate(events):
                rest = rows_in(list(reader.read(split, event.position)))
                assert rest == rows_in(events[place + 1 :])
        reader.close()

    def test_an_empty_source_ends_at_once(self, source: Source) -> None:
        reader = source.reader()
        assert [rows_in(list(reader.read(split, None))) for split in reader.split(2)] in ([[]], [[], []])
        reader.close()

    def test_shared_formats_give_the_same_number_of_rows(self, source: Source) -> None:
        rows = source.rows(0, 120)
        source.fill(rows)
        reader = source.reader()
        for form in reader.formats:
            splits = [replace(split, format=form) for split in reader.split(1)]
            events = [event for split in splits for event in reader.read(split, None)]
            assert {event.rows.format for event in events} == {form}  # type: ignore[union-attr]
            assert sum(event.count for event in events if isinstance(event, Batch)) == len(rows)
        reader.close()


class ChangeReaderSuite:
    """An endless read. The fixture is `log`."""

    @staticmethod
    def _stream(reader: ChangeReader, place: int) -> Split:
        return sorted(reader.streams(), key=lambda split: split.id)[place]

    def test_streams_are_stable_and_have_places(self, log: Log) -> None:
        one, other = log.reader(), log.reader()
        assert [(s.id, s.at) for s in one.streams()] == [(s.id, s.at) for s in other.streams()]
        assert len(one.streams()) >= 2
        assert all(0 <= stream.at < 1 for stream in one.streams())
        one.close()
        other.close()

    def test_changes_come_in_order_and_then_idle(self, log: Log) -> None:
        rows = log.rows(0, 150)
        log.append(0, rows)
        reader = log.reader()
        stream = self._stream(reader, 0)
        events = reader.changes(stream, reader.seek(stream, Start("earliest")))
        taken = take(events, 150)
        assert rows_in(taken) == rows
        assert all(event.ops == b"I" * event.count for event in taken if isinstance(event, Batch))
        idle = next(events)
        assert isinstance(idle, Idle) and idle.position == taken[-1].position
        more = log.rows(150, 5)
        log.append(0, more)
        assert rows_in(take(events, 5)) == more
        reader.close()

    def test_an_idle_stream_keeps_its_position(self, log: Log) -> None:
        reader = log.reader()
        stream = self._stream(reader, 0)
        events = reader.changes(stream, reader.seek(stream, Start()))
        idles = [next(events) for _ in range(3)]
        assert {type(event) for event in idles} == {Idle}
        assert len({event.position for event in idles}) == 1
        reader.close()

    def test_reading_goes_on_after_every_position(self, log: Log) -> None:
        for part in range(5):
            log.append(0, log.rows(part * 30, 30))
        rows = log.rows(0, 150)
        reader = log.reader()
        stream = self._stream(reader, 0)
        first = reader.seek(stream, Start())
        events = take(reader.changes(stream, first), 150)
        assert rows_in(take(reader.changes(stream, first), 150)) == rows
        read = 0
        for event in events:
            if isinstance(event, Batch):
                read += event.count
                other = log.reader()
                if read < 150:
                    assert rows_in(take(other.changes(stream, event.position), 150 - read)) == rows[read:]
                else:
                    assert isinstance(next(other.changes(stream, event.position)), Idle)
                other.close()
        reader.close()

    def test_latest_begins_after_what_is_there(self, log: Log) -> None:
        log.append(0, log.rows(0, 10))
        reader = log.reader()
        stream = self._stream(reader, 0)
        position = reader.seek(stream, Start("latest"))
        log.append(0, log.rows(10, 3))
        assert rows_in(take(reader.changes(stream, position), 3)) == log.rows(10, 3)
        reader.close()

    def test_latest_of_an_empty_stream(self, log: Log) -> None:
        reader = log.reader()
        stream = self._stream(reader, 1)
        position = reader.seek(stream, Start("latest"))
        log.append(1, log.rows(0, 2))
        assert rows_in(take(reader.changes(stream, position), 2)) == log.rows(0, 2)
        reader.close()

    def test_a_sealed_stream_ends_after_its_last_row(self, log: Log) -> None:
        log.append(0, log.rows(0, 20))
        reader = log.reader()
        stream = self._stream(reader, 0)
        log.seal(0)
        events = list(reader.changes(stream, reader.seek(stream, Start())))
        assert rows_in(events) == log.rows(0, 20)
        last = [event.position for event in events][-1]
        assert rows_in(list(reader.changes(stream, last))) == []
        children = [split for split in reader.streams() if stream.id in split.parents]
        assert children and all(child.at == stream.at for child in children)
        reader.close()

    def test_a_stream_sealed_while_it_is_idle_ends(self, log: Log) -> None:
        reader = log.reader()
        stream = self._stream(reader, 0)
        events = reader.changes(stream, reader.seek(stream, Start()))
        assert isinstance(next(events), Idle)
        log.seal(0)
        assert rows_in(list(events)) == []
        reader.close()

    def test_an_expired_position_is_an_error(self, log: Log) -> None:
        log.append(0, log.rows(0, 20))
        reader = log.reader()
        stream = self._stream(reader, 0)
        position = reader.seek(stream, Start())
        log.expire(0)
        log.append(0, log.rows(20, 1))
        with pytest.raises(PositionGone):
            next(reader.changes(stream, position))
        reader.close()

    def test_expiry_behind_the_position_does_no_harm(self, log: Log) -> None:
        log.append(0, log.rows(0, 20))
        reader = log.reader()
        stream = self._stream(reader, 0)
        position = take(reader.changes(stream, reader.seek(stream, Start())), 20)[-1].position
        log.expire(0)
        log.append(0, log.rows(20, 2))
        assert rows_in(take(reader.changes(stream, position), 2)) == log.rows(20, 2)
        reader.close()

    def test_close_ends_a_reader_that_waits(self, log: Log) -> None:
        reader = log.reader()
        stream = self._stream(reader, 0)
        events = reader.changes(stream, reader.seek(stream, Start()))
        assert isinstance(next(events), Idle)
        thread = threading.Thread(target=lambda: list(events))
        thread.start()
        reader.close()
        thread.join(10)
        assert not thread.is_alive()

    def test_ack_is_taken(self, log: Log) -> None:
        reader = log.reader()
        stream = self._stream(reader, 0)
        position: Position = reader.seek(stream, Start())
        reader.ack(stream, position)
        reader.ack(stream, position)
        reader.close()
