"""Following the log of a real server: order, positions, schema changes, and all that a server can do to a reader."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace

import pytest
from source import Database, Log, changes_in

import mysqld
from disync.connectors.mysql import changes, position, stream
from disync.connectors.mysql.binlog.errors import NotServed
from disync.model.data import Batch, Event, Idle, Position, SchemaChange
from disync.model.errors import PositionGone, Unreachable
from disync.model.run import Start

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


def _positions(events: list[Event]) -> list[Position]:
    return [event.position for event in events]


def _kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events if isinstance(event, SchemaChange)]


def test_changes_come_in_order_with_their_images(database: Database) -> None:
    database.run(TABLE, "CREATE TABLE other (id INT PRIMARY KEY)")
    reader = database.reader("t")
    assert reader.check() == [] and reader.loads
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, 'a'), (2, NULL)", "UPDATE t SET id = id + 10 ORDER BY id DESC")
    database.run("INSERT INTO other VALUES (1)", "DELETE FROM t WHERE id = 11", "REPLACE INTO t VALUES (12, 'z')")
    assert changes_in(log.rows(9)) == [
        *[("I", (1, "a")), ("I", (2, None)), ("B", (2, None)), ("U", (12, None)), ("B", (1, "a")), ("U", (11, "a"))],
        *[("D", (11, "a")), ("B", (12, None)), ("U", (12, "z"))],
    ]
    reader.close()


def test_reading_goes_on_after_every_position(database: Database) -> None:
    database.run(TABLE, "CREATE TABLE u (id INT PRIMARY KEY)")
    reader = database.reader(batchSize=7)
    log = Log(database, reader)
    for first in range(0, 60, 3):
        rows = ",".join(f"({first + i}, 'x')" for i in range(3))
        database.run("BEGIN", f"INSERT INTO t VALUES {rows}", f"INSERT INTO u VALUES ({first})", "COMMIT")
    events = [event for event in log.rows(80) if isinstance(event, Batch)]
    everything = changes_in(events)
    known = {log.first}
    for number, event in enumerate(events[:-1]):
        if event.position in known:
            continue  # a batch with the position of an earlier one is not the last of its transaction
        known.add(event.position)
        done = sum(before.count for before in events[: number + 1])
        other = Log(database, database.reader(batchSize=7), event.position)
        assert sorted(changes_in(other.rows(80 - done))) == sorted(everything[done:])
        other.reader.close()
    assert len(everything) == 80 and len(known) > 5
    reader.close()


def test_c21_a_position_changes_only_at_the_end_of_a_transaction(database: Database) -> None:
    """C21 and C52: a transaction larger than a batch comes in pieces, all with the position before it."""
    database.run(TABLE)
    reader = database.reader(batchSize=100)
    log = Log(database, reader)
    database.run("INSERT INTO t SELECT seq, 'x' FROM seq_1_to_5000", "INSERT INTO t VALUES (0, 'after')")
    events = [event for event in log.rows(5001) if isinstance(event, Batch)]
    inside = [event for event in events if event.position == log.first]
    assert sum(event.count for event in inside) in range(4900, 5001)
    assert max(event.count for event in events) <= 1200
    assert events[-1].position != log.first
    again = Log(database, database.reader(batchSize=100), inside[-1].position)
    assert len(changes_in(again.rows(5001))) == 5001
    again.reader.close()
    reader.close()


def test_c21_every_place_that_is_told_has_whole_transactions_before_it(database: Database) -> None:
    """Of any size, and so many rows to a batch that the pieces of one may come out even."""
    database.run(TABLE)
    reader = database.reader(batchSize=7)
    log = Log(database, reader)
    ends = {0}
    for size in (*range(1, 40), 700, 1400, 2100, 500, 501):
        first = max(ends)
        database.run(f"INSERT INTO t SELECT seq, 'x' FROM seq_{first + 1}_to_{first + size}")
        ends.add(first + size)
    told, seen = log.first, 0
    for event in log.rows(max(ends)):
        seen += event.count if isinstance(event, Batch) else 0
        assert event.position == told or seen in ends
        told = event.position
    reader.close()


def test_a_heartbeat_does_not_move_the_position(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has nothing to say says where it is: that is no event of the log, and takes no room in it."""
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 1)
    database.run(TABLE)
    reader = database.reader("t")
    log = Log(database, reader)
    quiet = time.monotonic() + 2.5  # two heartbeats
    log.until(lambda event, _: isinstance(event, Idle) and time.monotonic() > quiet)
    database.run("INSERT INTO t VALUES (1, 'a')")
    (event,) = [event for event in log.rows(1) if isinstance(event, Batch)]
    ((_, at, *_),) = database.run("SHOW MASTER STATUS")
    assert position.read(event.position).at == at
    reader.close()


