"""C47: MySQL's compressed transactions, made of a real MariaDB's events on their way to the task."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice

import pytest
import zstandard
from folding import NONE, ZSTD, Folding, Packing, event, number, payload
from hypothesis import given
from hypothesis import strategies as st
from source import Database, Log, changes_in

import tcp_proxy
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.binlog.payload import inner, unfolded
from disync.model.data import Batch


def _events(body: bytes) -> list[Event]:
    return [inner(data) for data in unfolded(body)]


TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200))"


def test_c47_compressed_transactions_are_followed(database: Database) -> None:
    made: list[Folding] = []

    def between() -> Folding:
        made.append(Folding())
        return made[-1]

    database.run(TABLE)
    with tcp_proxy.proxy(database.server.port, between) as proxy:
        log = Log(database, database.reader("t", port=proxy.port, batchSize=1000))
        database.run("INSERT INTO t SELECT seq, REPEAT('x', 100) FROM seq_1_to_5000")
        first = log.rows(5000)
        database.run("UPDATE t SET v = REPEAT('y', 100) WHERE id <= 100", "DELETE FROM t WHERE id > 4900")
        events = log.rows(300)
        log.reader.close()
        assert [row[0] for _, row in changes_in(first)] == list(range(1, 5001))
        assert changes_in(events)[:2] == [("B", (1, "x" * 100)), ("U", (1, "y" * 100))]
        assert changes_in(events)[-1] == ("D", (5000, "x" * 100))
        assert max(folding.folded for folding in made) == 3
        inside = [event for event in first if isinstance(event, Batch) and event.position == log.first]
        assert inside, "a transaction larger than a batch keeps the position before it"
        # Positions are those of the file: the next reader, and a log that nobody folds, go on behind them.
        database.run("INSERT INTO t SELECT seq, REPEAT('z', 100) FROM seq_6001_to_6100")
        for port in (proxy.port, database.server.port):
            again = Log(database, database.reader("t", port=port), events[-1].position)
            assert [row[0] for _, row in changes_in(again.rows(100))] == list(range(6001, 6101))
            again.reader.close()


def test_c47_payloads_that_are_not_compressed_are_followed(database: Database) -> None:
    database.run(TABLE)
    with tcp_proxy.proxy(database.server.port, Packing) as proxy:
        log = Log(database, database.reader("t", port=proxy.port))
        database.run("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "DELETE FROM t WHERE id = 1")
        assert changes_in(log.rows(3)) == [("I", (1, "a")), ("I", (2, "b")), ("D", (1, "a"))]
        log.reader.close()


@given(st.lists(st.binary(max_size=3000), max_size=20), st.sampled_from([ZSTD, NONE]))
def test_c47_all_events_come_out_as_they_went_in(bodies: list[bytes], compression: int) -> None:
    found = _events(payload(b"".join(event(Kind.TABLE_MAP, body, 77, time=5) for body in bodies), compression))
    assert [event.body for event in found] == bodies
    assert all((e.kind, e.time, e.end, e.artificial) == (Kind.TABLE_MAP, 5, 0, True) for e in found)


def test_c47_frames_one_behind_the_other() -> None:
    one, two = event(Kind.TABLE_MAP, b"a"), event(Kind.XID, b"b" * 8)
    packed = zstandard.ZstdCompressor().compress(one + two[:10]) + zstandard.ZstdCompressor().compress(two[10:])
    body = b"\x02\x01\x00" + b"\x01\x01" + number(len(packed)) + b"\x00" + packed
    assert [event.body for event in _events(body)] == [b"a", b"b" * 8]


GOOD = event(Kind.TABLE_MAP, b"abc") + event(Kind.XID, b"12345678")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (payload(GOOD)[:-1], "bytes instead of"),
        (payload(GOOD) + b"x", "bytes instead of"),
        (payload(GOOD, inflated=7), "instead of 7"),
        (payload(GOOD[:-1]), "middle of an event"),
        (payload(GOOD[:30]), "middle of an event"),
        (payload(GOOD, compression=NONE)[:-5], "bytes instead of"),
        (payload(event(Kind.TRANSACTION_PAYLOAD, b"")), "event of kind 40"),
        (payload(GOOD[:9] + b"\0\0\0\0" + GOOD[13:]), "and 0 bytes"),
        (payload(GOOD[:9] + b"\xff\xff\xff\xff" + GOOD[13:]), "and 4294967295 bytes"),
        (b"\0", "does not say"),
        (b"", "breaks off"),
        (b"\x02\x01\x00\x01\x01\x04\x00abcd", "cannot be read"),
    ],
)
def test_c47_a_garbled_payload_is_named(body: bytes, text: str) -> None:
    with pytest.raises(BrokenLog, match=text):
        _events(body)


def test_c47_an_unknown_compression_is_named() -> None:
    with pytest.raises(NotServed, match=r"unknown way \(7\)"):
        _events(b"\x02\x01\x07\x01\x01\x00\x00")


HUGE = """
import zstandard
from disync.connectors.mysql.binlog.events import HEADER
from disync.connectors.mysql.binlog.payload import unfolded
def peak():  # of this program: what getrusage tells begins with the process that started it
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

size, count = 4 << 20, 600
packer = zstandard.ZstdCompressor().compressobj()
parts = [packer.compress(HEADER.pack(1, 30, 1, 19 + size, 0, 0) + bytes(size)) for _ in range(count)] + [packer.flush()]
packed = b"".join(parts)
body = b"\\x02\\x01\\x00\\x01\\x09\\xfe" + len(packed).to_bytes(8, "little") + b"\\x00" + packed
del parts
before = peak()
read = sum(len(event) - 19 for event in unfolded(body))
print(read, peak() - before)
"""


def test_c47_a_payload_of_more_than_2_gb_never_lies_in_memory_whole() -> None:
    done = subprocess.run([sys.executable, "-c", HUGE], capture_output=True, text=True, timeout=120, check=True)
    read, grown_kb = map(int, done.stdout.split())
    assert read == 600 * (4 << 20) > 2 << 30
    assert grown_kb < 64 << 10


def test_c47_a_bomb_is_read_piece_by_piece() -> None:
    """64 KB of zstd may stand for gigabytes: only as much is unpacked as is asked for."""
    events = event(Kind.XID, b"12345678") + event(Kind.WRITE_ROWS_2, bytes(1 << 28))
    taken = list(islice(unfolded(payload(events)), 1))
    assert [inner(data).kind for data in taken] == [Kind.XID]
