"""The decoder on bytes that no server sends: cut short, garbled, or of MySQL's forms that MariaDB does not have."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from source import Database

from disync.connectors.mysql import ddl
from disync.connectors.mysql.binlog import decimal, events, gtids, json, rows, tablemap
from disync.connectors.mysql.binlog.errors import BrokenLog
from disync.connectors.mysql.binlog.events import Kind
from disync.connectors.mysql.gtid import MariaGtids, MySQLGtids
from disync.connectors.mysql.plans import plan
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.stream import LogStream
from disync.connectors.mysql.types import Native
from disync.connectors.mysql.values import decimal_text
from disync.model.data import Table
from disync.model.errors import TaskError

TYPES = ("BIGINT", "DECIMAL(20,5)", "TIME(3)", "DATETIME(6)", "TIMESTAMP(1)", "VARCHAR(300)", "BLOB", "BIT(9)", "DATE")


@pytest.fixture(scope="module")
def recorded(mariadb_server: Any) -> Iterator[tuple[Shape, list[bytes]]]:
    """A table, and the events of a transaction that a real server wrote about it."""
    database = Database(mariadb_server, "recorded")
    mariadb_server.run("CREATE DATABASE recorded")
    columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(TYPES))
    database.run(f"CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a','b'), {columns})")
    reader = database.reader()
    (shape,) = reader.shapes().values()
    place = reader._history.now()[0]
    database.run(
        "INSERT INTO t VALUES (1, 'a', -5, -1.5, '-10:00:00.5', NOW(6), NOW(6), '中文', 'xyz', 5, '2024-01-02')",
        "UPDATE t SET id = 2, e = NULL, c5 = REPEAT('y', 299)",
    )
    found: list[bytes] = []
    with reader.session() as carrier:
        log = LogStream(carrier, place.file, place.at)
        while len([data for data in found if data[4] in rows.KINDS]) < 2:
            packet = log.packet(10.0)
            assert packet is not None
            found.append(packet[1:])
    reader.close()
    yield shape, found
    mariadb_server.run("DROP DATABASE recorded")


def _decode(shape: Shape, data: bytes, maps: dict[int, Any]) -> int:
    """All that is done to an event; the number of rows found."""
    event = events.parse(data, True)
    if event.kind == Kind.TABLE_MAP:
        found = tablemap.parse(event.body)
        maps[found.id] = plan(found, shape, False, False)
    elif event.kind in rows.KINDS:
        known = next(iter(maps.values()))
        return len(list(rows.changes(event, known.fields, known.virtual)))
    elif event.kind in (Kind.QUERY, Kind.MARIA_QUERY_COMPRESSED):
        query = events.query(event)
        ddl.parse(query.statement, query.database)
    elif event.kind == Kind.ROTATE:
        events.rotate(event.body)
    elif event.kind in gtids.BEGINS:
        gtids.of(event)
    return 0


def _sealed(body: bytes) -> bytes:
    """An event whose size and checksum are right, whatever is in it."""
    data = body[:9] + struct.pack("<I", len(body) + 4) + body[13:]
    return data + struct.pack("<I", zlib.crc32(data))


def test_the_recorded_events_are_whole(recorded: tuple[Shape, list[bytes]]) -> None:
    shape, found = recorded
    maps: dict[int, Any] = {}
    assert sum(_decode(shape, data, maps) for data in found) == 3


def test_every_cut_is_named(recorded: tuple[Shape, list[bytes]]) -> None:
    shape, found = recorded
    maps: dict[int, Any] = {}
    for data in found:
        _decode(shape, data, maps)
    for data in found:
        for length in range(len(data)):
            with pytest.raises(BrokenLog):
                _decode(shape, data[:length], maps)
    for data in (data for data in found if data[4] in rows.KINDS):
        whole = [length for length in range(19, len(data) - 4) if _fits(shape, _sealed(data[:length]), maps)]
        assert len(whole) == 1, "only where the first row would begin can nothing be missed"


def _fits(shape: Shape, data: bytes, maps: dict[int, Any]) -> bool:
    try:
        assert _decode(shape, data, maps) == 0
    except TaskError:
        return False
    return True


def test_every_flipped_bit_is_noticed(recorded: tuple[Shape, list[bytes]]) -> None:
    """The checksum finds what the decoder cannot."""
    shape, found = recorded
    for data in (data for data in found if data[4] in rows.KINDS or data[4] == Kind.TABLE_MAP):
        for place in range(len(data)):
            garbled = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]
            with pytest.raises(TaskError):
                _decode(shape, garbled, {})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_garbage_raises_a_named_error_or_none(recorded: tuple[Shape, list[bytes]], data: st.DataObject) -> None:
    shape, found = recorded
    maps: dict[int, Any] = {}
    for event in found:
        _decode(shape, event, maps)
    event = bytearray(data.draw(st.sampled_from(found))[:-4])
    for _ in range(data.draw(st.integers(1, 5))):
        event[data.draw(st.integers(19, len(event) - 1))] = data.draw(st.integers(0, 255))
    try:
        _decode(shape, _sealed(bytes(event)), maps)
    except TaskError as error:
        assert str(error)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_garbage_is_no_json(data: bytes) -> None:
    try:
        assert isinstance(json.text(data), str)
    except BrokenLog as error:
        assert str(error)


MOMENT = (2024 * 13 + 2) << 22 | 29 << 17 | 23 << 12 | 59 << 6 | 58


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "null"),
        (b"\x04\x00", "null"),
        (b"\x04\x01", "true"),
        (b"\x05\xff\xff", "-1"),
        (b"\x06\xff\xff", "65535"),
        (b"\x0a" + b"\xff" * 8, "18446744073709551615"),
        (b"\x0b" + struct.pack("<d", 1.0), "1.0"),
        (b"\x0b" + struct.pack("<d", -0.5), "-0.5"),
        (b"\x0b" + struct.pack("<d", 1e14), "100000000000000.0"),
        (b"\x0b" + struct.pack("<d", 1.5e15), "1.5e15"),
        (b"\x0b" + struct.pack("<d", 1e-15), "0.000000000000001"),
        (b"\x0b" + struct.pack("<d", 2.5e-20), "2.5e-20"),
        (b'\x0c\x05a"\n\\\x01', '"a\\"\\n\\\\\\u0001"'),
        (b"\x0c\x06\xe4\xb8\xad\xe6\x96\x87", '"中文"'),
        (b"\x02\x00\x00\x04\x00", "[]"),
        (b"\x00\x00\x00\x04\x00", "{}"),
        # {"a": [1, "x"], "bb": false}: keys lie behind the entries, values behind the keys
        (
            b"\x00\x02\x00\x23\x00"
            b"\x12\x00\x01\x00\x13\x00\x02\x00"
            b"\x02\x15\x00\x04\x02\x00"
            b"abb"
            b"\x02\x00\x0e\x00\x05\x01\x00\x0c\x0a\x00\x01x\x00\x00",
            '{"a": [1, "x"], "bb": false}',
        ),
        (b"\x0f\xf6\x04\x03\x02\x81\x32", "1.50"),
        (b"\x0f\xfc\x02hi", '"base64:type252:aGk="'),
        (b"\x0f\x0c\x08" + struct.pack("<q", (MOMENT << 24) + 5), '"2024-02-29 23:59:58.000005"'),
    ],
)
def test_mysqls_binary_json(data: bytes, text: str) -> None:
    assert json.text(data) == text


def test_json_that_contains_itself_ends() -> None:
    with pytest.raises(BrokenLog):
        json.text(b"\x02\x01\x00\x07\x00\x02\x00\x00")


@given(st.integers(1, 65), st.data())
def test_decimals_come_back(precision: int, data: st.DataObject) -> None:
    scale = data.draw(st.integers(0, min(30, precision)))
    number = data.draw(st.integers(-(10**precision) + 1, 10**precision - 1))
    digits = f"{abs(number):0{precision}d}"
    whole, fraction = digits[: precision - scale], digits[precision - scale :]
    expected = decimal_text(f"{'-' if number < 0 else ''}{whole}" + (f".{fraction}" if scale else ""))
    assert decimal_text(decimal.decoder(precision, scale)(_packed(whole, fraction, number < 0))) == expected


def _packed(whole: str, fraction: str, negative: bool) -> bytes:
    """A DECIMAL as a server would store it."""
    head = len(whole) % 9
    groups = [whole[:head]] + [whole[at : at + 9] for at in range(head, len(whole), 9)]
    groups += [fraction[at : at + 9] for at in range(0, len(fraction), 9)]
    sizes = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
    data = bytearray(b"".join(int(group or "0").to_bytes(sizes[len(group)], "big") for group in groups))
    data[0] ^= 0x80
    return bytes(byte ^ 0xFF for byte in data) if negative else bytes(data)


def test_gtid_sets() -> None:
    held = MySQLGtids("a:1-3:5, b:7")
    for number in (4, 6, 10, 9):
        held.add(f"a:{number}")
    held.add("c:1")
    assert str(held) == "a:1-6:9-10,b:7,c:1"
    assert str(MySQLGtids(str(held))) == str(held)
    maria = MariaGtids("0-1-5,2-1-9")
    maria.add("0-2-6")
    assert str(maria) == "0-2-6,2-1-9"


@pytest.mark.parametrize(
    ("statement", "verb", "tables"),
    [
        ("ALTER TABLE t ADD c INT", "ALTER", [("d", "t")]),
        ("alter /* x */ online table if exists `a``b`.`t-1` add c int", "ALTER", [("a`b", "t-1")]),
        ("ALTER TABLE t RENAME TO e.u", "ALTER", [("d", "t"), ("e", "u")]),
        ("/*!50001 CREATE */ TABLE IF NOT EXISTS t (a INT)", "CREATE", [("d", "t")]),
        ("CREATE OR REPLACE TABLE t LIKE u", "CREATE", [("d", "t")]),
        ("CREATE TEMPORARY TABLE t (a INT)", "", []),
        ("CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW SET @a = 1", "", []),
        ("DROP TABLE IF EXISTS `t`, e.u /* generated by server */", "DROP", [("d", "t"), ("e", "u")]),
        ("DROP TEMPORARY TABLE t", "", []),
        ("RENAME TABLE t TO u, e.v TO e.w", "RENAME", [("d", "t"), ("d", "u"), ("e", "v"), ("e", "w")]),
        ("TRUNCATE t", "TRUNCATE", [("d", "t")]),
        ("-- what\nTRUNCATE TABLE e.t", "TRUNCATE", [("e", "t")]),
        ("GRANT ALL ON *.* TO x", "", []),
        ("", "", []),
        ("'unfinished", "", []),
    ],
)
def test_what_a_statement_is_about(statement: str, verb: str, tables: list[tuple[str, str]]) -> None:
    found = ddl.parse(statement, "d")
    assert (found.verb, list(found.tables)) == (verb, tables)


@pytest.mark.parametrize(
    ("statement", "database"),
    [
        ("DROP DATABASE d", "d"),
        ("drop schema /* all */ if exists `d-1`", "d-1"),
        ("CREATE OR REPLACE DATABASE d CHARACTER SET latin1", "d"),
        ("CREATE DATABASE IF NOT EXISTS d", ""),
        ("CREATE DATABASE d", ""),
        ("DROP TABLE `database`", ""),
        ("DROP DATABASE", ""),
    ],
)
def test_a_database_that_is_dropped_takes_its_tables_along(statement: str, database: str) -> None:
    found = ddl.parse(statement, "x")
    assert found.emptied == database
    known = [("d", "t"), ("d", "u"), ("d-1", "t"), ("x", "t")]
    gone = found.of_database(known)
    assert not database or (gone.verb, list(gone.tables)) == ("DROP", [name for name in known if name[0] == database])


def test_the_columns_that_a_statement_adds() -> None:
    statement = (
        "ALTER TABLE t ADD (a DECIMAL(5,2) DEFAULT '),x', `b c` INT, INDEX (a)), ADD COLUMN d INT, ADD UNIQUE (d)"
    )
    assert ddl.added(ddl.parse(statement, "d")) == {"A", "B C", "D"}


@pytest.mark.parametrize(
    ("statement", "renames"),
    [
        ("ALTER TABLE t RENAME COLUMN a TO b", True),
        ("ALTER TABLE t ADD c INT, CHANGE COLUMN IF EXISTS a `B` INT", True),
        ("ALTER TABLE t CHANGE a A BIGINT", False),
        ("ALTER TABLE t CHANGE a a BIGINT, MODIFY b INT, RENAME INDEX x TO y", False),
        ("ALTER TABLE t RENAME TO u", False),
        ("RENAME TABLE t TO u", False),
        ("ALTER TABLE t CHANGE", False),
    ],
)
def test_a_statement_that_gives_a_column_another_name(statement: str, renames: bool) -> None:
    assert ddl.renames_columns(ddl.parse(statement, "d")) == renames


@given(st.text(max_size=80))
def test_any_text_is_parsed(text: str) -> None:
    assert ddl.parse(text, "d").verb in ("", "ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "DML")
    assert ddl.parse("ALTER TABLE " + text, "d").verb == "ALTER" or ddl.parse("ALTER TABLE " + text, "d").verb == ""


def test_a_shape_needs_its_own_table() -> None:
    native = Native("a", "int", "int(11)")
    shape = Shape("d", "t", Table("t"), (native,))
    body = struct.pack("<IHH", 7, 0, 1) + b"\x01d\0\x01t\0" + b"\x02\x03\x03" + b"\x00" + b"\x00"
    with pytest.raises(TaskError, match="before the table was altered"):
        plan(tablemap.parse(body), shape, False, False)
