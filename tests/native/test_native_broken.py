"""What no server sends is refused by name, and takes neither memory nor time; so is what Python hands over wrongly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from images import COLUMNS, named
from tables import announced, rows_body
from wires import END, MOST, Feed, event, framed, logged, packed_row, received

from disync.connectors.mysql.binlog import events
from disync.connectors.mysql.binlog.events import Kind
from disync.native import rows
from disync.native.changelog import LogRows, LogTable
from disync.native.columns import Columns, Unserved
from disync.native.fold import Fold
from disync.native.packets import Broken, Packets
from disync.native.results import ResultRows


@pytest.mark.timeout(300)
def test_thousands_of_broken_streams() -> None:
    """In a process of their own, whose memory is bounded: see broken.py."""
    script = Path(__file__).parent / "broken.py"
    done = subprocess.run([sys.executable, script, "--cases", "5000"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("5000 cases")


# Packets.


@pytest.mark.parametrize("step", [1, 2, 5, 1 << 20])
def test_packets_come_in_any_pieces(step: int) -> None:
    payloads = [b"", b"a", b"bc" * 1000, b"", bytes(300)]
    packets, feed, found = Packets(), Feed(framed(payloads), step), []
    while packets.receive(feed):
        while (payload := packets.packet()) is not None:
            found.append(payload)
    assert found == payloads


@pytest.mark.parametrize("size", [MOST - 1, MOST, MOST + 1, 2 * MOST, 2 * MOST + 5])
def test_a_long_payload_is_joined(size: int) -> None:
    payload = Random(size).randbytes(1000) * (size // 1000 + 1)
    packets = received(framed([b"before", payload[:size], b"after"]))
    assert [packets.packet() for _ in range(4)] == [b"before", payload[:size], b"after", None]


def test_a_lost_packet_is_noticed() -> None:
    whole = framed([b"one", b"two", b"three"])
    packets = received(whole[:7] + whole[14:])
    assert packets.packet() == b"one"
    for _ in range(2):
        with pytest.raises(Broken, match="lost"):
            packets.packet()
    packets = received(framed([b"one"]) + framed([b"bye"], 0))
    assert [packets.packet(), packets.packet()] == [b"one", b"bye"], "a server begins anew for its last words"


def test_a_payload_without_end_is_refused_before_it_has_come() -> None:
    packets, feed = Packets(1, 20_000_000), Feed(framed([bytes(40_000_000)]))
    with pytest.raises(Broken, match="20000000 bytes"):
        while packets.receive(feed):
            assert packets.packet() is None
    packets = received(framed([bytes(20_000_000)]))
    assert len(packets.packet() or b"") == 20_000_000


def test_what_receives_may_lie() -> None:
    packets = Packets()
    for count in (-1, 1 << 40):
        with pytest.raises(Broken, match="room"):
            packets.receive(lambda view, count=count: count)
    with pytest.raises(Broken, match="already"):
        packets.receive(lambda view: packets.receive(Feed(b"abc")))
    kept: list[memoryview] = []
    packets.receive(lambda view: len(kept) or kept.append(view) or 0)
    with pytest.raises(ValueError, match="released"):
        kept[0][0] = 1
    assert received(framed([b"fine"])).packet() == b"fine"


# Results.


WIDTHS = {"int2": 2, "int4": 4, "int8": 8, "unsigned": 8, "float4": 4, "float8": 8, "year": 2}


def cells(op: str, *values: bytes, **more: Any) -> ResultRows:
    widths = bytes([WIDTHS.get(op, 0)])
    packets = received(framed([*(packed_row([value], widths) for value in values), END]))
    return ResultRows(packets, Columns([{"name": "c", "op": op, **more}]), widths, [0])


@pytest.mark.parametrize(
    ("op", "cell"),
    [
        *((op, bytes(size)) for op, width in WIDTHS.items() for size in (0, 1, width - 1, width + 1)),
        *(("decimal", cell) for cell in (b"", b"-", b"1.2.3", b"1e5", b"1" * 400)),
        *(("date", bytes(size)) for size in (1, 3, 5, 8, 12, 300)),
        *(("datetime", b"\xe8\x07\1\1" + clock) for clock in (b"\x18\0\0", b"\0\x3c\0", b"\0\0\x3c")),
        ("timestamp", b"\xe8\x07\1\1\0\0\0\x40\x42\x0f\0"),
        *(("bits", cell) for cell in (b"", bytes(9))),
    ],
)
def test_a_cell_that_is_none_is_refused(op: str, cell: bytes) -> None:
    found = cells(op, cell)
    with pytest.raises(Broken):
        found.advance(10, 1 << 20)
    for use in (lambda: found.advance(10, 1 << 20), found.take):
        with pytest.raises(Broken, match="before"):
            use()


@pytest.mark.parametrize(
    ("width", "op"),
    [
        *((width, op) for op in WIDTHS for width in (0, 9)),
        (4, "int2"),
        (8, "int4"),
        (4, "float8"),
        (1, "bytes"),
        (8, "date"),
    ],
)
def test_a_column_that_lies_otherwise_is_refused(width: int, op: str) -> None:
    with pytest.raises(Unserved, match="columns"):
        ResultRows(Packets(), Columns([{"name": "c", "op": op}]), bytes([width]), [0])


def test_the_widest_numbers_that_servers_write() -> None:
    for op, more, cell, field in (
        ("int2", {}, b"\0\x80", b"\x80\0"),
        ("int8", {}, bytes(7) + b"\x80", b"\x80" + bytes(7)),
        ("int4", {"signed": False}, b"\xff\xff\0\0", b"\0\0\xff\xff"),
        ("unsigned", {}, b"\xff" * 8, b"\0\5\0\4\0\0\0\0\x07\x34\x1a\x58\x02\xe1\x03\xbb\x06\x4f"),
        ("decimal", {}, b"0" * 251 + b"4200", b"\0\1\0\0\0\0\0\0\x10\x68"),
    ):
        found = cells(op, cell, **more)
        assert found.advance(10, 1 << 20)
        (line,) = rows.fields(found.take())
        assert line == (field,), op


@pytest.mark.parametrize("width", [0, 1 << 16])
def test_a_result_of_so_many_columns_is_refused(width: int) -> None:
    with pytest.raises(Unserved, match="columns"):
        ResultRows(Packets(), Columns([{"name": "c", "op": "int2"}]), b"\2" * width, [])


@pytest.mark.parametrize(
    "length", [b"\xfc\xff\xff", b"\xfd\xff\xff\xff", b"\xfe" + b"\xff" * 8, b"\xfe\0\0\0\0\1\0\0\0"]
)
def test_a_claimed_length_is_believed_when_its_bytes_are_there(length: bytes) -> None:
    packets = received(framed([b"\0\0" + length + bytes(9)]))
    found = ResultRows(packets, Columns([{"name": "c", "op": "bytes"}]), b"\0", [])
    with pytest.raises(Broken, match="breaks off"):
        found.advance(10, 1 << 20)


def test_refused_rows_are_bounded_as_others_are() -> None:
    decode: Callable[[bytes], str] = lambda data: data.decode("ascii")  # noqa: E731
    found = cells("text", *[b"\xff" * 100] * 1000, extra=decode)
    assert found.advance(10, 1 << 30) and (found.count, len(found.refused), found.ending) == (0, 10, None)
    found.refused.clear()
    assert found.take() == b""
    assert found.advance(1 << 30, 2000) and len(found.refused) < 30
    found.refused.clear()
    found.take()
    assert found.advance(1 << 30, 1 << 30) and found.ending == END and found.advance(1, 1)


# The log.


def log_of(lie: dict[str, Any], *images: bytes, kind: int = Kind.WRITE_ROWS_1, most: int = 1 << 30) -> LogRows:
    """A table of one column, and an event with rows of it."""
    body = announced([COLUMNS[0]], 1)
    row_event = event(
        kind, body[:6] + b"\1\0" + b"\1" + b"\1" * (2 if kind == Kind.UPDATE_ROWS_1 else 1) + b"".join(images)
    )
    held = LogRows(received(logged([event(Kind.TABLE_MAP, body), row_event])), events.inflate, most, 1 << 30)
    held.checksums = True
    held.announce(body, LogTable(Columns([{"name": "c", **lie}]), "t"))
    return held


BROKEN_FIELDS = [
    *(({"op": "time", "digits": digits}, b"\x80\0\0" + b"\xff" * ((digits + 1) // 2)) for digits in range(1, 7)),
    *(
        ({"op": "datetime", "digits": digits}, b"\x99\0\0\0\0" + b"\xff" * ((digits + 1) // 2))
        for digits in range(1, 7)
    ),
    *(({"op": "timestamp", "digits": digits}, bytes(4) + b"\xff" * ((digits + 1) // 2)) for digits in range(1, 7)),
    ({"op": "datetime", "digits": 0}, bytes(5)),
    ({"op": "bytes", "size": 4}, b"\xff\xff\xff\x7f" + bytes(9)),
    ({"op": "text", "size": 4, "extra": bytes.decode}, b"\xff\xff\xff\xff" + bytes(9)),
    ({"op": "decimal", "digits": 9, "scale": 0}, b"\xff\xff\xff\xff"),
]


@pytest.mark.parametrize(("lie", "value"), BROKEN_FIELDS, ids=lambda one: str(one)[:30])
@pytest.mark.parametrize("zero", ["null", "text"])
def test_a_field_that_is_none_is_refused(lie: dict[str, Any], value: bytes, zero: str) -> None:
    held = log_of({**lie, "zero": zero}, b"\0" + value)
    with pytest.raises(Broken):
        held.next()
    for use in (held.next, lambda: held.take(False), lambda: held.read(event(Kind.XID, bytes(8)))):
        with pytest.raises(Broken, match="before"):
            use()


@pytest.mark.parametrize(("op", "value"), [("date", b"\xff\xff\xff"), ("old datetime", b"\xff" * 8)])
@pytest.mark.parametrize("zero", ["null", "text"])
def test_years_that_are_too_large_do_no_harm(op: str, value: bytes, zero: str) -> None:
    held = log_of({"op": op, "zero": zero}, b"\0" + value)
    assert held.next() is None
    ((_, data, _),) = held.take(False)
    ((field,),) = rows.fields(data)
    assert field is None if zero == "null" else field is not None and field.split(b"-")[0] in (b"32767", b"1844674407")


def test_rows_without_bytes_come_to_an_end() -> None:
    body = announced([COLUMNS[0]], 1)
    empty = event(Kind.WRITE_ROWS_1, body[:6] + b"\1\0" + b"\1" + b"\0" + b"x")
    held = LogRows(received(logged([event(Kind.TABLE_MAP, body), empty])), events.inflate, 1 << 30, 1 << 30)
    held.checksums = True
    held.announce(body, LogTable(Columns([{"name": "c", "op": "int2", "size": 1, "virtual": True}]), "t"))
    with pytest.raises(Broken, match="no bytes"):
        held.next()


def test_refused_rows_of_the_log_are_bounded_as_others_are() -> None:
    lie = {"op": "text", "size": 1, "extra": lambda data: data.decode("ascii")}
    held = log_of(lie, *[b"\0\1\xff"] * 100, most=50)
    assert held.next() is None
    assert held.enough and len(held.refused) == 100 and held.count == 0
    assert held.take(False) == []
    held.refused.clear()
    assert not held.enough and held.next() is None


def test_what_a_decoder_of_python_raises_is_told_as_broken() -> None:
    for raised in (IndexError("too short"), ValueError("odd")):

        def fails(data: bytes, raised: Exception = raised) -> str:
            raise raised

        with pytest.raises(Broken, match=str(raised)):
            log_of({"op": "text", "size": 1, "extra": fails}, b"\0\1x").next()


def test_a_change_of_a_refused_row_is_told_by_what_is_left() -> None:
    lie = {"op": "text", "size": 1, "extra": lambda data: data.decode("ascii")}
    good, bad = b"\0\1a", b"\0\1\xff"
    for images, ops, refused in (((good, good), b"BU", 0), ((bad, good), b"U", 0), ((good, bad), b"", 1)):
        held = log_of(lie, *images, kind=Kind.UPDATE_ROWS_1)
        assert held.next() is None
        assert b"".join(ops_ for *_, ops_ in held.take(False)) == ops and len(held.refused) == refused


@pytest.mark.parametrize("kind", [Kind.HEARTBEAT, Kind.HEARTBEAT_2])
def test_a_heartbeat_takes_no_place_in_the_file(kind: int) -> None:
    """It tells where the last event ended, without the flag of what a server makes for a connection."""
    begin = event(Kind.GTID, bytes(25), 966)
    beat = event(kind, b"mysql-bin.000001", 966 + len(begin) - 19 - 16 - 4)
    held = LogRows(received(logged([begin, beat, beat])), events.inflate, 1 << 30, 1 << 30)
    held.checksums, held.offset = True, 966
    assert [held.next() is not None for _ in range(3)] == [True] * 3
    assert held.offset == 966 + len(begin)


# What Python may hand over wrongly.


@pytest.mark.parametrize(
    "lie",
    [
        {"op": "int8"},
        {"op": "int2", "size": 4},
        {"op": "int4", "size": 8},
        {"op": "year", "size": 0},
        {"op": "float4", "size": 8},
        {"op": "decimal"},
        {"op": "bytes", "size": 8},
        {"op": "bits"},
    ],
)
def test_a_column_that_does_not_lie_in_a_log(lie: dict[str, Any]) -> None:
    with pytest.raises(Unserved, match="lies in a log"):
        LogTable(Columns([{"name": "c", **lie}]), None)


@pytest.mark.parametrize(
    "lie",
    [
        {"op": "int8", "size": 9},
        {"op": "int8", "size": -1},
        {"op": "decimal", "digits": 66},
        {"op": "decimal", "scale": -1},
        {"op": "time", "digits": 7},
        {"op": "old datetime", "digits": 60},
        {"op": "padded", "size": 1, "width": -1},
        {"op": "padded", "size": 1, "width": 1 << 30},
        {"op": "enum", "size": 1, "extra": ["text"]},
        {"op": "text", "size": 1},
    ],
)
def test_columns_that_no_server_has(lie: dict[str, Any]) -> None:
    with pytest.raises(Unserved):
        Columns([{"name": "c", **lie}])


def test_nothing_is_not_taken_for_something() -> None:
    none: Any = None
    columns = Columns([{"name": "c", "op": "int2", "size": 1}])
    for use in (
        lambda: LogTable(none, 1),
        lambda: LogRows(none, events.inflate, 1, 1),
        lambda: LogRows(Packets(), events.inflate, 1, 1).announce(none, None),
        lambda: LogRows(Packets(), events.inflate, 1, 1).read(none),
        lambda: ResultRows(none, columns, b"\0", []),
        lambda: ResultRows(Packets(), none, b"\0", []),
        lambda: Fold(1, [0], ["plain"], False).take(none),
        lambda: rows.count(none),
    ):
        with pytest.raises(TypeError):
            use()
    squeezed = rows_body(named([COLUMNS[0]]), 1, Kind.MARIA_WRITE_COMPRESSED_1, Random(1), 2)
    held = LogRows(received(logged([event(Kind.MARIA_WRITE_COMPRESSED_1, squeezed)])), lambda data: none, 1, 1)
    held.checksums = True
    held.announce(announced([COLUMNS[0]], 1), LogTable(columns, None))
    with pytest.raises(TypeError):
        held.next()


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\1", b"\0\1\0\0\0", b"\0\1\0\0\0\2a", b"\0\1\x80\0\0\0", b"\0\1" + b"\xff" * 4 + b"\0"]
)
def test_rows_that_are_none(data: bytes) -> None:
    uses: list[Callable[[], object]] = [
        lambda: rows.count(data),
        lambda: rows.cut(data, 9),
        lambda: rows.fields(data),
        lambda: rows.project(data, [0]),
    ]
    for use in uses:
        with pytest.raises(Broken):
            use()
