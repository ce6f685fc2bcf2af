"""What a golden table cannot hold (group D): zones, altered columns, texts that are none, columns that nobody sees."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator

import pytest
from pair import Pair, made

import mysqld
from disync.connectors.mysql.binlog.errors import NotServed
from disync.model.ddl import Policy
from disync.native import pgcopy

NEW_YORK, PARIS = "EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3"


@pytest.fixture(params=[None, pgcopy.FORMAT], ids=["arrow", "pgcopy"])
def abroad(pair_target: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """A server whose zone has summer time, and a worker in another such zone."""
    monkeypatch.setenv("TZ", NEW_YORK)
    with mysqld.server(default_time_zone="SYSTEM") as server:
        server.run(["CREATE DATABASE settled", "CREATE TABLE settled.mark (id INT PRIMARY KEY, v CHAR(36))"])
        monkeypatch.setenv("TZ", PARIS)
        time.tzset()
        yield from made(server, pair_target, request.param)
    monkeypatch.undo()
    time.tzset()


CLOCKS = ("2024-03-10 02:30:00", "2024-11-03 01:30:00", "2024-03-31 02:30:00", "2024-07-01 12:00:00.25")
"""A gap and an overlap of the server's zone, a gap of the worker's, and a summer's day."""


def _moments(pair: Pair, first: int) -> None:
    number = first
    for zone in ("SYSTEM", "+00:00", "-09:30", "+05:45"):
        for clock in CLOCKS:
            pair.sql(
                f"SET sql_mode = '', time_zone = '{zone}'", f"INSERT INTO t VALUES ({number}, '{clock}', '{clock}')"
            )
            number += 1
    # The same clock twice in the server's zone, an hour apart.
    pair.sql("SET time_zone = '+00:00'", f"INSERT INTO t VALUES ({number}, '2024-11-03 05:30', '2024-11-03 05:30')")
    pair.sql("SET time_zone = '+00:00'", f"INSERT INTO t VALUES ({number + 1}, '2024-11-03 06:30', '2024-11-03 06:30')")


def test_c62_server_session_and_worker_in_three_zones(abroad: Pair) -> None:
    assert abroad.sql("SELECT @@system_time_zone")[0][0] == "EST" and time.tzname == ("CET", "CEST")
    abroad.sql("CREATE TABLE t (id INT PRIMARY KEY, s TIMESTAMP(2) NULL, d DATETIME(2))")
    _moments(abroad, 0)
    with abroad.task(abroad.code("t")) as running:
        running.settle()
        _moments(abroad, 100)
        running.settle()
        source = "SELECT id, CAST(s AS CHAR), CAST(d AS CHAR) FROM t ORDER BY id"
        wanted = [(i, s, d) for i, s, d in abroad.sql("SET time_zone = '+00:00'", source)]
        found = abroad.select("SELECT id, to_char(s, 'YYYY-MM-DD HH24:MI:SS.MS'), d FROM t ORDER BY id")
        assert [(i, s[:-1], d.strftime("%F %T.%f")[:-4]) for i, s, d in found] == wanted
        by_id = {row[0]: row[1:] for row in wanted}
        assert by_id[0] == ("2024-03-10 07:00:00.00", CLOCKS[0] + ".00"), "the server has moved what fell into its gap"
        assert by_id[16][0] != by_id[17][0] and all(by_id[i] == by_id[100 + i] for i in range(18))


DEEP = "[" * 1000 + "]" * 1000


@pytest.mark.mariadb
def test_c66_documents_of_any_depth_big_numbers_and_two_sorts_of_null(both: Pair) -> None:
    """MariaDB's JSON is text with a check, which ends at 32 levels: deeper documents are held as text."""
    documents = ["null", '{"b": [18446744073709551615, 0.10, -1e300], "a": null}', '"\\u4e2d"', "[" * 31 + "]" * 31]
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, v JSON, d LONGTEXT)")

    def fill(first: int) -> None:
        for number, document in enumerate(documents, first):
            text = document.replace("\\", "\\\\")
            both.sql(f"INSERT INTO t VALUES ({number}, '{text}', '{DEEP}')")
        both.sql(f"INSERT INTO t VALUES ({first + 50}, NULL, NULL)")

    fill(0)
    with both.task(both.code("t")) as running:
        running.settle()
        fill(100)
        running.settle()
        for first in (0, 100):
            found = both.select(f"SELECT v, d FROM t WHERE id BETWEEN {first} AND {first + 99} ORDER BY id")
            assert found == [*((document, DEEP) for document in documents), (None, None)]


