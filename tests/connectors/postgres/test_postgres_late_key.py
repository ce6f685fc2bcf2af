"""Keys that come when the rows are in: made, marked and finished with the table itself, whatever dies in between."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from place import PEOPLE, Place, changes, flush, load

from disync.connectors.postgres import holder
from disync.model.data import Column, Table
from disync.model.errors import Unreachable
from disync.model.run import Split
from disync.model.types import Kind
from waiting import until

PAIRS = Table(
    "pairs",
    (Column("v", Kind.STRING), Column("b", Kind.BIGINT, nullable=False), Column("a", Kind.STRING, nullable=False)),
    ("a", "b"),
)
KEYS = """
SELECT array(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(n, place) JOIN pg_attribute
             ON attrelid = conrelid AND attnum = n ORDER BY place)
FROM pg_constraint WHERE contype = 'p' AND conrelid = '{}'::regclass
"""


def keys(place: Place, table: str) -> list[str]:
    found = place.run(KEYS.format(table))
    return list(found[0][0]) if found else []


def marked(place: Place, table: str) -> bool:
    return place.run(f"SELECT obj_description('{table}'::regclass)")[0][0] is not None


def test_the_key_comes_when_the_rows_are_in(place: Place) -> None:
    writer = place.writer()
    assert writer.prepare_load([PEOPLE, PAIRS]) == [PEOPLE, PAIRS]
    assert keys(place, "people") == keys(place, "pairs") == []
    assert marked(place, "people")
    sink = writer.open(Split("part", PAIRS))
    sink.write(load([("x", 1, "a"), ("y", 2, "a")], PAIRS))
    assert flush(sink, split="part") == []
    sink.keyed(PAIRS)
    assert keys(place, "pairs") == ["a", "b"] and not marked(place, "pairs")
    sink.write(changes(("U", ("z", 1, "a")), ("D", ("y", 2, "a")), table=PAIRS))
    assert flush(sink, "2", split="part") == []
    assert place.rows("pairs") == [("z", 1, "a")]


def test_a_small_table_has_its_key_from_the_first_row_on(place: Place) -> None:
    small = frozenset({"people"})
    assert place.writer().prepare_load([PEOPLE, PAIRS], small=small) == [PAIRS]
    assert keys(place, "people") == ["id"] and not marked(place, "people")
    assert keys(place, "pairs") == [] and marked(place, "pairs")


def test_a_table_that_waits_for_its_key_goes_on_waiting_though_it_is_small(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE, PAIRS])
    sink = writer.open(Split("part", PEOPLE))
    sink.write(load([(1, "a")]))
    flush(sink, split="part")
    assert place.writer().prepare_load([PEOPLE, PAIRS], small=frozenset({"people", "pairs"})) == [PEOPLE, PAIRS]
    assert keys(place, "people") == [] and marked(place, "people")


def test_a_run_that_goes_on_knows_which_keys_are_missing(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE, PAIRS])
    sink = writer.open(Split("part", PEOPLE))
    sink.write(load([(1, "a")]))
    flush(sink, split="part")
    sink.keyed(PEOPLE)
    assert place.writer().prepare_load([PEOPLE, PAIRS]) == [PAIRS]
    # Who does not load has them all.
    place.writer().prepare([PEOPLE, PAIRS])
    assert keys(place, "pairs") == ["a", "b"]


def test_a_key_that_was_made_by_hand_is_taken(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE])
    place.run("ALTER TABLE people ADD PRIMARY KEY (id)")
    sink = writer.open(Split("part", PEOPLE))
    sink.keyed(PEOPLE)
    sink.keyed(PEOPLE)
    assert keys(place, "people") == ["id"] and not marked(place, "people")


def test_rows_that_have_one_key_are_one_row_in_the_end(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE])
    for number, split in enumerate(("one shard", "another")):
        sink = writer.open(Split(split, PEOPLE))
        sink.write(load([(1, split), (2 + number, split)]))
        assert flush(sink, split=split) == []
    sink.keyed(PEOPLE)
    assert place.rows() == [(1, "another"), (2, "one shard"), (3, "another")]
    assert keys(place, "people") == ["id"]


def test_what_another_task_left_half_loaded_gets_its_key_at_once(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE])
    sink = writer.open(Split("part", PEOPLE))
    sink.write(load([(1, "old"), (2, "old")]))
    flush(sink, split="part")
    other = place.writer(owner="other")
    assert other.prepare_load([PEOPLE]) == []
    assert keys(place, "people") == ["id"]
    sink = other.open(Split("part", PEOPLE))
    sink.write(load([(1, "new")]))
    assert flush(sink, split="part") == []
    assert place.rows() == [(1, "new"), (2, "old")]


def test_tables_without_a_key_and_those_that_are_there_wait_for_none(place: Place) -> None:
    place.run("CREATE TABLE people (id bigint PRIMARY KEY, name text)")
    bare = replace(PAIRS, keys=())
    assert place.writer().prepare_load([PEOPLE, bare]) == []
    assert not marked(place, "pairs")
    assert place.writer(writeMode="insert", datasourceSchema="log").prepare_load([PEOPLE]) == []


def test_sessions_of_earlier_runs_and_of_helpers_that_are_gone_are_ended(place: Place) -> None:
    """They stand still in the middle of a COPY, with the lock that the key needs; no other session is touched."""
    place.writer(owner="here/7/1", epoch=3).prepare_load([PEOPLE])
    earlier = place.writer(owner="here/7/1", epoch=3).open(Split("part", PEOPLE))
    gone = place.writer(owner="here/7/1", epoch=4, seat="gone").open(Split("part 2", PEOPLE))
    stays = place.writer(owner="here/7/1", epoch=4, seat="stays").open(Split("part 3", PEOPLE))
    other = place.writer(owner="here/8/1", epoch=3).open(Split("part", PEOPLE))
    for number, sink in enumerate((earlier, gone, stays, other)):
        sink.write(load([(number, "sent")]))
    run = place.writer(owner="here/7/1", epoch=4)
    mine = run.open(Split("part 4", PEOPLE))
    mine.write(load([(9, "sent")]))
    run.dismiss({"stays"})
    for sink in (earlier, gone):
        with pytest.raises(Unreachable):
            flush(sink, split="part")
    for sink, split in ((stays, "part 3"), (other, "part"), (mine, "part 4")):
        assert flush(sink, split=split, epoch=4) == []
    mine.keyed(PEOPLE)
    assert keys(place, "people") == ["id"] and [row[0] for row in place.rows()] == [2, 3, 9]


def test_where_sessions_cannot_be_ended_the_run_goes_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may refuse it, or not know it."""
    writer = place.writer()
    writer.prepare([PEOPLE])
    for statement in ("SELECT nothing_like_it($1::text, $2::bigint, $3::text[])", "TERMINATE $1 $2 $3"):
        monkeypatch.setattr(holder, "_END", statement)
        writer.dismiss(frozenset())
    assert flush(writer.open(Split("part", PEOPLE)), split="part") == []


