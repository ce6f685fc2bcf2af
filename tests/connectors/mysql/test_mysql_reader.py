"""Reading tables as they are: the reader's contract, and ranges over every sort of key (C06 and C08 to C13)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from source import Database

import mysqld
from contract.source import ReaderSuite, Row, rows_in
from disync.connectors.mysql import CONNECTOR, chunks
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.model.data import Position
from disync.model.errors import BadConfig


class MySQLTable:
    table_width = 4

    def __init__(self, database: Database) -> None:
        self._database = database
        database.run("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), price DECIMAL(9,2), at DATETIME(3))")

    def rows(self, first: int, count: int) -> list[Row]:
        return [
            (i, f"名字 {i}" if i % 7 else None, f"{i}.50", 1_700_000_000_123_000 + i * 1000)
            for i in range(first, first + count)
        ]

    def fill(self, rows: Sequence[Row]) -> None:
        values = ",".join(
            f"({i}, {'NULL' if name is None else repr(name)}, {price}, '1970-01-01' + INTERVAL {at} MICROSECOND)"
            for i, name, price, at in rows
        )
        self._database.run(f"INSERT INTO t VALUES {values}")

    def reader(self) -> MySQLChangeReader:
        return self._database.reader("t", batchSize=50)


class TestMySQLReader(ReaderSuite):
    @pytest.fixture
    def source(self, database: Database) -> MySQLTable:
        return MySQLTable(database)


KEYS = {
    "bigint unsigned": "BIGINT UNSIGNED, 18446744073709551615 - seq * 7919",
    "sparse": "BIGINT, seq * seq * seq * 100003",
    "negative": "INT, CAST(seq AS SIGNED) - 1000",
    "any case": "VARCHAR(20) COLLATE utf8mb4_general_ci, CONCAT(IF(seq % 2, 'fxx', 'FXX'), CHAR(65 + seq % 26), seq)",
    "binary text": "VARCHAR(20) COLLATE utf8mb4_bin, CONCAT(CHAR(33 + seq % 90), seq)",
    "gbk": "VARCHAR(20) CHARACTER SET gbk, CONCAT(ELT(1 + seq % 4, '中', '文', 'z', 'Z'), seq)",
    "latin1": "VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci, CONCAT(ELT(1 + seq % 2, 'ä', 'ß'), seq)",
    "decimal": "DECIMAL(30, 10), seq / 7 - 100",
    "double": "DOUBLE, seq / 7 - 100",
    "float": "FLOAT, seq / 7 - 100",
    "binary": "BINARY(12), UNHEX(CONCAT(LPAD(HEX(seq * 7919), 8, '0'), '0000000000'))",
    "varbinary": "VARBINARY(8), UNHEX(LPAD(HEX(seq), 4, '0'))",
    "bit": "BIT(64), seq * 9223372036854775",
    "date": "DATE, '2000-01-01' + INTERVAL seq DAY",
    "datetime": "DATETIME(6), '2000-01-01' + INTERVAL seq * 12345 MICROSECOND",
    "timestamp": "TIMESTAMP(3), '2000-01-01' + INTERVAL seq * 1000 MICROSECOND",
    "time": "TIME(6), SEC_TO_TIME(CAST(seq AS SIGNED) * 13 - 9000)",
    "char": "CHAR(36), UUID()",
}


@pytest.mark.parametrize("form", KEYS.values(), ids=KEYS.keys())
def test_c08_c10_c13_every_sort_of_key_is_cut_and_resumed(
    database: Database, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C08, C09, C10, C13: the ranges hold every row once, from the beginning and from every position."""
    _cut_small(monkeypatch)
    kind, _, value = form.partition(", " if "DECIMAL" not in form else "), ")
    kind += ")" if "DECIMAL" in form else ""
    database.run(f"CREATE TABLE t (k {kind}, v INT, PRIMARY KEY (k))")
    database.run("SET sql_mode = '', time_zone = '+00:00'", f"INSERT INTO t SELECT {value}, seq FROM seq_1_to_1000")
    _holds_every_row_once(database, 1000)


