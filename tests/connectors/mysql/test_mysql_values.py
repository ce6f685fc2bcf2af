"""Every type, both ways: what the full load reads and what the log says are the same values, and those of the table.

Cases C60, C61, C62, C63, C65, C67, C68, C69, C70, C74, C75 and C76 of groups D, as far as MariaDB has the types.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from source import Database, Log, changes_in

from contract.source import rows_in
from disync.connectors.mysql import schema
from disync.connectors.mysql.charsets import _EXACT, decoder
from disync.connectors.mysql.connection import Session
from disync.model.errors import BadConfig
from disync.native import pgcopy

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "mysql-values.json").read_text())


def _column(case: dict[str, Any]) -> str:
    return f"v {case['type']}"


@pytest.fixture(scope="module")
def seen(mariadb_server: Any) -> Any:
    """All cases in one database: (columns, loaded values, values from the log) of each, by the format."""
    mariadb_server.run("CREATE DATABASE golden")
    databases = {format_: Database(mariadb_server, "golden", format_) for format_ in (None, pgcopy.FORMAT)}
    database = databases[None]
    names = [f"t{number}" for number in range(len(GOLDEN))]
    database.run(*(f"CREATE TABLE {n} (id INT PRIMARY KEY, {_column(c)})" for n, c in zip(names, GOLDEN, strict=True)))
    logs = {format_: Log(database, database.reader()) for format_, database in databases.items()}
    for zone in ("+00:00", "-09:30"):
        # Whatever zone a session writes in, and whatever the server's is: a moment is a moment.
        database.run("SET sql_mode = 'ALLOW_INVALID_DATES'", f"SET time_zone = '{zone}'", *_inserts(names, zone))
    yield {format_: _seen(log, names) for format_, log in logs.items()}
    mariadb_server.run("DROP DATABASE golden")


def _seen(log: Log, names: list[str]) -> dict[str, tuple[Any, list[Any], list[Any]]]:
    from_log: dict[str, list[Any]] = {name: [] for name in names}
    for event in log.rows(2 * sum(len(case["values"]) for case in GOLDEN)):
        for op, row in changes_in([event]):
            assert op == "I"
            from_log[event.table.name].append(row[1])  # type: ignore[union-attr]
    reader = log.reader
    loaded = {split.table.name: rows_in(list(reader.read(split, None))) for split in reader.split(1)}
    columns = {table.name: table.columns[1] for table in reader.tables()}
    reader.close()
    return {n: (columns[n], [row[1] for row in loaded[n]], from_log[n]) for n in names}


def _inserts(names: list[str], zone: str) -> list[str]:
    found = []
    for name, case in zip(names, GOLDEN, strict=True):
        first = 0 if zone == "+00:00" else len(case["values"])
        for number, (literal, _) in enumerate(case["values"], first):
            moment = case["type"].startswith("timestamp") and literal[:1] == "'" and literal[1:5] != "0000"
            value = f"CONVERT_TZ({literal}, '+00:00', '{zone}')" if moment else literal
            found.append(f"INSERT INTO {name} (id, v) VALUES ({number}, {value})")
    return found


def _param(number: int, type_: str) -> Any:
    """Documents and points are others in MySQL (test_mysql_own)."""
    return pytest.param(number, id=type_, marks=pytest.mark.mariadb if type_ in ("json", "point") else ())


@pytest.mark.parametrize("format_", [None, pgcopy.FORMAT])
@pytest.mark.parametrize("number", [_param(number, case["type"]) for number, case in enumerate(GOLDEN)])
def test_both_ways_give_the_golden_value(seen: Any, number: int, format_: str | None) -> None:
    case = GOLDEN[number]
    column, loaded, logged = seen[format_][f"t{number}"]
    assert [column.kind, column.length, column.precision, column.scale] == case["column"]
    expected = [_value(column.kind, value) for _, value in case["values"]] * 2
    assert loaded == expected
    assert logged == expected
    assert [type(value) for value in loaded] == [type(value) for value in logged]


def _value(kind: str, written: Any) -> Any:
    return bytes.fromhex(written) if kind == "bytes" and written is not None else written


def test_c74_generated_and_invisible_columns_are_columns(database: Database) -> None:
    database.run(
        "CREATE TABLE t (id INT PRIMARY KEY, v INT AS (id * 2) VIRTUAL, s INT AS (id * 3) STORED, h INT INVISIBLE)"
    )
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t (id, h) VALUES (1, 9)", "UPDATE t SET id = 2", "DELETE FROM t")
    assert changes_in(log.rows(4)) == [
        ("I", (1, 2, 3, 9)),
        ("B", (1, 2, 3, 9)),
        ("U", (2, 4, 6, 9)),
        ("D", (2, 4, 6, 9)),
    ]
    database.run("INSERT INTO t (id, h) VALUES (5, 7)")
    (split,) = reader.split(1)
    assert rows_in(list(reader.read(split, None))) == [(5, 10, 15, 7)]
    reader.close()


def test_c70_every_character_of_every_set_is_decoded_as_the_server_does(database: Database) -> None:
    known = {row[0] for row in database.run("SHOW CHARACTER SET")}
    single = [bytes([code]) for code in range(256)]
    double = [bytes([one]) for one in range(128)] + [bytes([one, two]) for one in range(128, 256) for two in range(256)]
    compared = 0
    for charset in sorted(({*_EXACT, "latin1"}) & known - {"ucs2", "utf8mb3", "utf8mb4", "utf16", "utf16le", "utf32"}):
        codes = double if charset in ("gbk", "gb2312", "cp932", "gb18030") else single
        decode = decoder(charset)
        assert decode is not None
        for code, text in _as_the_server_reads(database, charset, codes):
            assert decode(code) == text, (charset, code)
            compared += 1
    assert compared > 30_000


def _as_the_server_reads(database: Database, charset: str, codes: list[bytes]) -> list[tuple[bytes, str]]:
    """Codes that the set has, with their characters; the server gives `?` for those that it has not."""
    columns = f"code VARBINARY(2) PRIMARY KEY, a VARCHAR(2) CHARACTER SET {charset}"
    database.run("DROP TABLE IF EXISTS c", f"CREATE TABLE c ({columns})")
    values = ",".join(f"(0x{code.hex()}, CONVERT(0x{code.hex()} USING {charset}))" for code in codes)
    rows = database.run("SET sql_mode = ''", f"INSERT IGNORE INTO c VALUES {values}", _READ_BACK)
    return [(bytes(code), text.decode()) for code, text in rows]


_READ_BACK = (
    "SELECT code, CAST(CONVERT(a USING utf8mb4) AS BINARY) FROM c "
    "WHERE CAST(a AS BINARY) = code AND (CONVERT(a USING utf8mb4) <> '?' OR code = 0x3F)"
)


def test_c70_a_set_that_cannot_be_read_exactly_is_refused_by_name(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET geostd8)")
    with pytest.raises(BadConfig, match=r"test_\d+\.t: Column a has the character set geostd8"):
        database.reader("t").tables()


def test_the_labels_of_an_enum_are_those_of_the_server(database: Database) -> None:
    labels = ["a,b", "d'e", "b\\c", "x\ny", "中文", 'q"q', "tab\t", "%s", ""]
    escaped = ",".join("'" + label.replace("\\", "\\\\").replace("'", "''") + "'" for label in labels)
    database.run(f"CREATE TABLE t (id INT PRIMARY KEY, e ENUM({escaped}))")
    database.run("INSERT INTO t SELECT seq, seq FROM seq_1_to_9")
    reader = database.reader("t")
    with reader.session() as session:
        assert isinstance(session, Session)
        (shape,) = schema.read(session, reader.selection).values()
    assert shape.natives[1].labels == tuple(labels)
    assert [row[1] for row in rows_in(list(reader.read(reader.split(1)[0], None)))] == labels
    reader.close()
