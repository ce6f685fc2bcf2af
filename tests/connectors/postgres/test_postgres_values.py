"""Names and values make the way to the server and back unchanged (group D), or are refused by name."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from place import Place, changes, flush, load

import servers
from disync.connectors.postgres import fields, numeric
from disync.connectors.postgres.sql import fitted, quote
from disync.connectors.postgres.types import ColumnType, as_it_lies, type_of
from disync.model.data import Column, Table
from disync.model.types import Kind
from disync.native import rows

often = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@pytest.fixture(scope="module")
def server(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with servers.database(postgres_url, "values") as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


@often
@given(texts.filter(bool))
def test_c93_a_quoted_name_is_the_name(server: psycopg.Connection[Any], name: str) -> None:
    cursor = server.execute(f"SELECT 1 AS {quote(name)}".encode())
    assert cursor.description is not None
    assert cursor.description[0].name == fitted(name)
    assert len(fitted(name).encode()) <= 63 and name.startswith(fitted(name))


def _back(server: psycopg.Connection[Any], kind: Kind, column: ColumnType, values: Sequence[Any]) -> list[Any]:
    encoded, refused = fields.encode(values, fields.encoder(kind, column))
    assert refused == {}
    lines = [struct.pack("!hiq", 2, 8, place) + (field or b"") for place, field in enumerate(encoded)]
    with server.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE t (place bigint, v {column})".encode())
        try:
            with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
                copy.write(b"".join((fields.HEADER, *lines, fields.TRAILER)))
            with cursor.copy("COPY (SELECT v FROM t ORDER BY place) TO STDOUT (FORMAT binary)") as copy:
                data = b"".join(bytes(part) for part in copy)
        finally:
            cursor.execute("DROP TABLE t")
    return [None if field is None else fields.decode(column, field) for (field,) in rows.fields(data[19:-2])]


digits = st.from_regex(r"-?(0|[1-9][0-9]{0,34})(\.[0-9]{1,30})?", fullmatch=True)
INT64 = 2**63
KINDS: list[tuple[Kind, str, st.SearchStrategy[Any]]] = [
    (Kind.SMALLINT, "int2", st.integers(-(2**15), 2**15 - 1)),
    (Kind.INTEGER, "int4", st.integers(-(2**31), 2**31 - 1)),
    (Kind.BIGINT, "int8", st.integers(-INT64, INT64 - 1)),
    (Kind.DOUBLE, "float8", st.floats(allow_nan=False)),
    (Kind.FLOAT, "float4", st.floats(allow_nan=False, width=32)),
    (Kind.BOOLEAN, "bool", st.booleans()),
    (Kind.STRING, "text", texts),
    (Kind.BYTES, "bytea", st.binary()),
    (Kind.DATE, "date", st.integers(-2_440_588, 2_145_042_905)),
    (Kind.DATETIME, "timestamp", st.integers(-210_866_803_200_000_000, 9_224_318_015_999_999_999 - 10**18)),
    (Kind.TIMESTAMP, "timestamptz", st.integers(-210_866_803_200_000_000, 8 * 10**18)),
]


@pytest.mark.parametrize(("kind", "name", "values"), KINDS, ids=[name for _, name, _ in KINDS])
def test_c60_values_come_back(
    server: psycopg.Connection[Any], kind: Kind, name: str, values: st.SearchStrategy[Any]
) -> None:
    @often
    @given(st.lists(st.none() | values, max_size=20))
    def check(found: list[Any]) -> None:
        assert _back(server, kind, ColumnType(name), found) == found

    check()


KEYS: dict[str, tuple[Kind, Sequence[Any]]] = {
    "int2": (Kind.SMALLINT, (1, -2, 3)),
    "int4": (Kind.INTEGER, (1, -2, 3)),
    "int8": (Kind.BIGINT, (1, -(2**62), 3)),
    "numeric": (Kind.DECIMAL, ("1.50", "-2", "3")),
    "numeric(12,3)": (Kind.DECIMAL, ("1.50", "-2", "3")),
    "float4": (Kind.FLOAT, (0.5, -2.0, 3.25)),
    "float8": (Kind.DOUBLE, (0.1, -2.0, 3.25)),
    "bool": (Kind.BOOLEAN, (True, False)),
    "text": (Kind.STRING, ("one", "", "three ")),
    "varchar(9)": (Kind.STRING, ("one", "", "three ")),
    "bytea": (Kind.BYTES, (b"\0", b"", b"three")),
    "jsonb": (Kind.JSON, ('{"a": 1}', "[]", "3")),
    "date": (Kind.DATE, (0, -1, 20_000)),
    "time": (Kind.TIME, ("00:00:01", "23:59:59.5", "12:00:00")),
    "interval": (Kind.TIME, ("00:00:01", "-838:59:59", "12:00:00")),
    "timestamp(3)": (Kind.DATETIME, (0, -1000, 10**15)),
    "timestamptz": (Kind.TIMESTAMP, (0, -1, 10**15)),
}
"""Types of the target and values that one of the source has."""


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", KEYS)
def test_rows_come_change_and_go_by_keys_of_every_type(place: Place, name: str) -> None:
    kind, values = KEYS[name]
    place.run(f"CREATE TABLE single (k {name} PRIMARY KEY, v {name})")
    place.run(f"CREATE TABLE double (n int, k {name}, v {name}, PRIMARY KEY (k, n))")
    number, key, value = Column("n", Kind.INTEGER), Column("k", kind), Column("v", kind)
    single, double = Table("single", (key, value), ("k",)), Table("double", (number, key, value), ("n", "k"))
    sink = place.sink(single, double)
    first, second, *others = values
    sink.write(changes(*(("I", (one, one)) for one in values), table=single))
    sink.write(changes(*(("I", (at, one, one)) for one in values for at in (1, 2)), table=double))
    assert flush(sink) == []
    sink.write(
        changes(("D", (first, None)), ("U", (second, first)), ("U", (first, None)), ("D", (first, None)), table=single)
    )
    sink.write(changes(("D", (1, first, None)), ("U", (2, second, first)), table=double))
    assert flush(sink, "2") == []
    same = "SELECT count(*), count(*) FILTER (WHERE v = k) FROM"
    assert place.run(f"{same} single") == [(1 + len(others), len(others))]
    assert place.run(f"{same} double") == [(2 * len(values) - 1, 2 * len(values) - 2)]
    assert place.run("SELECT count(*) FROM double WHERE n = 1") == [(len(values) - 1,)]


@often
@given(st.lists(digits, max_size=20))
def test_c65_decimals_keep_every_digit(server: psycopg.Connection[Any], values: list[str]) -> None:
    wanted = [text[1:] if text.startswith("-") and not text.strip("-0.") else text for text in values]
    assert _back(server, Kind.DECIMAL, ColumnType("numeric"), values) == wanted
    with server.cursor() as cursor:
        for text, same in zip(values, wanted, strict=True):
            cursor.execute("SELECT %s::numeric::text", (text,))
            assert cursor.fetchone() == (same,)
            assert numeric.decode(numeric.encode(text)[4:]) == same


def test_c65_the_widest_decimals(place: Place) -> None:
    table = Table("t", (Column("v", Kind.DECIMAL, precision=65, scale=30),))
    values = ["9" * 35 + "." + "9" * 30, "-" + "9" * 35 + "." + "9" * 30, "0." + "0" * 29 + "1", "0", None, "7.5"]
    sink = place.sink(table)
    sink.write(load([(value,) for value in values], table))
    assert flush(sink) == []
    assert [v for (v,) in place.run("SELECT v::text FROM t ORDER BY ctid")][:3] == values[:3]
    assert place.run("SELECT sum(v)::text FROM t WHERE v < 10 AND v > -10") == [("7.5" + "0" * 28 + "1",)]


def test_c65_special_numbers(server: psycopg.Connection[Any]) -> None:
    values = ["NaN", "Infinity", "-Infinity", "-inf", "1e3", "1.5E-3", ".5", "5.", "+7", "007.10"]
    wanted = ["NaN", "Infinity", "-Infinity", "-Infinity", "1000", "0.0015", "0.5", "5", "7", "7.10"]
    assert _back(server, Kind.DECIMAL, ColumnType("numeric"), values) == wanted
    nan = _back(server, Kind.DOUBLE, ColumnType("float8"), [float("nan")])[0]
    assert nan != nan


def test_c63_times_as_text_as_interval_and_as_time(server: psycopg.Connection[Any]) -> None:
    spans = ["-838:59:59.000001", "838:59:59", "00:00:00", "-00:00:01", "12:34:56.789000"]
    for name in ("text", "interval"):
        assert _back(server, Kind.TIME, ColumnType(name), spans) == spans
    assert _back(server, Kind.TIME, ColumnType("time"), [spans[2], spans[4], "24:00:00"])[1] == spans[4]
    _, refused = fields.encode(spans, fields.encoder(Kind.TIME, ColumnType("time")))
    assert sorted(refused) == [0, 1, 3]


def test_c66_documents_keep_their_text(server: psycopg.Connection[Any]) -> None:
    documents = ['{"b":1,  "a":12345678901234567890.10,"b":2}', "null", '"\\ud800"', "[" * 1000 + "]" * 1000]
    assert _back(server, Kind.JSON, ColumnType("json"), [*documents, None]) == [*documents, None]
    assert _back(server, Kind.JSON, ColumnType("jsonb"), ['{"b":1,"a":2}']) == ['{"a": 2, "b": 1}']


def test_integers_and_decimals_may_be_kept_in_wider_types(server: psycopg.Connection[Any]) -> None:
    big = "18446744073709551615"
    assert _back(server, Kind.DECIMAL, ColumnType("text"), [big]) == [big]
    assert _back(server, Kind.DECIMAL, ColumnType("numeric", None, 20, 0), [big]) == [big]
    assert _back(server, Kind.BIGINT, ColumnType("numeric"), [-INT64]) == [str(-INT64)]
    assert _back(server, Kind.BOOLEAN, ColumnType("int2"), [True, False]) == [1, 0]


REFUSED = [
    (Kind.INTEGER, ColumnType("int2"), 32768, "range"),
    (Kind.BIGINT, ColumnType("int4"), -(2**31) - 1, "range"),
    (Kind.FLOAT, ColumnType("float4"), 1e300, "range"),
    (Kind.DECIMAL, ColumnType("numeric", None, 5, 2), "1234.5", "digits"),
    (Kind.DECIMAL, ColumnType("numeric", None, 5, 2), "1.505", "digits"),
    (Kind.DECIMAL, ColumnType("numeric"), "12,5", "decimal"),
    (Kind.DECIMAL, ColumnType("numeric"), "", "decimal"),
    (Kind.DECIMAL, ColumnType("numeric"), "１", "decimal"),
    (Kind.STRING, ColumnType("varchar", 3), "abcd", "4 characters"),
    (Kind.STRING, ColumnType("varchar", 3), "abc ", "4 characters"),
    (Kind.STRING, ColumnType("text"), "a\0", "U+0000"),
    (Kind.STRING, ColumnType("text"), "\ud800", "surrogate"),
    (Kind.DATE, ColumnType("date"), 2**31, "range"),
    (Kind.DATETIME, ColumnType("timestamp"), -(2**63), "range"),
    (Kind.TIMESTAMP, ColumnType("timestamptz", None, 0), 1, "fraction"),
    (Kind.TIME, ColumnType("time"), "soon", "no time"),
    (Kind.TIME, ColumnType("time", None, 3), "01:02:03.0004", "fraction"),
]


@pytest.mark.parametrize(("kind", "column", "value", "why"), REFUSED)
def test_c71_what_does_not_fit_is_refused_not_bent(kind: Kind, column: ColumnType, value: Any, why: str) -> None:
    encoded, refused = fields.encode([None, value], fields.encoder(kind, column))
    assert encoded == [fields.NULL, None] and why in refused[1]


def test_c75_null_in_a_column_with_a_default_stays_null(place: Place) -> None:
    place.run("CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'default')")
    table = Table("t", (Column("id", Kind.INTEGER), Column("v", Kind.STRING)), ("id",))
    sink = place.sink(table)
    sink.write(load([(1, None), (2, "two")], table))
    flush(sink)
    sink.write(changes(("I", (3, None)), ("U", (2, None)), table=table))
    assert flush(sink, "2") == []
    assert place.rows("t") == [(1, None), (2, None), (3, None)]


def test_a_full_load_and_a_change_write_the_same(place: Place) -> None:
    """Every kind, written by COPY and by merge, under a session that lives in another zone."""
    values: dict[Kind, Any] = {
        Kind.TINYINT: -128,
        Kind.SMALLINT: 255,
        Kind.INTEGER: 7,
        Kind.BIGINT: -INT64,
        Kind.FLOAT: 0.10000000149011612,
        Kind.DOUBLE: 5e-324,
        Kind.BOOLEAN: True,
        Kind.DECIMAL: "10.50",
        Kind.STRING: "高德 '\"\\ ",
        Kind.BYTES: b"\0\xff",
        Kind.JSON: '{"a": [1.0]}',
        Kind.DATE: -719_162,
        Kind.TIME: "-838:59:59",
        Kind.DATETIME: -62_135_596_800_000_000,
        Kind.TIMESTAMP: 1_700_000_000_123_456,
    }
    columns = tuple(Column(kind, kind) for kind in Kind)
    place.run("ALTER ROLE CURRENT_USER SET timezone = 'Asia/Shanghai'")
    texts = []
    for name, write in (("loaded", load), ("changed", changes)):
        table = Table(name, (Column("id", Kind.INTEGER), *columns), ("id",))
        sink = place.sink(table, split=name)
        row = (1, *[values[kind] for kind in Kind])
        sink.write(write([row], table) if write is load else changes(("I", row), table=table))
        assert flush(sink, split=name) == []
        texts += place.run(f"SELECT {name}::text FROM {name}")
    place.run("ALTER ROLE CURRENT_USER RESET timezone")
    assert texts[0] == texts[1]
    (row,) = place.run(
        'SELECT date::text, datetime::text, "timestamp" AT TIME ZONE \'UTC\', "json"::text, "time" FROM loaded'
    )
    assert [str(value) for value in row] == [
        "0001-01-01",
        "0001-01-01 00:00:00",
        "2023-11-14 22:13:20.123456",
        '{"a": [1.0]}',
        "-838:59:59",
    ]


def test_the_type_of_every_kind_takes_that_kind() -> None:
    for kind in Kind:
        column = Column("c", kind, length=9, precision=3, scale=1)
        assert callable(fields.encoder(kind, type_of(column)))
    assert str(type_of(Column("c", Kind.STRING, length=40))) == "character varying(40)"
    assert str(type_of(Column("c", Kind.DECIMAL, precision=20, scale=0))) == "numeric(20,0)"
    assert str(type_of(Column("c", Kind.TIMESTAMP, precision=3))) == "timestamp(3) with time zone"


@pytest.mark.parametrize(
    ("column", "actual", "as_is"),
    [
        (Column("v", Kind.DECIMAL, precision=12, scale=4), ColumnType("numeric", precision=12, scale=4), True),
        (Column("v", Kind.DECIMAL, precision=12, scale=4), ColumnType("numeric", precision=12, scale=2), False),
        (Column("v", Kind.DECIMAL), ColumnType("numeric", precision=12, scale=2), False),
        (Column("v", Kind.STRING, length=20), ColumnType("varchar", length=20), True),
        (Column("v", Kind.STRING, length=20), ColumnType("varchar", length=5), False),
        (Column("v", Kind.STRING), ColumnType("varchar", length=5), False),
        (Column("v", Kind.STRING), ColumnType("text"), True),
        (Column("v", Kind.DATETIME, precision=3), ColumnType("timestamp", precision=0), False),
        (Column("v", Kind.DATETIME, precision=3), ColumnType("timestamp", precision=3), True),
        (Column("v", Kind.INTEGER), ColumnType("int8"), False),
    ],
)
def test_fields_pass_unseen_only_where_nothing_can_be_cut(column: Column, actual: ColumnType, as_is: bool) -> None:
    assert as_it_lies(column, actual) is as_is