def test_c26_positions_advance_while_other_tables_are_busy(database: Database) -> None:
    database.run(TABLE, "CREATE TABLE busy (id INT PRIMARY KEY)")
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO busy SELECT seq FROM seq_1_to_100")
    events = log.until(lambda event, _: isinstance(event, Idle) and event.position != log.first)
    assert not changes_in(events)
    reader.close()


def test_a_rotation_is_followed(database: Database) -> None:
    database.run(TABLE)
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    events = log.rows(2)
    assert [row[0] for _, row in changes_in(events)] == [1, 2]
    first, last = position.read(log.first), position.read(events[-1].position)
    assert last.file > first.file and last.log != ""
    again = Log(database, database.reader("t"), events[-1].position)
    database.run("INSERT INTO t VALUES (3, 'c')")
    assert [row[0] for _, row in changes_in(again.rows(1))] == [3]
    again.reader.close()
    reader.close()


def test_c77_c83_each_schema_change_is_told_and_rows_keep_their_shape(database: Database) -> None:
    """C77, C83: rows before a change have the old columns, rows after it the new ones."""
    database.run(TABLE)
    reader = database.reader()
    log = Log(database, reader)
    found: list[Event] = []
    for statement, kinds in [
        ("ALTER TABLE t ADD COLUMN n INT DEFAULT 7 FIRST", ["ADDCOLUMN"]),
        ("ALTER TABLE t MODIFY v VARCHAR(30)", ["MODIFYCOLUMN"]),
        ("/* why */ ALTER TABLE `t` CHANGE COLUMN `v` `w` VARCHAR(30)", ["RENAMECOLUMN"]),
        ("ALTER TABLE t DROP COLUMN n, ADD COLUMN m INT, ADD INDEX (m)", ["DROPCOLUMN", "ADDCOLUMN"]),
        ("TRUNCATE TABLE t", ["TRUNCATETABLE"]),
        ("CREATE TABLE made (id INT PRIMARY KEY)", ["CREATETABLE"]),
        *([] if mysqld.MYSQL else [("CREATE OR REPLACE TABLE made (id BIGINT)", ["DROPTABLE", "CREATETABLE"])]),
        ("RENAME TABLE made TO named", ["RENAMETABLE"]),
        ("DROP TABLE named", ["DROPTABLE"]),
    ]:
        database.run(statement)
        events = log.schema_changes(len(kinds))
        assert _kinds(events) == kinds
        found += [event for event in events if isinstance(event, SchemaChange)]
    assert [c.name for c in found[0].after.columns] == ["n", "id", "v"]  # type: ignore[union-attr]
    assert len({event.position for event in found}) == len(found) - (1 if mysqld.MYSQL else 2), (
        "the first of two stands before both"
    )
    reader.close()


def test_c83_rows_and_a_change_between_them(database: Database) -> None:
    database.run(TABLE)
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, 'a')", "ALTER TABLE t ADD COLUMN n INT", "INSERT INTO t VALUES (2, 'b', 3)")
    events = [event for event in log.rows(2) if not isinstance(event, Idle)]
    assert [type(event) for event in events] == [Batch, SchemaChange, Batch]
    assert changes_in(events) == [("I", (1, "a")), ("I", (2, "b", 3))]
    reader.close()


def test_c15_columns_added_while_nobody_read(database: Database) -> None:
    """C15 for the log: what is described now must not be believed of rows that are older."""
    database.run(TABLE)
    reader = database.reader("t")
    first = reader.seek(reader.streams()[0], Start("latest"))
    database.run("INSERT INTO t VALUES (1, 'a')", "ALTER TABLE t ADD n INT", "INSERT INTO t VALUES (2, 'b', 3)")
    events = [event for event in Log(database, reader, first).rows(2) if not isinstance(event, Idle)]
    assert changes_in(events) == [("I", (1, "a")), ("I", (2, "b", 3))]
    assert _kinds(events) == ["ADDCOLUMN"]
    reader.close()


def test_c79_tables_renamed_and_dropped_while_nobody_read(database: Database) -> None:
    """The target may have them still, under the names that they had."""
    database.run(TABLE, "CREATE TABLE u (id INT PRIMARY KEY)", "CREATE TABLE w (id INT PRIMARY KEY)")
    reader = database.reader()
    first = reader.seek(reader.streams()[0], Start("latest"))
    database.run("RENAME TABLE t TO s", "DROP TABLE u", "ALTER TABLE w RENAME TO x")
    events = [e for e in Log(database, reader, first).schema_changes(3) if isinstance(e, SchemaChange)]
    told = [(event.kind, event.before.name, event.after.name) for event in events]
    assert told == [("RENAMETABLE", "t", "s"), ("DROPTABLE", "u", "u"), ("RENAMETABLE", "w", "x")]
    reader.close()