def test_c67_bits_of_every_width(both: Pair) -> None:
    both.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'b{n} BIT({n})' for n in range(1, 65))})")

    def fill(first: int) -> None:
        for number, value in enumerate((lambda n: 0, lambda n: 1 << n - 1, lambda n: (1 << n) - 1), first):
            both.sql(f"INSERT INTO t VALUES ({number}, {', '.join(str(value(n)) for n in range(1, 65))})")

    fill(0)
    with both.task(both.code("t")) as running:
        running.settle()
        fill(10)
        running.settle()
        shown = ", ".join(f"b{n} + 0" for n in range(1, 65))
        columns = ", ".join(f"b{n}{'::int' if n == 1 else ''}" for n in range(1, 65))
        assert both.equal(columns=f"id, {columns}", source_columns=f"id, {shown}")


def test_c68_a_list_of_members_grows(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b,', ''), s SET('x', 'y'))")
    both.sql("INSERT INTO t VALUES (1, 'b,', 'x,y'), (2, '', ''), (3, NULL, NULL)")
    with both.task(both.code("t"), ddl={"MODIFYCOLUMN": Policy.NORMAL}) as running:
        running.settle()
        both.sql("INSERT INTO t VALUES (4, 'b,', 'y')")
        both.sql("ALTER TABLE t MODIFY e ENUM('a', 'b,', '', 'a longer one'), MODIFY s SET('x', 'y', 'another')")
        both.sql("INSERT INTO t VALUES (5, 'a longer one', 'x,y,another')", "UPDATE t SET e = 'a' WHERE id = 1")
        running.settle()
        assert both.equal() and both.ledger.dirty == []


def test_c68_a_member_that_does_not_fit_is_a_dirty_row_where_the_target_does_not_follow(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b'))", "INSERT INTO t VALUES (1, 'b')")
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql("ALTER TABLE t MODIFY e ENUM('a', 'b', 'long')", "INSERT INTO t VALUES (2, 'long'), (3, 'a')")
        running.settle()
    assert both.select("SELECT id, e FROM t ORDER BY id") == [(1, "b"), (3, "a")]
    (dirty,) = both.ledger.dirty
    assert json.loads(dirty.row) == {"id": 2, "e": "long"}


@pytest.mark.parametrize("metadata", ["NO_LOG", "FULL"])
def test_c68_rows_that_are_older_than_their_list_of_members(both: Pair, metadata: str) -> None:
    """A number means another member now: either the log says which it meant, or nothing is guessed."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b'), s SET('x', 'y'))")
    both.sql("INSERT INTO t VALUES (1, 'b', 'y')")
    with both.task(both.code("t")) as running:
        running.settle()
    try:
        both.sql(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
        both.sql("INSERT INTO t VALUES (2, 'b', 'y')")
        both.sql("ALTER TABLE t MODIFY e ENUM('0', 'a', 'b'), MODIFY s SET('y', 'x')")
        both.sql("INSERT INTO t VALUES (3, '0', 'y')")
        with both.task(both.code("t")) as running:
            if metadata == "FULL":
                running.settle()
                assert both.equal()
            else:
                assert isinstance(running.fails(), NotServed)
    finally:
        both.sql("SET GLOBAL binlog_row_metadata = 'NO_LOG'")


def test_c70_the_set_of_a_table_is_converted(both: Pair) -> None:
    both.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), b VARCHAR(9) CHARACTER SET gbk, c TEXT CHARACTER SET utf8mb3"
        ") CHARACTER SET latin1"
    )
    both.sql("INSERT INTO t VALUES (1, 'né', '中文', 'ü中')")
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql("INSERT INTO t VALUES (2, 'é', '中', 'ü')", "UPDATE t SET a = 'éé' WHERE id = 1")
        both.sql("ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4")
        both.sql("INSERT INTO t VALUES (3, '😀', '文😀', '😀')", "UPDATE t SET b = '字' WHERE id = 2")
        running.settle()
        both.sql("DELETE FROM t WHERE id = 3", "ALTER TABLE t MODIFY a VARCHAR(9) CHARACTER SET gbk")
        both.sql("INSERT INTO t VALUES (4, '中', '😀', '中')")
        running.settle()
        assert both.equal() and both.ledger.dirty == []


@pytest.mark.parametrize("metadata", ["NO_LOG", "MINIMAL", "FULL"])
def test_c70_rows_that_are_older_than_a_conversion(both: Pair, metadata: str) -> None:
    """Either the log says which set their texts are in, or nothing is guessed."""
    both.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9), b TEXT CHARACTER SET gbk, c CHAR(3)) CHARACTER SET latin1"
    )
    both.sql("INSERT INTO t VALUES (1, 'a', 'a', 'a')")
    with both.task(both.code("t")) as running:
        running.settle()
    try:
        both.sql(f"SET GLOBAL binlog_row_metadata = '{metadata}'")
        both.sql("INSERT INTO t VALUES (2, 'é', '中', 'ü')", "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4")
        both.sql("INSERT INTO t VALUES (3, '中', '😀', 'é')")
        with both.task(both.code("t")) as running:
            if metadata == "FULL":
                running.settle()
                assert both.equal()
            else:
                assert isinstance(running.fails(), NotServed)
    finally:
        both.sql("SET GLOBAL binlog_row_metadata = 'NO_LOG'")


BAD = {1: "'a\\0b', 'x', 'x'", 2: "'x', _utf8mb3 0xEDA080, 'x'", 3: "'x', 'x', _ucs2 0xD800"}


@pytest.mark.mariadb
def test_c71_texts_that_the_target_cannot_hold(both: Pair) -> None:
    """U+0000 and halves of surrogate pairs, loaded and from the log: dirty rows, and the task goes on."""
    both.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20), w VARCHAR(20) CHARACTER SET utf8mb3, "
        "u VARCHAR(20) CHARACTER SET ucs2)"
    )

    def fill(first: int) -> None:
        for number, values in BAD.items():
            both.sql(f"INSERT INTO t VALUES ({first + number}, {values})")
        both.sql(f"INSERT INTO t VALUES ({first}, 'good', 'good', 'good'), ({first + 5}, '', '', '')")

    fill(0)
    with both.task(both.code("t")) as running:
        running.settle()
        assert sorted(json.loads(row.row)["id"] for row in both.ledger.dirty) == [1, 2, 3]
        fill(10)
        running.settle()
        both.sql("UPDATE t SET v = 'mended' WHERE id = 1", "UPDATE t SET w = _utf8mb3 0xEDA080 WHERE id = 5")
        both.sql("DELETE FROM t WHERE id IN (2, 12)")
        running.settle()
        assert [i for (i,) in both.select("SELECT id FROM t ORDER BY id")] == [0, 1, 5, 10, 15]
        assert both.select("SELECT v, w FROM t WHERE id IN (1, 5) ORDER BY id") == [("mended", "x"), ("", "")]
    assert sorted(json.loads(row.row)["id"] for row in both.ledger.dirty) == [1, 2, 3, 5, 11, 12, 13]
    assert both.ledger.tally.rows_dirty == 7 and all(row.reason for row in both.ledger.dirty)


@pytest.mark.parametrize("zero", ["dirty", "null"])
def test_c71_a_row_that_cannot_be_read_leaves_its_old_key(both: Pair, zero: str) -> None:
    """Under that key the source has nothing any more, whatever the row holds now; later rows may have it."""
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET ucs2, d DATE)")
    both.sql("INSERT INTO t VALUES (1, 'one', NULL), (2, 'two', NULL), (3, 'three', NULL), (4, 'four', NULL)")
    with both.task(both.code("t", reader={"zeroDate": zero})) as running:
        running.settle()
        both.sql("UPDATE t SET id = 11, v = _ucs2 0xD800 WHERE id = 1", "UPDATE t SET v = 'mended' WHERE id = 11")
        both.sql(
            "BEGIN",
            "UPDATE t SET id = 12, v = _ucs2 0xD800 WHERE id = 2",
            "INSERT INTO t VALUES (2, 'new', NULL)",
            "COMMIT",
        )
        both.sql("UPDATE t SET v = _ucs2 0xD800 WHERE id = 3")
        both.sql("SET sql_mode = ''", "UPDATE t SET id = 14, d = '0000-00-00' WHERE id = 4")
        running.settle()
    wanted = [(2, "new"), (3, "three"), (11, "mended")]
    assert both.select("SELECT id, v FROM t ORDER BY id") == [*wanted, *([(14, "four")] if zero == "null" else [])]
    refused = sorted(json.loads(row.row)["id"] for row in both.ledger.dirty)
    assert refused == [3, 11, 12, *([14] if zero == "dirty" else [])]


def test_c74_columns_that_are_computed_or_not_seen(both: Pair) -> None:
    both.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT AS (id * 2) VIRTUAL, s INT AS (id * 3) STORED, h INT INVISIBLE)",
        "CREATE TABLE u (id INT INVISIBLE AUTO_INCREMENT PRIMARY KEY, v INT)",
        "INSERT INTO t (id, h) SELECT seq, -seq FROM seq_1_to_9",
        "INSERT INTO u VALUES (7), (8)",
    )
    with both.task(both.code()) as running:
        running.settle()
        both.sql("INSERT INTO t (id, h) VALUES (20, 5)", "UPDATE t SET id = 30, h = 6 WHERE id = 1")
        both.sql("INSERT INTO u VALUES (9)", "UPDATE u SET v = 70 WHERE id = 1", "DELETE FROM u WHERE id = 2")
        running.settle()
        assert both.equal("t", "id, v, s, h") and both.equal("u", "id, v")


def test_c75_a_null_where_both_sides_have_a_default(both: Pair) -> None:
    both.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(9) DEFAULT 'source')", "INSERT INTO t VALUES (1, NULL)")
    both.select("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) DEFAULT 'target')")
    both.sql("INSERT INTO t (id) VALUES (2)")
    with both.task(both.code("t")) as running:
        running.settle()
        both.sql(
            "INSERT INTO t VALUES (3, NULL)", "UPDATE t SET v = NULL WHERE id = 2", "INSERT INTO t (id) VALUES (4)"
        )
        running.settle()
        assert both.select("SELECT * FROM t ORDER BY id") == [(1, None), (2, None), (3, None), (4, "source")]


SHAPES = {
    "g": "GEOMETRY, 'POINT(0 0)'",
    "p": "POINT, 'POINT(1 2)'",
    "l": "LINESTRING, 'LINESTRING(0 0,1 1,2 2)'",
    "y": "POLYGON, 'POLYGON((0 0,1 0,1 1,0 0))'",
    "mp": "MULTIPOINT, 'MULTIPOINT(1 1,2 2)'",
    "ml": "MULTILINESTRING, 'MULTILINESTRING((0 0,1 1),(2 2,3 3))'",
    "my": "MULTIPOLYGON, 'MULTIPOLYGON(((0 0,1 0,1 1,0 0)))'",
    "gc": "GEOMETRYCOLLECTION, 'GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))'",
}


@pytest.mark.mariadb
def test_c76_shapes_come_as_the_server_stores_them(both: Pair) -> None:
    """Four bytes of SRID, then WKB."""
    columns = ", ".join(f"{name} {shape.partition(',')[0]}" for name, shape in SHAPES.items())
    both.sql(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")

    def insert(number: int) -> None:
        values = ", ".join(f"ST_GeomFromText({shape.partition(', ')[2]}, 4326)" for shape in SHAPES.values())
        both.sql(f"INSERT INTO t VALUES ({number}, {values})")

    insert(1)
    both.sql(f"INSERT INTO t VALUES (2, {', '.join(['NULL'] * len(SHAPES))})")
    with both.task(both.code("t")) as running:
        running.settle()
        insert(3)
        running.settle()
        names = ", ".join(SHAPES)
        stored = ", ".join(f"CONCAT(UNHEX('E6100000'), ST_AsWKB({name}))" for name in SHAPES)
        assert both.equal(columns=f"id, {names}", source_columns=f"id, {stored}")
        assert both.select("SELECT substr(p, 1, 4) FROM t WHERE id = 3") == [(b"\xe6\x10\0\0",)]


@pytest.fixture(scope="module")
def roomy() -> Iterator[mysqld.Server]:
    """A server that takes rows of 64 MB."""
    with mysqld.server(max_allowed_packet="268435456", innodb_log_file_size="1G") as server:
        server.run(["CREATE DATABASE settled", "CREATE TABLE settled.mark (id INT PRIMARY KEY, v CHAR(36))"])
        yield server


def test_c53_a_row_of_64_megabytes_passes(roomy: mysqld.Server, pair_target: str) -> None:
    # Nothing that PostgreSQL would spend its time compressing.
    value = f"REPEAT(0x{random.Random(1).randbytes(1 << 18).hex()}, 256)"
    for pair in made(roomy, pair_target, pgcopy.FORMAT):
        pair.sql("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB)", f"INSERT INTO t VALUES (1, {value})")
        with pair.task(pair.code("t")) as running:
            running.settle()
            pair.sql(f"INSERT INTO t VALUES (2, {value}), (3, 'small')")
            running.settle()
            assert pair.equal("t", "id, length(v), encode(sha256(v), 'hex')", "id, LENGTH(v), SHA2(v, 256)")
            assert pair.select("SELECT max(length(v)) FROM t") == [(64 << 20,)]
