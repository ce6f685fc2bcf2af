"""Several sinks of one stream, as far as no database is needed: who gets which rows, and when all are there."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from disync.engine import fan
from disync.engine.fan import Fan, Ways, part_of
from disync.model.connector import Parting, Sink
from disync.model.data import Batch, Column, Dirty, Encoded, Position, SchemaChange, Table
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind
from disync.native import pgcopy, rows

STREAM = Split("log", Table("log"), endless=True)
TABLE = Table("t", (Column("id", Kind.INTEGER), Column("v", Kind.INTEGER)), ("id",))
BY_KEY = Parting((0,), ("plain",))


class Noted(Sink):
    keeps_checkpoint = True

    def __init__(self, said: list[tuple[str, str]], name: str, parting: Parting = BY_KEY) -> None:
        self.said, self.name, self._parting = said, name, parting
        self.rows: list[tuple[bytes | None, ...]] = []
        self.marks: list[Checkpoint] = []
        self.fails: BaseException | None = None
        self.thread = ""

    def _say(self, what: str) -> None:
        self.thread = threading.current_thread().name
        self.said.append((self.name, what))
        if self.fails is not None:
            raise self.fails

    def parting(self, table: Table) -> Parting:
        self._say("parting")
        return self._parting

    def hold(self) -> None:
        self._say("hold")

    def forget(self) -> None:
        self._say("forget")

    def write(self, batch: Batch) -> None:
        assert isinstance(batch.rows, Encoded)
        self.rows += rows.fields(batch.rows.buffers[0])
        self._say("write")

    def alter(self, change: SchemaChange) -> None:
        self._say("alter")

    def last(self) -> Checkpoint | None:
        return None

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        self._say("flush")
        self.marks.append(checkpoint)
        return [Dirty("t", self.name, "no", checkpoint.position)]

    def close(self) -> None:
        self.said.append((self.name, "close"))


Made = tuple[Fan, list[Noted], list[tuple[str, str]]]


def made(count: int = 3, parting: Parting = BY_KEY, free: Sequence[str] = ("t",)) -> Made:
    said: list[tuple[str, str]] = []
    sinks = [Noted(said, part_of(STREAM, number), parting) for number in range(count)]
    ways = Ways(lambda table: table.name, frozenset(free))
    return Fan([(sink.name, sink) for sink in sinks], ways), sinks, said


def batch(first: int, last: int, table: Table = TABLE) -> Batch:
    lines = [
        b"\0\2" + pgcopy.field(Kind.INTEGER, number) + pgcopy.field(Kind.INTEGER, 0) for number in range(first, last)
    ]
    return Batch(table, Encoded(pgcopy.FORMAT, (b"".join(lines),), len(lines)), b"I" * len(lines), Position("1"))


def test_every_row_goes_to_one_sink_and_the_first_has_the_streams_own_id() -> None:
    several, sinks, _ = made()
    assert [sink.name for sink in sinks] == ["log", "log/1", "log/2"]
    several.write(batch(0, 300))
    several.write(batch(0, 300))
    several.flush(Checkpoint("log", Position("1"), 7))
    found = [set(sink.rows) for sink in sinks]
    assert all(found) and len(set.union(*found)) == sum(map(len, found)) == 300
    assert sum(len(sink.rows) for sink in sinks) == 600
    assert len({sink.thread for sink in sinks}) == 3
    several.close()


def test_all_have_the_checkpoint_and_the_first_alone_what_could_not_be_read() -> None:
    several, sinks, _ = made()
    unread = Dirty("t", "unread", "why", Position("1"))
    dirty = several.flush(Checkpoint("log", Position("1"), 7, refused=(unread,)))
    assert [sink.marks[0].split for sink in sinks] == ["log", "log/1", "log/2"]
    assert [sink.marks[0].refused for sink in sinks] == [(unread,), (), ()]
    assert sorted(row.row for row in dirty) == ["log", "log/1", "log/2"]
    several.close()


def test_the_first_says_last_that_the_stream_has_ended() -> None:
    several, _, said = made()
    several.flush(Checkpoint("log", Position("1"), 7, done=True))
    assert said[-1] == ("log", "flush")
    several.close()


@pytest.mark.parametrize("number", range(3))
def test_what_one_of_them_fails_with_is_raised_when_all_have_ended(number: int) -> None:
    several, sinks, said = made()
    sinks[number].fails = Unreachable("away")
    with pytest.raises(Unreachable, match="away"):
        several.flush(Checkpoint("log", Position("1"), 7))
    assert sorted(name for name, _ in said) == ["log", "log/1", "log/2"]
    several.close()
    assert [name for name, what in said if what == "close"] == ["log", "log/1", "log/2"]


def test_a_write_that_failed_is_told_of_by_the_next_flush() -> None:
    several, sinks, _ = made()
    several.write(batch(0, 100))
    several.flush(Checkpoint("log", Position("1"), 7))
    sinks[1].fails = Unreachable("away")
    several.write(batch(0, 100))
    with pytest.raises(Unreachable):
        several.flush(Checkpoint("log", Position("2"), 7))
    several.close()


def test_the_others_let_go_before_the_first_alters() -> None:
    several, _, said = made()
    several.alter(SchemaChange(TABLE, TABLE, "MODIFYCOLUMN", "", Position("1")))
    assert sorted(said[:2]) == [("log/1", "forget"), ("log/2", "forget")] and said[2:] == [("log", "alter")]
    several.close()


@pytest.mark.parametrize(
    ("parting", "free", "where"),
    [
        (Parting(), ("t",), None),
        (Parting(bound=True), ("t",), 0),
        (BY_KEY, (), None),
    ],
    ids=["the target ties its rows", "other tables are bound to it", "several tables become it"],
)
def test_a_table_that_must_not_be_parted_goes_to_one(parting: Parting, free: Sequence[str], where: int | None) -> None:
    several, sinks, _ = made(parting=parting, free=free)
    several.write(batch(0, 100))
    several.flush(Checkpoint("log", Position("1"), 7))
    (got,) = [number for number, sink in enumerate(sinks) if sink.rows]
    assert len(sinks[got].rows) == 100 and where in (None, got)
    several.close()


def test_a_table_that_has_come_to_a_place_since_is_not_parted() -> None:
    several, sinks, _ = made()
    several.write(batch(0, 100))
    several.flush(Checkpoint("log", Position("1"), 7))
    other = Table("o", TABLE.columns, TABLE.keys)
    several.alter(SchemaChange(other, TABLE, "RENAMETABLE", "", Position("1")))
    before = [len(sink.rows) for sink in sinks]
    several.write(batch(0, 100))
    several.flush(Checkpoint("log", Position("2"), 7))
    assert sorted(len(sink.rows) - was for sink, was in zip(sinks, before, strict=True)) == [0, 0, 100]
    several.close()


def test_a_table_in_two_shapes_goes_one_way() -> None:
    several, sinks, _ = made()
    wider = Table("t", (*TABLE.columns, Column("w", Kind.INTEGER)), TABLE.keys)
    several.write(batch(0, 10))
    sinks[0]._parting = Parting()
    with pytest.raises(BadConfig, match="writerConcurrent"):
        several.write(Batch(wider, Encoded(pgcopy.FORMAT, (b"",), 0), b"", Position("1")))
    several.close()
    several, sinks, said = made(parting=Parting())
    several.write(batch(0, 10))
    sinks[0]._parting = BY_KEY
    several.write(Batch(wider, Encoded(pgcopy.FORMAT, (b"",), 0), b"", Position("1")))
    assert said.count(("log", "parting")) == 1
    several.close()


def test_who_gets_nothing_for_a_while_is_told_to_hold_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    several, _, said = made(parting=Parting(bound=True))
    several.write(batch(0, 10))
    assert not [what for _, what in said if what == "hold"]
    monkeypatch.setattr(fan, "HOLD_SECONDS", 0.0)
    several.write(batch(0, 10))
    several.flush(Checkpoint("log", Position("1"), 7))
    assert {("log/1", "hold"), ("log/2", "hold")} <= set(said)
    several.close()
