"""What a source does while a task follows it: it falls silent, restarts, is busy elsewhere, tells of gaps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from folding import Replacing
from hypothesis import given
from hypothesis import strategies as st
from source import Database, Log, changes_in

import mysqld
import tcp_proxy
from disync.connectors.mysql import connection, dialect, position, stream
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import IGNORABLE, Kind
from disync.connectors.mysql.config import address_of
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.stream import LogStream
from disync.model.data import Batch, Event, Idle, Position
from disync.model.errors import BadConfig, PositionGone, TaskError, Unreachable
from disync.model.run import Start
from waiting import until

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


def test_c45_a_connection_on_which_nothing_comes_any_more_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hangs up, nobody answers, and TCP itself is well: a proxy or a firewall that has forgotten."""
    assert stream.SILENCE_SECONDS + stream.HEARTBEAT_SECONDS <= 30
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 1)
    database.run(TABLE)
    with tcp_proxy.proxy(database.server.port) as proxy:
        log = Log(database, database.reader("t", port=proxy.port))
        database.run("INSERT INTO t VALUES (1, 'a')")
        last = log.rows(1)[-1].position
        proxy.silence()
        began = time.monotonic()
        with pytest.raises(Unreachable, match="heartbeat"):
            log.rows(1)
        assert time.monotonic() - began < 10
        proxy.speak()
        database.run("INSERT INTO t VALUES (2, 'b')")
        again = Log(database, database.reader("t", port=proxy.port), last)
        assert [row[0] for _, row in changes_in(again.rows(1))] == [2]
        again.reader.close()


def test_c45_a_load_on_which_nothing_comes_any_more_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 2)
    # Far more than what lies in buffers on the way when the silence begins.
    database.run("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(2000))")
    database.run("INSERT INTO t SELECT seq, REPEAT('x', 2000) FROM seq_1_to_20000")
    with tcp_proxy.proxy(database.server.port) as proxy:
        reader = database.reader("t", port=proxy.port)
        (split,) = reader.split(1)
        rows = reader.read(split, None)
        assert isinstance(next(rows), Batch)
        proxy.silence()
        began = time.monotonic()
        with pytest.raises(Unreachable):
            list(rows)
        with pytest.raises(Unreachable):
            reader.tables()
        assert time.monotonic() - began < 20
        reader.close()


def test_c45_a_connection_that_is_cut_again_and_again_loses_nothing(database: Database) -> None:
    database.run(TABLE)
    with tcp_proxy.proxy(database.server.port) as proxy:
        after = Log(database, database.reader("t", port=proxy.port)).first
        seen: list[int] = []
        for number in range(1, 9):
            database.run(f"INSERT INTO t VALUES ({number}, 'x')")
            log = Log(database, database.reader("t", port=proxy.port), after)
            events = log.rows(1)
            seen += [row[0] for _, row in changes_in(events)]
            after = events[-1].position
            proxy.hang_up()
            with pytest.raises(Unreachable):
                log.rows(1)
        assert seen == list(range(1, 9))


def test_c51_a_source_that_is_down_for_a_while_is_gone_on_with(own_server: Database) -> None:
    """Each try tells that it may be tried again; the back-off between tries is the supervisor's."""
    own_server.run(TABLE, "SET GLOBAL sync_binlog = 1", "INSERT INTO t VALUES (1, 'a')")
    reader = own_server.reader("t")
    after = reader.seek(reader.streams()[0], Start("latest"))
    reader.close()
    own_server.server.stop()
    for _ in range(3):
        with pytest.raises(Unreachable) as error:
            Log(own_server, own_server.reader("t"), after).rows(1)
        assert error.value.retry
    own_server.server.start()
    own_server.run("FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'b')")
    log = Log(own_server, own_server.reader("t"), after)
    assert [row[0] for _, row in changes_in(log.rows(1))] == [2]
    log.reader.close()