def test_c12_a_composite_key_whose_order_is_not_the_columns(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cut_small(monkeypatch)
    database.run(
        "CREATE TABLE t (v INT, c INT, b ENUM('z', 'y', 'x'), a VARCHAR(5), PRIMARY KEY (a, b, c))",
        "INSERT INTO t SELECT seq, seq DIV 30, 1 + seq % 3, CHAR(65 + seq % 10) FROM seq_1_to_1000",
    )
    assert [table.keys for table in database.reader("t").tables()] == [("a", "b", "c")]
    _holds_every_row_once(database, 1000)


def test_c11_a_unique_index_serves_only_if_it_forbids_nulls(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _cut_small(monkeypatch)
    database.run(
        "CREATE TABLE t (v INT, a INT, b INT NOT NULL, p CHAR(9) NOT NULL, UNIQUE (a), UNIQUE (b), UNIQUE (p(1), b))",
        "INSERT INTO t SELECT seq, NULLIF((seq % 50 > 0) * seq, 0), seq, 'x' FROM seq_1_to_1000",
    )
    assert [table.keys for table in database.reader("t").tables()] == [("b",)]
    _holds_every_row_once(database, 1000)


def test_c18_a_table_without_a_key_is_read_whole_and_said_so(database: Database) -> None:
    database.run("CREATE TABLE t (a INT, b INT)", "INSERT INTO t SELECT seq % 3, 1 FROM seq_1_to_500")
    reader = database.reader("t", batchSize=100)
    assert any("no key" in warning and database.name in warning for warning in reader.check())
    (split,) = reader.split(8)
    events = list(reader.read(split, None))
    assert {event.position for event in events} == {Position("")}
    assert len(rows_in(list(reader.read(split, events[2].position)))) == 500
    reader.close()


def test_a_whole_database_is_its_base_tables(database: Database) -> None:
    database.run(
        "CREATE TABLE b (id INT PRIMARY KEY)",
        "CREATE TABLE `a ``?%s` (id INT PRIMARY KEY, `sel ect``?` INT)",
        "CREATE VIEW v AS SELECT * FROM b",
        *([] if mysqld.MYSQL else ["CREATE SEQUENCE s"]),
    )
    reader = database.reader()
    assert [table.name for table in reader.tables()] == ["a `?%s", "b"]
    reader.check()
    database.run("INSERT INTO `a ``?%s` VALUES (1, 2)")
    split = reader.split(1)[0]
    assert rows_in(list(reader.read(split, None))) == [(1, 2)]
    reader.close()


def test_large_values_bound_the_batch(database: Database) -> None:
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)",
        "INSERT INTO t SELECT seq, REPEAT('x', 1000000) FROM seq_1_to_20",
    )
    reader = database.reader("t")
    (split,) = reader.split(1)
    sizes = [event.count for event in reader.read(split, None)]  # type: ignore[union-attr]
    assert sum(sizes) == 20 and max(sizes) <= 5
    reader.close()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (("SET GLOBAL binlog_format = 'MIXED'",), "binlog_format is MIXED.*SET GLOBAL binlog_format = 'ROW'"),
        (("SET GLOBAL binlog_row_image = 'MINIMAL'",), "binlog_row_image is MINIMAL.*SET GLOBAL binlog_row_image"),
    ],
)
def test_c48_a_server_that_cannot_be_followed_is_refused(
    database: Database, statements: Sequence[str], message: str
) -> None:
    """C48: named, with the remedy."""
    database.run("CREATE TABLE t (id INT PRIMARY KEY)")
    try:
        database.run(*statements)
        with pytest.raises(BadConfig, match=message):
            database.reader("t").check()
    finally:
        database.run("SET GLOBAL binlog_format = 'ROW'", "SET GLOBAL binlog_row_image = 'FULL'")


def test_a_missing_table_and_missing_rights_are_named(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE USER weak@127.0.0.1 IDENTIFIED BY 'x'")
    database.run(f"GRANT SELECT ON {database.name}.* TO weak@127.0.0.1")
    try:
        with pytest.raises(BadConfig, match="has no table nothing"):
            database.reader("t", "nothing").check()
        weak = database.reader("t")
        object.__setattr__(weak.address, "user", "weak")
        object.__setattr__(weak.address, "password", "x")
        with pytest.raises(BadConfig, match="GRANT REPLICATION SLAVE, REPLICATION CLIENT"):
            weak.check()
    finally:
        database.run("DROP USER weak@127.0.0.1")


def _cut_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small tables are cut, too, and pages end inside of ranges."""
    monkeypatch.setattr(chunks, "LEAST_ROWS", 1)
    monkeypatch.setattr("disync.connectors.mysql.pages.PAGE_ROWS", 130)


def _holds_every_row_once(database: Database, count: int) -> None:
    database.run("ANALYZE TABLE t")
    reader = database.reader("t", batchSize=50)
    (table,) = reader.tables()
    place = [column.name for column in table.columns].index("v")
    splits = reader.split(4)
    assert len(splits) == 4
    found = []
    for split in splits:
        events = list(reader.read(split, None))
        rows = [row[place] for row in rows_in(events)]
        found += rows
        for number in (0, len(events) // 2, len(events) - 1):
            if events:
                rest = rows_in(list(reader.read(split, events[number].position)))
                assert [row[place] for row in rest] == [row[place] for row in rows_in(events[number + 1 :])]
    assert sorted(found) == list(range(1, count + 1))
    reader.close()


def test_the_network_policy_stands_before_every_connection() -> None:
    content = {"jdbcUrl": "jdbc:mysql://0.0.0.0:3306/shop", "username": "u", "password": "p", "tag": "public"}
    assert CONNECTOR.probe is not None
    with pytest.raises(BadConfig, match="Task have SSRF attacks"):
        CONNECTOR.probe(content)


def test_how_many_rows_tables_have_is_estimated_as_of_now(database: Database) -> None:
    database.run("CREATE TABLE few (id INT PRIMARY KEY)", "CREATE TABLE many (id INT PRIMARY KEY)")
    database.run("INSERT INTO few SELECT seq FROM seq_1_to_10", "INSERT INTO many SELECT seq FROM seq_1_to_20000")
    database.run("ANALYZE TABLE few, many")
    reader = database.reader("few", "many")
    few, many = reader.tables()
    found = reader.estimates([few, many])
    assert found[few.name] == 10 and 15_000 < found[many.name] < 25_000
    assert reader.estimates([]) == {}


def test_rows_that_are_put_behind_a_range_all_the_time_do_not_keep_it_from_ending(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("disync.connectors.mysql.pages.PAGE_ROWS", 10)
    database.run("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT seq FROM seq_1_to_25")
    reader = database.reader("t", batchSize=5)
    (split,) = reader.split(1)
    found: list[int] = []
    for event in reader.read(split, None):
        found += [row[0] for row in rows_in([event])]
        database.run(f"INSERT INTO t SELECT seq + {len(found) * 1000} FROM seq_1_to_20")
        assert len(found) < 200, "it goes on for as long as rows come"
    assert found[:25] == list(range(1, 26))
