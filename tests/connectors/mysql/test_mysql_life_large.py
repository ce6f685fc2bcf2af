"""C52, C53: transactions and rows that are larger than what may be held."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from source import Database, Log

import mysqld
from disync.model.data import Batch, rows_of

ROWS = 1_000_000

FOLLOW = """
import json, sys
from disync.connectors import find
from disync.model.connector import Site
from disync.model.data import Batch

def peak():  # of this program: what getrusage tells begins with the process that started it
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

content, after, wanted = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reader = find("mysql").reader(Site({"connection": [{"datasource": "here", "table": ["t"]}]}, {"here": content}))
(stream,) = reader.streams()
count, positions, before, largest = 0, set(), peak(), 0
for event in reader.changes(stream, after):
    if isinstance(event, Batch):
        count += event.count
        largest = max(largest, event.count)
        if count < wanted:
            positions.add(event.position)
    if count >= wanted:
        break
print(json.dumps([count, sorted(positions) == [after], largest, peak() - before]))
"""


@pytest.fixture
def own_server() -> Iterator[Database]:
    with mysqld.server(max_allowed_packet="256M", innodb_log_file_size="256M") as server:
        server.run("CREATE DATABASE own")
        yield Database(server, "own")


def test_c52_a_transaction_of_a_million_rows_is_followed_in_bounded_memory(own_server: Database) -> None:
    own_server.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(100))")
    log = Log(own_server, own_server.reader("t"))
    own_server.run(f"INSERT INTO t SELECT seq, REPEAT('x', 80) FROM seq_1_to_{ROWS}")
    content = json.dumps(own_server.server.content("own"))
    command = [sys.executable, "-c", FOLLOW, content, log.first, str(ROWS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=True)
    count, kept, largest, grown_kb = json.loads(done.stdout)
    assert count == ROWS
    assert kept, "inside of the transaction the position stays before it"
    assert largest < ROWS // 10
    assert grown_kb < 100 << 10, f"{grown_kb >> 10} MB for a transaction of about 90 MB"
    log.reader.close()


def test_c53_a_row_of_64_mb_comes_through_both_ways(own_server: Database) -> None:
    own_server.run("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)")
    reader = own_server.reader("t")
    log = Log(own_server, reader)
    own_server.run("INSERT INTO t VALUES (1, REPEAT('x', 64 << 20)), (2, 'y')")
    sizes = [(row[0], len(row[1])) for e in log.rows(2) if isinstance(e, Batch) for row in rows_of(e.rows)]  # type: ignore[arg-type]
    assert sizes == [(1, 64 << 20), (2, 1)]
    loaded = [event for event in reader.read(reader.split(1)[0], None) if isinstance(event, Batch)]
    assert [len(row[1]) for e in loaded for row in rows_of(e.rows)] == [64 << 20, 1]  # type: ignore[arg-type]
    reader.close()