def test_columns_swapped_while_nobody_read_are_refused(database: Database) -> None:
    """The same number and types of columns, in another order: nothing in the log tells, so nothing is guessed."""
    database.run("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)")
    reader = database.reader("t")
    first = reader.seek(reader.streams()[0], Start("latest"))
    database.run("INSERT INTO t VALUES (1, 2, 3)", "ALTER TABLE t MODIFY a INT AFTER b")
    with pytest.raises(NotServed, match=r"before the table was altered.*binlog_row_metadata = FULL"):
        Log(database, reader, first).rows(1)
    reader.close()


def test_with_full_metadata_columns_are_found_by_name(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT)", "SET GLOBAL binlog_row_metadata = 'FULL'")
    try:
        reader = database.reader("t")
        first = reader.seek(reader.streams()[0], Start("latest"))
        database.run("INSERT INTO t VALUES (1, 2, 3)", "ALTER TABLE t MODIFY a INT AFTER b")
        (event,) = [event for event in Log(database, reader, first).rows(1) if isinstance(event, Batch)]
        assert [column.name for column in event.table.columns] == ["id", "a", "b"]
        assert changes_in([event]) == [("I", (1, 2, 3))]
        reader.close()
    finally:
        database.run("SET GLOBAL binlog_row_metadata = 'NO_LOG'")


@pytest.mark.parametrize(
    ("variable", "value", "statement"),
    [
        ("binlog_format", "STATEMENT", "UPDATE t SET v = 'b'"),
        ("binlog_row_image", "MINIMAL", "UPDATE t SET v = 'b'"),
    ],
)
def test_c48_a_session_that_writes_otherwise_stops_the_task(
    database: Database, variable: str, value: str, statement: str
) -> None:
    database.run(TABLE, "INSERT INTO t VALUES (1, 'a')")
    reader = database.reader("t")
    log = Log(database, reader)
    database.run(statement, **{variable: value})
    with pytest.raises(NotServed, match=variable):
        log.rows(2)
    reader.close()


def test_c50_rows_of_a_table_without_transactions(database: Database) -> None:
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20)) ENGINE=MyISAM")
    reader = database.reader("t")
    assert any("not transactional" in warning for warning in reader.check())
    log = Log(database, reader)
    database.run("BEGIN", "INSERT INTO t VALUES (1, 'a'), (2, 'b')", "ROLLBACK", "INSERT INTO t VALUES (3, 'c')")
    assert [row[0] for _, row in changes_in(log.rows(3))] == [1, 2, 3]
    reader.close()


def test_c40_a_purged_log_is_a_named_error(own_server: Database) -> None:
    database = own_server
    database.run(TABLE)
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    file = database.run("SHOW MASTER STATUS")[0][0]
    reader.close()
    clock = threading.Event()
    while database.run(f"PURGE BINARY LOGS TO '{file}'", "SHOW BINARY LOGS")[0][0] != file:
        clock.wait(0.05)  # the server does not purge what it believes is still being read
    with pytest.raises(PositionGone, match=r"(?i)could not find first log file name.*load the tables again"):
        Log(database, database.reader("t"), log.first).rows(1)


def test_c41_numbering_that_began_anew_is_seen(own_server: Database) -> None:
    database = own_server
    database.run(TABLE)
    first = database.reader("t").seek(database.reader("t").streams()[0], Start("latest"))
    clock = threading.Event()
    clock.wait(1.1)  # a log is known by the second in which it was begun
    database.run("RESET MASTER", "INSERT INTO t VALUES (1, 'a')", "INSERT INTO t SELECT seq, 'x' FROM seq_2_to_99")
    with pytest.raises(PositionGone, match=r"begun anew|impossible position"):
        Log(database, database.reader("t"), first).rows(1)
    here = position.read(first)
    other = position.write(replace(here, server="id-2"))
    with pytest.raises(PositionGone, match=f"server id-2, and this is server {here.server}"):
        Log(database, database.reader("t"), other).rows(1)


