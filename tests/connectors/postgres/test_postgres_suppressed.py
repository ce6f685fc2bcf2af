"""Rows that a trigger or a rule of the target keeps out: nothing is lost without a word."""

from __future__ import annotations

import pytest
from place import PEOPLE, Place, changes, flush, load

from disync.model.connector import Sink
from disync.model.data import Batch, Column, Table
from disync.model.errors import BadConfig
from disync.model.types import Kind

ROWS = [(number, f"row {number}") for number in range(1, 2001)]
LOAD = load(ROWS)
INSERTS = changes(*(("I", row) for row in ROWS))
UPDATES = changes(*(("U", row) for row in ROWS))
KEPT_OUT = "A trigger or a rule of .*people.* keeps rows out: of 2000 that were sent it took 1998.*suppressedRows"
ONLY_A_KEY = Table("keys", (Column("id", Kind.BIGINT, nullable=False),), ("id",))


def sink_of(place: Place, when: str, table: Table = PEOPLE, **parameters: str) -> Sink:
    """Into a table whose trigger keeps out two rows."""
    sink = place.sink(table, **parameters)
    place.run("CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    place.run(
        f"CREATE TRIGGER keep_out BEFORE {when} ON {table.name} "
        "FOR EACH ROW WHEN (NEW.id IN (7, 1007)) EXECUTE FUNCTION keep_out()"
    )
    return sink


@pytest.mark.parametrize(
    ("batch", "parameters"),
    [(LOAD, {}), (INSERTS, {}), (INSERTS, {"writeMode": "insert"}), (LOAD, {"writeMode": "insert"})],
    ids=["loaded", "merged", "appended", "loaded without a key"],
)
def test_rows_that_a_trigger_keeps_out_stop_the_task(place: Place, batch: Batch, parameters: dict[str, str]) -> None:
    sink = sink_of(place, "INSERT", **parameters)
    sink.write(batch)
    with pytest.raises(BadConfig, match=KEPT_OUT) as caught:
        flush(sink)
    assert caught.value.tables == {"people"}
    assert place.rows() == [], "nothing is committed"
    sink.close()
    place.run("DROP TRIGGER keep_out ON people")
    again = place.sink(PEOPLE, **parameters)
    assert again.last() is None
    again.write(batch)
    assert flush(again) == []
    assert place.run("SELECT id, name FROM people ORDER BY 1") == ROWS


def test_updates_that_a_trigger_keeps_out_stop_the_task(place: Place) -> None:
    sink = sink_of(place, "UPDATE")
    sink.write(load([(number, "old") for number, _ in ROWS]))
    flush(sink)
    sink.write(UPDATES)
    with pytest.raises(BadConfig, match=KEPT_OUT):
        flush(sink, "2")
    assert place.run("SELECT count(*) FROM people WHERE name = 'old'") == [(2000,)]


def test_a_load_that_meets_rows_of_its_own_is_counted_when_it_is_merged(place: Place) -> None:
    sink = sink_of(place, "UPDATE")
    sink.write(LOAD)
    flush(sink)
    sink.write(LOAD)
    with pytest.raises(BadConfig, match=KEPT_OUT):
        flush(sink, "2")


def test_rows_that_are_found_one_by_one_are_counted_too(place: Place) -> None:
    """Beside one that the server refuses."""
    sink = sink_of(place, "INSERT", writeMode="insert")
    place.run("ALTER TABLE people ADD CHECK (id <> 3)")
    sink.write(LOAD)
    with pytest.raises(BadConfig, match="keeps rows out"):
        flush(sink)


@pytest.mark.parametrize("batch", [LOAD, INSERTS], ids=["loaded", "merged"])
def test_a_trigger_that_is_meant_to_keep_rows_out_may(place: Place, batch: Batch) -> None:
    sink = sink_of(place, "INSERT", suppressedRows="allow")
    sink.write(batch)
    assert flush(sink) == []
    assert place.run("SELECT count(*) FROM people") == [(1998,)]


def test_rows_that_are_there_already_are_not_missed(place: Place) -> None:
    """What is put only where it is not there says nothing of how many had to come."""
    sink = place.sink(PEOPLE, conflictMode="ignore")
    sink.write(LOAD)
    flush(sink)
    sink.write(changes(*(("I", (number, "late")) for number in range(1990, 2011))))
    assert flush(sink, "2") == []
    assert place.run("SELECT count(*), count(*) FILTER (WHERE name = 'late') FROM people") == [(2010, 10)]
    keys = place.sink(ONLY_A_KEY, split="keys")
    for position in ("1", "2"):
        keys.write(changes(("I", (1,)), ("I", (2,)), table=ONLY_A_KEY))
        assert flush(keys, position, split="keys") == []
    keys.write(changes(("D", (1,)), ("D", (5,)), table=ONLY_A_KEY))
    assert flush(keys, "3", split="keys") == [], "a row that is not there has gone already"


def test_rows_of_a_partitioned_table_are_counted(place: Place) -> None:
    place.run("CREATE TABLE people (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id)")
    place.run("CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (1000)")
    place.run("CREATE TABLE high PARTITION OF people FOR VALUES FROM (1000) TO (9999)")
    sink = place.sink(PEOPLE)
    sink.write(LOAD)
    assert flush(sink) == []
    sink.write(UPDATES)
    assert flush(sink, "2") == []
    assert place.rows() == ROWS


def test_rows_that_a_rule_keeps_out_stop_the_task(place: Place) -> None:
    """COPY passes by a rule: a full load comes to pass."""
    sink = place.sink(PEOPLE)
    place.run("CREATE RULE nothing AS ON INSERT TO people DO INSTEAD NOTHING")
    sink.write(LOAD)
    assert flush(sink) == []
    assert place.run("SELECT count(*) FROM people") == [(2000,)]
    sink.write(INSERTS)
    with pytest.raises(BadConfig, match="keeps rows out: of 2000 that were sent it took 0"):
        flush(sink, "2")