def test_helpers_are_dismissed_though_the_session_has_been_cut_off(place: Place) -> None:
    writer = place.writer(owner="here/7/1", epoch=4)
    writer.prepare_load([PEOPLE])
    gone = place.writer(owner="here/7/1", epoch=4, seat="gone").open(Split("part", PEOPLE))
    gone.write(load([(1, "sent")]))
    place.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'disync'")
    writer.dismiss(frozenset())
    with pytest.raises(Unreachable):
        flush(gone, split="part")


def test_nobody_comes_between_rows_that_are_there_twice_and_the_key(place: Place) -> None:
    writer = place.writer()
    writer.prepare_load([PEOPLE])
    sink = writer.open(Split("part", PEOPLE))
    sink.write(load([(1, "first"), (1, "last")]))
    assert flush(sink, split="part") == []
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(place.url) as reads, psycopg.connect(place.url) as other:
        reads.execute("SELECT 1 FROM people")
        making = threading.Thread(target=sink.keyed, args=(PEOPLE,))
        making.start()
        until(lambda: place.run(waits) == [(1,)])
        inserting = threading.Thread(target=insert, args=(other,))
        inserting.start()
        until(lambda: place.run(waits) == [(2,)])
        reads.rollback()
        making.join(20)
        inserting.join(20)
    assert keys(place, "people") == ["id"] and place.rows() == [(1, "last")]


def insert(connection: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO people VALUES (1, 'between')")
        connection.execute("SELECT pg_sleep(0.5)")
        connection.commit()
