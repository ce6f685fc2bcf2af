"""Rows asked for by keys of every type: what is there now, and what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from source import Database

from contract.source import rows_in
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.model.data import Table, rows_of
from disync.model.kept import Kept

KEYS = [
    ("BIGINT", "-5", "7"),
    ("BIGINT UNSIGNED", "18446744073709551615", "7"),
    ("INT ZEROFILL", "00042", "7"),
    ("YEAR", "2024", "1999"),
    ("DECIMAL(65,30)", "-12345678901234567890.000000000000000000000000000001", "0"),
    ("DECIMAL(5,2) ZEROFILL", "1.5", "0"),
    ("VARCHAR(40) COLLATE utf8mb4_general_ci", "'Zoë'", "'zoo '"),
    ("VARCHAR(40)", "'说明 \\\\ '' \\n'", "''"),
    ("VARCHAR(40) CHARACTER SET latin1", "'éŸ'", "'x'"),
    ("VARCHAR(40) CHARACTER SET gbk", "'汉字'", "'x'"),
    ("CHAR(4)", "'ab'", "''"),
    ("VARBINARY(20)", "x'00ff27'", "''"),
    ("BINARY(4)", "x'00ff'", "'a'"),
    ("DATE", "'2024-02-29'", "'0999-12-31'"),
    ("DATETIME(6)", "'2024-02-29 23:59:59.000001'", "'1000-01-01'"),
    ("TIMESTAMP(3)", "'2024-02-29 23:59:59.123'", "'1999-01-01'"),
    ("TIME(2)", "'-838:59:58.99'", "'00:00:00'"),
    ("ENUM('a','b','')", "'b'", "'a'"),
    ("SET('a','b','c')", "'a,c'", "''"),
    ("BIT(1)", "b'1'", "b'0'"),
    ("BIT(20)", "b'10101'", "b'0'"),
    ("BIT(64)", "b'1" + "0" * 63 + "'", "b'0'"),
    ("FLOAT", "0.1", "3"),
    ("DOUBLE", "1e300", "-0.1"),
]


def kept_rows(reader: MySQLChangeReader) -> tuple[Table, list[Kept], list[tuple[Any, ...]]]:
    """All rows of the only table as if the target had refused them, and the rows themselves."""
    (table,) = reader.tables()
    rows = [row for split in reader.split(1) for row in rows_in(list(reader.read(split, None)))]
    names = [column.name for column in table.columns]
    texts = [msgspec.json.encode(dict(zip(names, row, strict=True))).decode() for row in rows]
    return table, [Kept(number, 4, f"public.{table.name}", text) for number, text in enumerate(texts)], rows


def reread(reader: MySQLChangeReader, table: Table, rows: Sequence[Kept]) -> dict[int, tuple[bytes, tuple[Any, ...]]]:
    """(op, row) by the id of the kept row."""
    found: dict[int, tuple[bytes, tuple[Any, ...]]] = {}
    for batch in reader.reread(table, rows):
        (row,) = rows_of(batch.rows)  # type: ignore[arg-type]
        request, _, id_ = batch.position.partition("/")
        assert request == "4" and int(id_) not in found
        found[int(id_)] = (batch.ops or b"", row)
    return found


@pytest.mark.parametrize(("kind", "one", "two"), KEYS, ids=[kind for kind, _, _ in KEYS])
def test_a_key_of_every_type_finds_its_row_and_tells_when_it_is_gone(
    database: Database, kind: str, one: str, two: str
) -> None:
    database.run(f"CREATE TABLE t (k {kind}, n INT, PRIMARY KEY (k))", f"INSERT INTO t VALUES ({one}, 1), ({two}, 2)")
    reader = database.reader("t")
    table, kept, rows = kept_rows(reader)
    assert reread(reader, table, kept) == {number: (b"U", row) for number, row in enumerate(rows)}
    database.run("DELETE FROM t WHERE n = 1", "UPDATE t SET n = 20")
    place = next(number for number, row in enumerate(rows) if row[1] == 1)
    assert reread(reader, table, kept) == {
        place: (b"D", (rows[place][0], None)),
        1 - place: (b"U", (rows[1 - place][0], 20)),
    }
    reader.close()


def test_keys_of_several_columns_asked_for_many_at_a_time(database: Database) -> None:
    database.run("CREATE TABLE t (a VARCHAR(9), n INT, b INT, PRIMARY KEY (b, a))")
    values = ", ".join(f"('{letter}', {number}, {number})" for number in range(150) for letter in "xyz")
    database.run(f"INSERT INTO t VALUES {values}")
    reader = database.reader("t")
    table, kept, rows = kept_rows(reader)
    database.run("DELETE FROM t WHERE a = 'y'", "UPDATE t SET n = -1 WHERE a = 'z'")
    again = reread(reader, table, [*kept, *(Kept(row.id + 1000, 4, row.table, row.row) for row in kept)])
    assert len(again) == 900
    for number, (letter, n, b) in enumerate(rows):
        expected = {"x": (b"U", ("x", n, b)), "y": (b"D", ("y", None, b)), "z": (b"U", ("z", -1, b))}[letter]
        assert again[number] == again[number + 1000] == expected
    reader.close()


def test_a_key_that_equals_another_by_collation_alone_is_gone(database: Database) -> None:
    database.run("CREATE TABLE t (k VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY)", "INSERT INTO t VALUES ('Zoë')")
    reader = database.reader("t")
    table, kept, _ = kept_rows(reader)
    database.run("UPDATE t SET k = 'zoe'")
    assert reread(reader, table, kept) == {0: (b"D", ("Zoë",))}
    reader.close()


def test_rows_of_a_table_without_a_key_come_as_they_were_kept(database: Database) -> None:
    database.run("CREATE TABLE t (k INT, b VARBINARY(9))", "INSERT INTO t VALUES (1, x'ff'), (NULL, NULL)")
    reader = database.reader("t")
    table, kept, _ = kept_rows(reader)
    database.run("UPDATE t SET k = 5")
    assert reread(reader, table, kept) == {0: (b"", (1, b"\xff")), 1: (b"", (None, None))}
    reader.close()


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("INT", '{"n":1}'),
        ("INT", '{"k":null}'),
        ("INT", '{"k":"1 OR 1=1"}'),
        ("DECIMAL(5,2)", '{"k":"1 OR 1=1"}'),
        ("DECIMAL(5,2)", '{"k":"NaN"}'),
        ("DOUBLE", '{"k":"nan"}'),
        ("BIT(9)", '{"k":"x"}'),
        ("DATE", '{"k":99999999999}'),
        ("VARBINARY(9)", '{"k":"no base64"}'),
        ("VARCHAR(9)", "[1]"),
    ],
)
def test_a_row_whose_key_cannot_be_asked_for_is_left(database: Database, kind: str, row: str) -> None:
    database.run(f"CREATE TABLE t (k {kind} PRIMARY KEY, n INT)")
    reader = database.reader("t")
    (table,) = reader.tables()
    assert reread(reader, table, [Kept(1, 4, "t", row)]) == {}
    reader.close()


@pytest.mark.parametrize("text", ["' OR '1'='1", "\\' OR 1=1 -- ", "12:00:00' OR '1'='1"])
def test_a_text_is_never_taken_for_sql(database: Database, text: str) -> None:
    for kind in ("VARCHAR(40)", "TIME", "ENUM('a')"):
        database.run("DROP TABLE IF EXISTS t", f"CREATE TABLE t (k {kind} PRIMARY KEY, n INT)")
        database.run("SET sql_mode = ''", "INSERT INTO t VALUES (1, 1)")
        reader = database.reader("t")
        (table,) = reader.tables()
        row = Kept(1, 4, "t", msgspec.json.encode({"k": text}).decode())
        assert reread(reader, table, [row]) == {1: (b"D", (text, None))}
        reader.close()


def test_a_row_that_is_there_and_cannot_be_read_is_not_told_to_be_gone(database: Database) -> None:
    database.run(
        "CREATE TABLE t (k INT PRIMARY KEY, d DATE)", "INSERT INTO t VALUES (1, '0000-00-00'), (2, '2024-01-01')"
    )
    reader = database.reader("t", zeroDate="dirty")
    (table,) = reader.tables()
    kept = [Kept(number, 4, "public.t", f'{{"K":{number}}}') for number in (1, 2, 3)]
    assert reread(reader, table, kept) == {2: (b"U", (2, 19_723)), 3: (b"D", (3, None))}
    reader.close()
