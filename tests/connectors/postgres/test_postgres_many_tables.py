"""One sink, very many tables: what a session keeps, and what a commit is about, does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from place import PEOPLE, Place, changes, flush

import servers
from disync.connectors.postgres import merging, stages
from disync.engine.pace import FLUSH_TABLES, FlushPace
from disync.model.data import Batch, Column, Position, Table, record_batch
from disync.model.errors import Unreachable
from disync.model.types import Kind

TABLES = [replace(PEOPLE, name=f"people_{number:03}") for number in range(3 * stages.MOST)]
MANY = merging.FEW_VALUES // len(PEOPLE.columns) + 1
"""Rows that are too many to be bound."""

STAGED = """
SELECT count(*) FROM pg_catalog.pg_class WHERE relpersistence = 't' AND relkind = 'r' AND relname LIKE 'disync_stage%'
"""


def batch(table: Table, number: int, text: str) -> Batch:
    rows = record_batch(table, [(key, f"{text} {key}") for key in range(number)])
    return Batch(table, rows, b"U" * number, Position("1"))


def staged(place: Place) -> int:
    return int(place.run(STAGED)[0][0])


def test_few_rows_need_no_temporary_table(place: Place) -> None:
    sink = place.sink(*TABLES)
    for table in TABLES:
        sink.write(batch(table, 3, table.name))
    assert flush(sink) == []
    sink.write(changes(("D", (1, "")), ("U", (2, "two")), ("I", (7, "seven")), table=TABLES[0]))
    assert flush(sink, "2") == []
    assert staged(place) == 0
    assert place.rows(TABLES[0].name) == [(0, f"{TABLES[0].name} 0"), (2, "two"), (7, "seven")]
    assert all(place.rows(table.name) == [(key, f"{table.name} {key}") for key in range(3)] for table in TABLES[1:])


@pytest.mark.parametrize("together", [True, False], ids=["in one transaction", "one by one"])
def test_many_rows_of_many_tables_need_few_of_them(place: Place, together: bool) -> None:
    sink = place.sink(*TABLES)
    position = 0
    for text in ("first", "second"):
        for table in TABLES:
            sink.write(batch(table, MANY, text))
            position += 1
            if not together:
                assert flush(sink, str(position)) == []
        assert flush(sink, f"{position} and all") == []
        assert staged(place) == 2 * stages.MOST
        for table in TABLES:
            assert place.rows(table.name) == [(key, f"{text} {key}") for key in range(MANY)]


def test_what_is_refused_is_told_by_column_after_few_rows_and_after_many(place: Place) -> None:
    for table in TABLES:
        place.run(f"CREATE TABLE {table.name} (id bigint PRIMARY KEY, name varchar(30) CHECK (name <> 'bad 1'))")
    sink = place.sink(*TABLES)
    for table in TABLES:
        sink.write(batch(table, 3, "bad"))
    found = flush(sink)
    assert [dirty.row for dirty in found] == ['{"id":1,"name":"bad 1"}'] * len(TABLES)
    assert all("check constraint" in dirty.reason for dirty in found)
    assert all(place.rows(table.name) == [(0, "bad 0"), (2, "bad 2")] for table in TABLES)


MORE, MOST = 2000, 200
"""Tables, and those of them for which the server has locks."""


@pytest.fixture
def narrow() -> Iterator[Place]:
    """A server that has room for few locks, and many tables."""
    with servers.postgres(max_connections="10", max_locks_per_transaction="10") as url:
        place = Place(url)
        for number in range(MORE):
            place.run(f"CREATE TABLE many_{number} (id int PRIMARY KEY)")
        yield place
        for writer in place.writers:
            writer.close()
        place.plain.close()


def test_a_transaction_over_more_tables_than_the_server_has_locks_for_says_what_to_do(narrow: Place) -> None:
    tables = [Table(f"many_{number}", (Column("id", Kind.INTEGER),), ("id",)) for number in range(MORE)]

    def write(some: Sequence[Table], epoch: int) -> None:
        sink = narrow.sink(tables[0], epoch=epoch)
        for table in some:
            sink.write(changes(("U", (1,)), table=table))
        assert flush(sink, epoch=epoch) == []

    with pytest.raises(Unreachable, match="max_locks_per_transaction"):
        write(tables, 1)
    write(tables[:MOST], 2)
    assert narrow.run(f"SELECT * FROM many_{MOST - 1}") == [(1,)]


def test_a_checkpoint_is_due_after_many_tables() -> None:
    pace = FlushPace()
    for number in range(FLUSH_TABLES):
        assert not pace.due
        pace.wrote(f"t{number}", 1, 1)
    assert pace.due
    pace.flushed()
    pace.wrote("t0", 1, 1)
    assert not pace.due
