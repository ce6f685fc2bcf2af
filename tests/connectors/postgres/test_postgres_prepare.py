"""Data sources, new tables and tables that somebody else made (C90, C93, C94)."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from place import PEOPLE, Place, changes, flush, load

import servers
from disync.connectors import find
from disync.connectors.postgres.config import address_of
from disync.connectors.postgres.sql import Relation
from disync.model.connector import Site
from disync.model.data import Column, Position, SchemaChange, Table
from disync.model.errors import BadConfig, Unreachable
from disync.model.types import Kind


def _columns(place: Place, table: str) -> list[tuple[Any, ...]]:
    return place.run(
        "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)"
        f" FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
    )


def test_an_absent_table_and_its_schema_are_made(place: Place) -> None:
    table = Table(
        "all",
        (
            Column("Id", Kind.DECIMAL, False, "the id", precision=20, scale=0),
            Column("name", Kind.STRING, length=40),
            Column("amount", Kind.DECIMAL, precision=65, scale=30),
            Column("at", Kind.TIMESTAMP, precision=3),
            Column("until", Kind.DATETIME),
            Column("second", Kind.INTEGER, False),
        ),
        ("second", "id"),
    )
    writer = place.writer(datasourceSchema="new one")
    assert writer.check() == []
    writer.prepare([table])
    assert _columns(place, '"new one"."all"') == [
        ("Id", "numeric(20,0)", True, "the id"),
        ("name", "character varying(40)", False, None),
        ("amount", "numeric(65,30)", False, None),
        ("at", "timestamp(3) with time zone", False, None),
        ("until", "timestamp without time zone", False, None),
        ("second", "integer", True, None),
    ]
    (key,) = place.run("SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = '\"new one\".all'::regclass")
    assert key[0].endswith('(second, "Id")')
    writer.prepare([table])


WEIRD = [
    "select",
    'a"b',
    "per%cent",
    "%s",
    "$1",
    "q?",
    "da-sh",
    "do.t",
    "x" * 64,
    "高德" * 16,
    "MiXed",
    " ",
    "a'b",
    "\\",
]


def test_c93_names_of_all_sorts(place: Place) -> None:
    columns = tuple(Column(name, Kind.STRING, comment=f"it's {name}") for name in WEIRD)
    schema = 'we"ird %s'
    for name in WEIRD:
        table = Table(name, (*columns, Column("k", Kind.INTEGER)), ("k", 'a"b'))
        sink = place.sink(table, datasourceSchema=schema, split=name)
        row = [f"v{i}" for i in range(len(WEIRD))]
        sink.write(load([(*row, 1), (*row, 2)], table))
        flush(sink, split=name)
        sink.write(changes(("D", (*row, 1)), ("U", (*row[:-1], "new", 2)), table=table))
        assert flush(sink, "2", split=name) == []
        sink.close()
        assert place.run(f"SELECT * FROM {Relation(schema, name)}") == [(*row[:-1], "new", 2)]
    made = place.run(
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = '\"we\"\"ird %s\"'::regnamespace"
    )
    kept = {name.encode()[:63].decode(errors="ignore") for name in WEIRD}
    assert {name for (name,) in made} == kept | {"disync_checkpoint"} and len(kept) == len(WEIRD)


def test_c93_names_that_become_one_are_refused(place: Place) -> None:
    columns = (Column("x" * 63 + "1", Kind.STRING), Column("x" * 63 + "2", Kind.STRING))
    with pytest.raises(BadConfig, match="first 63 bytes"):
        place.sink(Table("t", columns))


def test_c93_names_that_the_server_has_taken_are_refused(place: Place) -> None:
    with pytest.raises(BadConfig, match="Table t has columns named as PostgreSQL names its own: ctid, xmin"):
        place.sink(Table("t", (Column("xmin", Kind.STRING), Column("ctid", Kind.STRING))))


def test_c90_two_tables_into_one_are_refused(place: Place) -> None:
    with pytest.raises(BadConfig, match="Several tables"):
        place.sink(PEOPLE, replace(PEOPLE, name="others"), table="one")
    assert place.run("SELECT to_regclass('one')") == [(None,)]


GOOD = "id bigint PRIMARY KEY, name text"
MISFITS = [
    ("id bigint PRIMARY KEY", "no column name: ALTER TABLE"),
    ("id integer PRIMARY KEY, name text", "column id: .* is integer here"),
    ("id bigint PRIMARY KEY, name bytea", "column name: .* is bytea here"),
    ("id bigint PRIMARY KEY, name varchar(10)", "needs character varying"),
    (f"{GOOD} NOT NULL", "name may be null in the source and not here"),
    (f"{GOOD}, more int NOT NULL", "more must not be null, has no default"),
    ("id bigint, name text", r"key of the source is \(id\), the primary key here is none"),
    ("id bigint, name text, PRIMARY KEY (id, name)", r"primary key here is \(id, name\)"),
]


@pytest.mark.parametrize(("columns", "why"), MISFITS)
def test_c94_a_table_that_does_not_fit_is_refused_before_anything_is_written(
    place: Place, columns: str, why: str
) -> None:
    place.run(f"CREATE TABLE people ({columns})")
    table = replace(PEOPLE, columns=(PEOPLE.columns[0], Column("name", Kind.STRING, length=40)))
    with pytest.raises(BadConfig, match=why):
        place.sink(replace(table, name="a_new_one"), table, split="log")
    assert place.run("SELECT to_regclass('a_new_one')") == [(None,)]


@pytest.mark.parametrize(
    "columns",
    [
        f"{GOOD}, more int NOT NULL DEFAULT 1, again serial, late text",
        "ID numeric(19) PRIMARY KEY, name varchar",
        "id bigint NOT NULL UNIQUE, name varchar(40)",
    ],
)
def test_c94_a_table_that_is_wider_fits(place: Place, columns: str) -> None:
    place.run(f"CREATE TABLE people ({columns})")
    table = replace(PEOPLE, columns=(PEOPLE.columns[0], Column("name", Kind.STRING, length=40)))
    sink = place.sink(table)
    sink.write(changes(("I", (1, "a")), table=table))
    sink.write(changes(("U", (1, "b")), table=table))
    assert flush(sink) == []
    assert [row[:2] for row in place.rows()] == [(1, "b")]


NARROWER = [
    (Column("v", Kind.DECIMAL, precision=10, scale=4), "numeric(10,2)"),
    (Column("v", Kind.DECIMAL, precision=10, scale=2), "numeric(9,2)"),
    (Column("v", Kind.BIGINT), "numeric(18)"),
    (Column("v", Kind.DATETIME, precision=6), "timestamp(3)"),
    (Column("v", Kind.DATETIME), "timestamptz"),
    (Column("v", Kind.TIMESTAMP), "timestamp"),
    (Column("v", Kind.DOUBLE), "real"),
    (Column("v", Kind.DOUBLE), "numeric"),
    (Column("v", Kind.JSON), "int"),
]


@pytest.mark.parametrize(("column", "actual"), NARROWER)
def test_c94_a_narrower_type_is_refused(place: Place, column: Column, actual: str) -> None:
    place.run(f"CREATE TABLE t (v {actual})")
    with pytest.raises(BadConfig, match="column v: "):
        place.sink(Table("t", (column,)))


def test_c94_a_run_that_goes_on_waits_for_the_column_that_its_log_will_bring(place: Place) -> None:
    sink = place.sink(PEOPLE)
    flush(sink)
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, Column("more", Kind.STRING)))
    sink = place.sink(wider)
    sink.write(changes(("I", (1, "one"))))
    assert flush(sink, "2") == [] and place.rows() == [(1, "one")]


def test_c94_a_run_that_has_written_nothing_yet_waits_for_no_column(place: Place) -> None:
    """Where its log begins is not decided before a run has got that far."""
    place.writer(owner="here/7/1").prepare([PEOPLE])
    wider = replace(PEOPLE, columns=(*PEOPLE.columns, Column("more", Kind.STRING)))
    with pytest.raises(BadConfig, match="more"):
        place.writer(owner="here/7/1").prepare([wider])


def test_c94_a_run_that_goes_on_waits_for_the_type_that_its_log_will_bring(place: Place) -> None:
    narrow = Table("t", (PEOPLE.columns[0], Column("v", Kind.STRING, length=5)), ("id",))
    wide = replace(narrow, columns=(narrow.columns[0], replace(narrow.columns[1], length=50)))
    flush(place.sink(narrow))
    sink = place.sink(wide)
    sink.alter(SchemaChange(narrow, wide, "MODIFYCOLUMN", "s", Position("2")))
    sink.write(changes(("I", (1, "longer than five")), table=wide))
    assert flush(sink, "2") == [] and place.rows("t") == [(1, "longer than five")]
    with pytest.raises(BadConfig, match="column v: "):
        place.writer(owner="another").prepare(
            [replace(wide, columns=(wide.columns[0], Column("v", Kind.STRING, length=90)))]
        )


def test_c94_appending_needs_the_five_columns_and_nothing_unique(place: Place) -> None:
    place.run(f"CREATE TABLE people ({GOOD})")
    with pytest.raises(BadConfig, match=r"_sequence_id_.*kept unique"):
        place.sink(PEOPLE, writeMode="insert")


def test_a_view_is_no_table(place: Place) -> None:
    place.run("CREATE VIEW people AS SELECT 1::bigint AS id, ''::text AS name")
    with pytest.raises(BadConfig, match="a view"):
        place.sink(PEOPLE)


def test_two_runs_make_the_same_table_at_once(place: Place) -> None:
    writers = [place.writer() for _ in range(4)]
    failures: list[Exception] = []

    def prepare(number: int) -> None:
        try:
            writers[number].prepare([PEOPLE])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=prepare, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == [] and place.rows() == []


def test_a_user_who_may_not(place: Place) -> None:
    place.run("DROP ROLE IF EXISTS guest")
    place.run("CREATE ROLE guest LOGIN")
    connector = find("postgresql")
    assert connector is not None and connector.writer is not None
    writer = connector.writer(Site({"datasource": "here"}, {"here": {**place.content, "username": "guest"}}))
    place.writers.append(writer)
    assert "may not create tables" in writer.check()[0]
    with pytest.raises(BadConfig, match=r"permission denied.*Grant it"):
        writer.prepare([PEOPLE])
    other = connector.writer(
        Site({"datasource": "here", "schema": "none"}, {"here": {**place.content, "username": "guest"}})
    )
    place.writers.append(other)
    with pytest.raises(BadConfig, match="There is no schema none"):
        other.check()
    writer.close()
    other.close()


def test_probe_and_catalog(place: Place) -> None:
    connector = find("postgresql")
    assert connector is not None and connector.probe is not None and connector.catalog is not None
    place.run("CREATE SCHEMA other")
    place.run("CREATE TABLE other.b (); CREATE TABLE other.a (); CREATE VIEW v AS SELECT 1")
    connector.probe(place.content)
    assert [(d.name, d.tables) for d in connector.catalog(place.content)] == [("other", ("a", "b")), ("public", ())]
    at, _, _ = place.content["jdbcUrl"].rpartition("/")
    with pytest.raises(BadConfig, match="does not exist"):
        connector.probe({**place.content, "jdbcUrl": f"{at}/nowhere"})
    with pytest.raises(BadConfig, match="role"):
        connector.probe({**place.content, "username": "nobody"})
    closed = f"jdbc:postgresql://127.0.0.1:{servers.free_port()}/postgres"
    with pytest.raises(Unreachable):
        connector.probe({**place.content, "jdbcUrl": closed})


def test_the_url_is_taken_apart() -> None:
    def address(url: str, **more: str) -> Any:
        return address_of({"jdbcUrl": url, "username": "u", "password": "p"} | more)

    found = address("jdbc:postgresql://[::1]:6000/a%20b?sslmode=require&currentSchema=s&ApplicationName=x")
    assert (found.host, found.port, found.database, found.schema) == ("::1", 6000, "a b", "s")
    assert found.parameters == {"sslmode": "require"}
    assert "hush" not in repr(address("jdbc:postgresql://h/x", password="hush"))
    assert address("jdbc:postgresql://db.example.com/x").port == 5432
    assert address("jdbc:postgresql://h/x?sslmode=verify-full").parameters["sslrootcert"] == "system"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/db",
        "jdbc:mysql://h/db",
        "jdbc:postgresql:///db",
        "jdbc:postgresql://h1,h2/db",
        "jdbc:postgresql:///var/run/db",
        "jdbc:postgresql://u:p@h/db",
        "jdbc:postgresql://h:99999/db",
        "jdbc:postgresql://h/db?socketFactory=org.springframework.X",
        "jdbc:postgresql://h/db?sslmode=none",
        "jdbc:postgresql://h/db?options=-c%20x%3Dy",
        "jdbc:postgresql://h/db?passfile=/etc/passwd",
        "jdbc:postgresql://h#x/db",
        "jdbc:postgresql://h/a%00b",
        "jdbc:postgresql://h/",
    ],
)
def test_a_url_that_asks_for_more_is_refused(url: str) -> None:
    with pytest.raises(BadConfig, match="jdbcUrl"):
        address_of({"jdbcUrl": url, "username": "u", "password": "p"})


def test_the_vendors_managed_forms_are_stored_and_not_used() -> None:
    holo = {"accessId": "i", "accessKey": "k", "database": "d", "instanceId": "hgpost-cn-x", "tag": "aliyun"}
    rds = {"database": "d", "instanceName": "i", "password": "p", "rdsOwnerId": "1", "tag": "rds", "username": "u"}
    for kind, content in (("holo", holo), ("postgresql", rds)):
        connector = find(kind)
        assert connector is not None and connector.content is not None
        msgspec.convert(content, connector.content)
        with pytest.raises(BadConfig, match="jdbcUrl"):
            address_of(content)
    with pytest.raises(msgspec.ValidationError, match="jdbcUrl"):
        msgspec.convert({"username": "u", "password": "p"}, connector.content)


def test_parameters_that_are_wrong_are_named(place: Place) -> None:
    with pytest.raises(BadConfig, match="writeMode"):
        place.writer(writeMode="upsert")
    with pytest.raises(BadConfig, match="batchSize"):
        place.writer(batchSize=0)
    with pytest.raises(BadConfig, match="no data source named there"):
        place.writer(datasource="there")
    with pytest.raises(BadConfig, match="password"):
        address_of({"jdbcUrl": "jdbc:postgresql://h/db", "username": "u"})
