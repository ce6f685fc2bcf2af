"""A suite for writers. A test module gives a fixture `target`: a Target over an empty table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest

from disync.model.connector import Sink, Writer
from disync.model.data import Batch, Column, Position, Table, record_batch
from disync.model.errors import Fenced, Unreachable
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind

Row = tuple[Any, ...]
TABLE = Table("rows", (Column("id", Kind.BIGINT), Column("name", Kind.STRING)))
SPLIT = Split("source/0", TABLE, at=0.4)


class Target(Protocol):
    """A target whose table has at least the columns of TABLE."""

    transactional: bool
    bad_row: Row | None
    """A row of TABLE that the target refuses; None where there is no such row."""

    def writer(self) -> Writer: ...
    def rows(self) -> list[Row]:
        """What anybody else can read there now: the columns of TABLE, in the order they were written."""


def batch(rows: Sequence[Row], position: int = 0, table: Table = TABLE) -> Batch:
    return Batch(table, record_batch(table, rows), None, Position(str(position)))


def rows(first: int, count: int) -> list[Row]:
    return [(i, f"row {i} 高德" if i % 3 else None) for i in range(first, first + count)]


def _flush(sink: Sink, position: int, epoch: int = 1) -> list[Any]:
    return sink.flush(Checkpoint(SPLIT.id, Position(str(position)), epoch))


class WriterSuite:
    @pytest.fixture
    def writer(self, target: Target) -> Writer:
        writer = target.writer()
        assert writer.check() == []
        writer.prepare([TABLE])
        writer.prepare([TABLE])
        return writer

    def test_what_was_flushed_is_there_in_order(self, target: Target, writer: Writer) -> None:
        sink = writer.open(SPLIT)
        for part in range(5):
            sink.write(batch(rows(part * 70, 70), part))
        assert _flush(sink, 5) == []
        assert target.rows() == rows(0, 350)
        sink.write(batch(rows(350, 1), 6))
        assert _flush(sink, 6) == []
        assert target.rows() == rows(0, 351)
        sink.close()
        sink.close()
        writer.finish()
        writer.close()
        writer.close()

    def test_of_two_who_read_one_part_from_one_place_one_counts(self, target: Target, writer: Writer) -> None:
        """`slow` has rows in its hands of which `quick` finds that they are gone: the part ends where it was."""
        if not writer.shared:
            pytest.skip("only one process writes there")
        begun = writer.open(SPLIT)
        begun.write(batch(rows(0, 5), 1))
        assert _flush(begun, 1) == []
        begun.close()
        slow, other = writer.open(SPLIT), target.writer()
        quick = other.open(SPLIT)
        quick.flush(Checkpoint(SPLIT.id, Position("1"), 1, done=True))
        slow.write(batch(rows(5, 5), 2))
        with pytest.raises(Unreachable):
            _flush(slow, 2)
        assert target.rows() == rows(0, 5)
        writer.close()
        other.close()

    def test_a_flush_of_nothing(self, target: Target, writer: Writer) -> None:
        sink = writer.open(SPLIT)
        assert _flush(sink, 0) == []
        assert target.rows() == []
        writer.close()

    def test_columns_are_found_by_name(self, target: Target, writer: Writer) -> None:
        turned = Table("rows", (Column("NAME", Kind.STRING), Column("id", Kind.BIGINT)))
        writer.prepare([turned])
        sink = writer.open(replace(SPLIT, table=turned))
        sink.write(batch([("one", 1), (None, 2)], 1, turned))
        assert _flush(sink, 1) == []
        assert target.rows() == [(1, "one"), (2, None)]
        writer.close()

    def test_a_refused_row_is_returned_and_the_others_are_written(self, target: Target, writer: Writer) -> None:
        if target.bad_row is None:
            pytest.skip("this target refuses no row of these columns")
        sink = writer.open(SPLIT)
        sink.write(batch([*rows(0, 10), target.bad_row, *rows(10, 10)], 3))
        (dirty,) = _flush(sink, 3)
        assert target.rows() == rows(0, 20)
        assert dirty.reason and dirty.position == "3"
        assert str(target.bad_row[1]) in dirty.row
        assert _flush(sink, 4) == []
        writer.close()

    def test_the_checkpoint_is_kept_where_the_target_can(self, target: Target, writer: Writer) -> None:
        sink = writer.open(SPLIT)
        assert sink.last() is None
        sink.write(batch(rows(0, 3), 3))
        _flush(sink, 3, epoch=2)
        other = target.writer()
        other.prepare([TABLE])
        kept = other.open(SPLIT).last()
        assert kept == (Checkpoint(SPLIT.id, Position("3"), 2) if target.transactional else None)
        other.close()
        writer.close()

    def test_an_older_run_is_fenced_off_where_the_target_can(self, target: Target, writer: Writer) -> None:
        if not target.transactional:
            pytest.skip("without checkpoints in the target there is nothing to fence with")
        new, old = writer.open(SPLIT), writer.open(SPLIT)
        new.write(batch(rows(0, 3), 3))
        _flush(new, 3, epoch=2)
        old.write(batch(rows(3, 3), 6))
        with pytest.raises(Fenced):
            _flush(old, 6, epoch=1)
        assert target.rows() == rows(0, 3)
        writer.close()

    def test_rows_that_were_not_flushed_are_dropped_by_close(self, target: Target, writer: Writer) -> None:
        sink = writer.open(SPLIT)
        sink.write(batch(rows(0, 3), 3))
        sink.close()
        assert target.rows() == []
        writer.close()
