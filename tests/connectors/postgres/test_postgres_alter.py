"""Changes of the source's schema, each twice: a crash after it must do no harm (group E)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from place import PEOPLE, Place, changes, flush, load

from disync.model.connector import Sink
from disync.model.data import Column, Position, SchemaChange, Table
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Split
from disync.model.types import Kind

ID, NAME = PEOPLE.columns
AGE = Column("age", Kind.SMALLINT)


def shaped(*columns: Column, name: str = "people", keys: tuple[str, ...] = ("id",)) -> Table:
    return Table(name, columns, keys)


def columns_of(place: Place, table: str = "people") -> list[tuple[Any, ...]]:
    return place.run(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        f" WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )


def twice(sink: Sink, kind: str, before: Table, after: Table) -> None:
    for _ in range(2):
        sink.alter(SchemaChange(before, after, kind, f"the statement of {kind}", Position("2")))


@pytest.fixture
def sink(place: Place) -> Sink:
    sink = place.sink(PEOPLE)
    sink.write(load([(1, "one"), (2, "two")]))
    flush(sink)
    return sink


def test_c77_a_column_is_added_wherever_the_source_puts_it(place: Place, sink: Sink) -> None:
    after = shaped(ID, AGE, NAME)
    twice(sink, "ADDCOLUMN", PEOPLE, after)
    sink.write(changes(("I", (3, 30, "three")), ("U", (1, 10, "uno")), table=after))
    assert flush(sink, "3") == []
    assert place.rows() == [(1, "uno", 10), (2, "two", None), (3, "three", 30)]


def test_a_column_is_dropped(place: Place, sink: Sink) -> None:
    twice(sink, "DROPCOLUMN", PEOPLE, shaped(ID))
    sink.write(changes(("I", (3,)), table=shaped(ID)))
    flush(sink, "3")
    assert place.rows() == [(1,), (2,), (3,)]


def test_c82_columns_are_renamed_dropped_and_added_in_one_statement(place: Place, sink: Sink) -> None:
    after = shaped(ID, replace(NAME, name="full name"))
    twice(sink, "RENAMECOLUMN", PEOPLE, after)
    assert place.rows() == [(1, "one"), (2, "two")] and columns_of(place)[1][0] == "full name"
    other = shaped(ID, AGE)
    twice(sink, "ADDCOLUMN", after, other)
    assert columns_of(place) == [("id", "bigint"), ("age", "smallint")]


def test_a_key_column_is_renamed(place: Place, sink: Sink) -> None:
    after = shaped(replace(ID, name="number"), NAME, keys=("number",))
    twice(sink, "RENAMECOLUMN", PEOPLE, after)
    sink.write(changes(("U", (2, "dos")), table=after))
    flush(sink, "3")
    assert place.rows() == [(1, "one"), (2, "dos")]


def test_c82_a_type_is_widened_and_stays_wide(place: Place, sink: Sink) -> None:
    short, long = (shaped(ID, replace(NAME, length=length)) for length in (5, 50))
    twice(sink, "MODIFYCOLUMN", PEOPLE, short)
    assert columns_of(place)[1][1] == "text", "what is wider already is left alone"
    place.run("ALTER TABLE people ALTER name TYPE varchar(5)")
    twice(sink, "MODIFYCOLUMN", short, long)
    assert columns_of(place)[1][1] == "character varying(50)"
    twice(sink, "MODIFYCOLUMN", long, short)
    assert columns_of(place)[1][1] == "character varying(50)"
    place.run("ALTER TABLE people ALTER name TYPE text")
    number = shaped(ID, Column("name", Kind.INTEGER))
    with pytest.raises(BadConfig, match=r"MODIFYCOLUMN.*invalid input"):
        sink.alter(SchemaChange(PEOPLE, number, "MODIFYCOLUMN", "s", Position("2")))
    place.run("UPDATE people SET name = id::text")
    twice(sink, "MODIFYCOLUMN", PEOPLE, number)
    assert columns_of(place)[1][1] == "integer"
    sink.write(changes(("I", (3, 33)), table=number))
    flush(sink, "3")
    assert [str(name) for _, name in place.rows()] == ["1", "2", "33"]


def test_c81_truncate_and_drop_do_what_policy_lets_through(place: Place, sink: Sink) -> None:
    twice(sink, "TRUNCATETABLE", PEOPLE, PEOPLE)
    assert place.rows() == []
    sink.write(changes(("I", (1, "again"))))
    flush(sink, "3")
    assert place.rows() == [(1, "again")]
    twice(sink, "DROPTABLE", PEOPLE, PEOPLE)
    assert columns_of(place) == []
    twice(sink, "CREATETABLE", PEOPLE, PEOPLE)
    sink.write(changes(("I", (1, "anew"))))
    flush(sink, "4")
    assert place.rows() == [(1, "anew")]


def test_c79_tables_are_renamed_and_swapped(place: Place, sink: Sink) -> None:
    other = replace(PEOPLE, name="other")
    twice(sink, "RENAMETABLE", PEOPLE, other)
    sink.write(changes(("I", (3, "three")), table=other))
    flush(sink, "3")
    assert len(place.rows("other")) == 3 and columns_of(place) == []
    twice(sink, "CREATETABLE", PEOPLE, PEOPLE)
    with pytest.raises(BadConfig, match="there already"):
        sink.alter(SchemaChange(PEOPLE, other, "RENAMETABLE", "s", Position("2")))


def test_c79_the_empty_table_that_a_later_run_has_made_gives_way_to_the_renamed_one(place: Place, sink: Sink) -> None:
    other = replace(PEOPLE, name="other")
    place.writer().prepare([other])
    twice(sink, "RENAMETABLE", PEOPLE, other)
    assert place.rows("other") == [(1, "one"), (2, "two")] and columns_of(place) == []


def test_c82_a_type_is_widened_though_nobody_knows_any_more_what_it_was(place: Place, sink: Sink) -> None:
    place.run("ALTER TABLE people ALTER name TYPE varchar(5)")
    long = shaped(ID, replace(NAME, length=50))
    twice(sink, "MODIFYCOLUMN", long, long)
    assert columns_of(place)[1][1] == "character varying(50)"


def test_a_run_that_was_replaced_changes_no_table(place: Place, sink: Sink) -> None:
    newer = place.writer().open(Split("log", PEOPLE))
    newer.write(changes(("I", (3, "three"))))
    assert flush(newer, "2", epoch=2) == []
    with pytest.raises(Unreachable, match="Another run has written"):
        sink.alter(SchemaChange(PEOPLE, PEOPLE, "TRUNCATETABLE", "s", Position("2")))
    assert len(place.rows()) == 3


def test_a_new_key_is_for_the_owner_to_decide(place: Place, sink: Sink) -> None:
    with pytest.raises(BadConfig, match="The key of people is now"):
        sink.alter(SchemaChange(PEOPLE, replace(PEOPLE, keys=("name",)), "MODIFYCOLUMN", "s", Position("2")))


def test_c83_rows_before_a_change_have_the_old_shape(place: Place, sink: Sink) -> None:
    after = shaped(ID, AGE, NAME)
    sink.write(changes(("I", (3, "three"))))
    flush(sink, "2")
    twice(sink, "ADDCOLUMN", PEOPLE, after)
    sink.write(changes(("I", (4, 40, "four")), table=after))
    flush(sink, "3")
    assert place.rows()[2:] == [(3, "three", None), (4, "four", 40)]