def test_c41_numbering_that_begins_anew_while_it_is_followed_is_seen(
    own_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is silent then, as if nothing happened in it."""
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.0)
    database = own_server
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    database.run("INSERT INTO t VALUES (1, 'a')", "FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    log.rows(2)
    log.until(lambda event, taken: isinstance(event, Idle) and len(taken) > 3)
    database.run("RESET MASTER", "INSERT INTO t VALUES (3, 'c')")
    with pytest.raises(Unreachable, match="begun anew"):
        log.rows(1)


def test_a_server_that_is_killed_and_comes_back(own_server: Database) -> None:
    database = own_server
    database.run(TABLE, "SET GLOBAL sync_binlog = 1")
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, 'a')")
    last = log.rows(1)[-1].position
    database.server.stop(signal.SIGKILL)
    with pytest.raises(Unreachable):
        log.rows(1)
    with pytest.raises(Unreachable):
        Log(database, database.reader("t"), last).rows(1)
    database.server.start()
    database.run("INSERT INTO t VALUES (2, 'b')")
    assert [row[0] for _, row in changes_in(Log(database, database.reader("t"), last).rows(1))] == [2]


def test_c45_a_server_that_falls_silent_is_noticed(own_server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 1)
    database = own_server
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    began = time.monotonic()
    log.until(lambda event, _: time.monotonic() - began > 2.5)  # heartbeats alone keep a quiet connection alive
    process = database.server.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(Unreachable, match="heartbeat"):
            log.until(lambda event, _: time.monotonic() - began > 20)
    finally:
        process.send_signal(signal.SIGCONT)


def test_close_ends_a_reader_that_waits(database: Database) -> None:
    database.run(TABLE)
    reader = database.reader("t")
    events = reader.changes(reader.streams()[0], reader.seek(reader.streams()[0], Start()))
    assert isinstance(next(events), Idle)
    thread = threading.Thread(target=lambda: list(events))
    thread.start()
    reader.close()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"log_bin_compress": "ON", "log_bin_compress_min_len": "10"}, marks=pytest.mark.mariadb),
        pytest.param({"binlog_transaction_compression": "ON"}, marks=pytest.mark.mysql),
        {"binlog_checksum": "NONE"},
    ],
)
def test_c47_compressed_events_and_logs_without_checksums(options: dict[str, str]) -> None:
    with mysqld.server(**options) as server:
        server.run("CREATE DATABASE d")
        database = Database(server, "d")
        database.run(TABLE)
        log = Log(database, database.reader("t"))
        database.run(
            "INSERT INTO t SELECT seq, REPEAT('x', 20) FROM seq_1_to_1000", "UPDATE t SET v = 'y' WHERE id < 500"
        )
        changes = changes_in(log.rows(1998))
        assert changes[999] == ("I", (1000, "x" * 20)) and changes[-1] == ("U", (499, "y"))
        log.reader.close()


def test_sequences_temporary_tables_and_copies_of_tables(database: Database) -> None:
    """What is written to the log like a table and is none; a table that comes with its rows in one transaction."""
    database.run(TABLE, *([] if mysqld.MYSQL else ["CREATE SEQUENCE s"]))
    reader = database.reader()
    log = Log(database, reader)
    next_value = "SELECT 1" if mysqld.MYSQL else "SELECT NEXTVAL(s)"
    database.run(next_value, "CREATE TEMPORARY TABLE gone (id INT)", "INSERT INTO gone VALUES (1)", next_value)
    database.run("INSERT INTO t VALUES (1, 'a')", "CREATE TABLE copy (PRIMARY KEY (id)) AS SELECT * FROM t")
    events = log.rows(2)
    assert changes_in(events) == [("I", (1, "a")), ("I", (1, "a"))]
    assert _kinds(events) == ["CREATETABLE"]
    assert [event.table.name for event in events if isinstance(event, Batch)] == ["t", "copy"]
    reader.close()


def test_c53_a_row_larger_than_a_packet(own_server: Database) -> None:
    database = own_server
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT)", "SET GLOBAL max_allowed_packet = 67108864")
    reader = database.reader("t")
    log = Log(database, reader)
    database.run("INSERT INTO t VALUES (1, REPEAT('x', 20000000)), (2, REPEAT('y', 16777210)), (3, 'z')")
    assert [len(row[1]) for _, row in changes_in(log.rows(3))] == [20_000_000, 16_777_210, 1]
    loaded = [row for event in reader.read(reader.split(1)[0], None) for row in [event]]
    assert sum(event.count for event in loaded if isinstance(event, Batch)) == 3
    reader.close()


def test_c30_two_readers_of_one_server_do_not_disturb_each_other(database: Database) -> None:
    database.run(TABLE)
    logs = [Log(database, database.reader("t")) for _ in range(3)]
    database.run("INSERT INTO t VALUES (1, 'a')")
    assert [changes_in(log.rows(1)) for log in logs] == [[("I", (1, "a"))]] * 3
    for log in logs:
        log.reader.close()