def test_c26_an_idle_table_on_a_busy_server_survives_the_purge(own_server: Database) -> None:
    own_server.run(TABLE, "CREATE TABLE busy (id INT PRIMARY KEY)")
    log = Log(own_server, own_server.reader("t"))
    for number in range(3):
        own_server.run(f"INSERT INTO busy VALUES ({number})", "FLUSH BINARY LOGS")
    file = own_server.run("SHOW MASTER STATUS")[0][0]
    events = log.until(lambda e, _: isinstance(e, Idle) and position.read(e.position).file == file)
    assert changes_in(events) == []
    log.reader.close()
    until(lambda: own_server.run(f"PURGE BINARY LOGS TO '{file}'", "SHOW BINARY LOGS")[0][0] == file)
    own_server.run("INSERT INTO t VALUES (1, 'a')")
    again = Log(own_server, own_server.reader("t"), events[-1].position)
    assert changes_in(again.rows(1)) == [("I", (1, "a"))]
    again.reader.close()


def test_c30_a_second_reader_with_the_same_server_id_throws_out_the_first_by_name(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which happens to two tasks once in two thousand million times; the other tasks are not concerned."""
    database.run(TABLE)
    task = Log(database, database.reader("t"))
    place = position.read(task.first)
    address = address_of(database.server.content(database.name))
    with closing(Session(address)) as one, closing(Session(address)) as other:
        monkeypatch.setattr(random, "randrange", lambda *_: 4_000_000_000)
        first = LogStream(one, place.file, place.at)
        assert first.begin() == place.log
        second = LogStream(other, place.file, place.at)
        assert second.begin() == place.log
        monkeypatch.undo()
        with pytest.raises(Unreachable, match="the server_id that this one had; it takes a new one"):
            while first.next(5.0) is not None:
                pass
        database.run("INSERT INTO t VALUES (1, 'a')")
        kinds = set()
        while Kind.XID not in kinds:
            event = second.next(5.0)
            assert event is not None
            kinds.add(event.kind)
        assert changes_in(task.rows(1)) == [("I", (1, "a"))]
    task.reader.close()


def _through(database: Database, between: Callable[[], Replacing]) -> list[Event]:
    """All that is told before the error, of an insert whose events are changed on their way."""
    database.run(TABLE)
    seen: list[Event] = []
    with tcp_proxy.proxy(database.server.port, between) as proxy:
        log = Log(database, database.reader("t", port=proxy.port))
        database.run("INSERT INTO t VALUES (1, 'a')")
        try:
            log.until(lambda event, _: seen.append(event))
        finally:
            log.reader.close()
            assert changes_in(seen) == []
    return seen


def test_c46_an_incident_stops_the_task_with_the_remedy(database: Database) -> None:
    body = b"\x01\x00\x0alost event"
    with pytest.raises(PositionGone, match=r"PositionNotFoundException.*INCIDENT 1: lost event.*load the tables again"):
        _through(database, lambda: Replacing(Kind.XID, Kind.INCIDENT, body))


def test_an_event_of_an_unknown_kind_is_not_passed_over(database: Database) -> None:
    with pytest.raises(NotServed, match=r"kind that is not known \(99\)"):
        _through(database, lambda: Replacing(Kind.XID, 99))


def test_an_unknown_event_that_says_it_may_be_passed_over_is(database: Database) -> None:
    database.run(TABLE)
    annotate = 160
    with tcp_proxy.proxy(database.server.port, lambda: Replacing(annotate, 99, flags=IGNORABLE)) as proxy:
        log = Log(database, database.reader("t", port=proxy.port))
        database.run("INSERT INTO t VALUES (1, 'a')")
        assert changes_in(log.rows(1)) == [("I", (1, "a"))]
        log.reader.close()


def test_c34_a_spoilt_event_ends_the_reader_visibly(database: Database) -> None:
    rows = Kind.WRITE_ROWS_2 if mysqld.MYSQL else Kind.WRITE_ROWS_1
    with pytest.raises(BrokenLog, match="checksum"):
        _through(database, lambda: Replacing(rows, rows))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Could not find first log file name in binary log index file", PositionGone),
        ("Client requested master to start replication from impossible position; the first event …", PositionGone),
        ("Cannot replicate because the master purged required binary logs. Replicate the missing …", PositionGone),
        ("Slave has more GTIDs than the master has, using the master's SERVER_UUID. …", PositionGone),
        (
            "Error: connecting slave requested to start from GTID 0-1-9, which is not in the master's binlog",
            PositionGone,
        ),
        ("A slave with the same server_uuid/server_id as this slave has connected to the master; …", Unreachable),
        ("log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master; …", BadConfig),
        ("binlog truncated in the middle of event; consider out of disk space on master; …", Unreachable),
    ],
)
def test_c53_what_a_server_says_of_its_log_has_a_name(database: Database, text: str, kind: type[TaskError]) -> None:
    with closing(Session(address_of(database.server.content(database.name)))) as session:
        error = session.error_in(b"\xff" + (1236).to_bytes(2, "little") + b"#HY000" + text.encode())
    assert type(error) is kind and text in str(error)
    assert ("PositionNotFoundException" in str(error)) == (kind is PositionGone)


def test_a_log_whose_connection_was_hung_up_just_before_is_unreachable(database: Database) -> None:
    """As where a task is stopped in the moment in which it begins to follow."""
    with closing(Session(address_of(database.server.content(database.name)))) as session:
        file, at, _ = dialect.newest(session)
        session.close()
        with pytest.raises(Unreachable):
            LogStream(session, file, at)


def test_c56_clocks_that_differ_change_nothing_of_the_order(database: Database) -> None:
    """Sessions that write years apart: rows come as they lie in the log, and a position is none of time."""
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    for number, moment in enumerate((2_000_000_000, 1, 1_500_000_000, 2_100_000_000), 1):
        database.run(f"INSERT INTO t VALUES ({number}, 'x')", timestamp=moment)
    events = log.rows(4)
    assert [row[0] for _, row in changes_in(events)] == [1, 2, 3, 4]
    database.run("INSERT INTO t VALUES (5, 'x')", timestamp=1_000_000_000)
    again = Log(database, database.reader("t"), events[-1].position)
    assert [row[0] for _, row in changes_in(again.rows(1))] == [5]
    log.reader.close()
    again.reader.close()


def test_a_start_at_a_time(own_server: Database) -> None:
    """C27 for the first start: the place is looked for in all files by their heads, and then within one."""
    own_server.run(TABLE)
    moments = []
    for number in range(1, 6):
        second = _second(own_server)
        until(lambda after=second: _second(own_server) > after)  # type: ignore[misc]
        moments.append(_second(own_server))
        own_server.run(f"INSERT INTO t VALUES ({number}, 'x')", *["FLUSH BINARY LOGS"] * (number % 2))
    for number, second in enumerate(moments, 1):
        reader = own_server.reader("t")
        log = Log(own_server, reader, reader.seek(reader.streams()[0], Start("time", second * 1000 + 500)))
        assert [row[0] for _, row in changes_in(log.rows(6 - number))] == list(range(number, 6))
        server = own_server.run("SELECT @@server_uuid")[0][0] + ":1-" if mysqld.MYSQL else "0-1-"
        assert position.read(log.first).gtid.startswith(server)
        reader.close()
    reader = own_server.reader("t")
    (stream_,) = reader.streams()
    later = position.read(reader.seek(stream_, Start("time", (moments[-1] + 3600) * 1000)))
    latest = position.read(reader.seek(stream_, Start("latest")))
    assert (later.file, later.at, later.log) == (latest.file, latest.at, latest.log)
    with pytest.raises(PositionGone, match=r"PositionNotFoundException.*still has begins at 20\d\d-"):
        reader.seek(stream_, Start("time", 1000))
    reader.close()


def _second(database: Database) -> int:
    return int(database.run("SELECT UNIX_TIMESTAMP()")[0][0])


@pytest.mark.parametrize(
    "written", ["", "mysql-bin.000001", "mysql-bin.000001:4", "x:1 server=a log=b schema=c gtid=0-1-", "{}", "\x00"]
)
def test_c28_a_damaged_position_stops_the_task(database: Database, written: str) -> None:
    database.run(TABLE)
    reader = database.reader("t")
    with pytest.raises((BadConfig, PositionGone), match="position"):
        (uuid,) = database.run("SELECT @@server_uuid" if mysqld.MYSQL else "SELECT 'id-1'")[0]
        place = Position(written.replace("server=a", f"server={uuid}"))
        list(reader.changes(reader.streams()[0], place))
    reader.close()


@given(st.from_regex(r"[a-z.0-9-]{1,9}", fullmatch=True), st.integers(0, 1 << 40), st.text("abc:-;@,123", max_size=9))
def test_c28_a_position_comes_back_as_it_was_written(file: str, at: int, gtid: str) -> None:
    place = Place(file, at, "id-1", "1.1", "-", gtid)
    assert position.read(position.write(place)) == place
