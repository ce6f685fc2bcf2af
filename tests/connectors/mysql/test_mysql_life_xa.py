"""C49: XA transactions. Their rows are logged when they are prepared; they count when, and if, they are committed."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from source import Database, Log, changes_in

from disync.connectors.mysql.binlog import xa
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.model.data import Batch, Position
from waiting import until

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


def _prepare(database: Database, name: str, *statements: str) -> None:
    """Prepared, and left behind by its session: only then may another one decide."""
    with closing(database.server.root(database=database.name)) as connection, connection.cursor() as cursor:
        for statement in (f"XA START {name}", *statements, f"XA END {name}", f"XA PREPARE {name}"):
            cursor.execute(statement)
        session = connection.thread_id()
    until(lambda: not database.run(f"SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {session}"))


def _ids(log: Log, count: int) -> list[Any]:
    return [row[0] for _, row in changes_in(log.rows(count))]


def _last(log: Log, count: int) -> Position:
    return log.rows(count)[-1].position


def test_c49_rows_come_when_they_are_committed_and_never_when_they_are_rolled_back(database: Database) -> None:
    database.run(TABLE, "CREATE TABLE other (id INT PRIMARY KEY)")
    log = Log(database, database.reader("t"))
    _prepare(database, "'a'", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    _prepare(database, "'b','branch',7", "INSERT INTO t VALUES (3, 'c')")
    _prepare(database, "'c'", "INSERT INTO other VALUES (1)")
    database.run("INSERT INTO t VALUES (4, 'd')", "XA ROLLBACK 'b','branch',7", "INSERT INTO t VALUES (5, 'e')")
    database.run("XA COMMIT 'c'", "XA COMMIT 'a'", "INSERT INTO t VALUES (6, 'f')")
    events = log.rows(5)
    assert changes_in(events) == [("I", (4, "d")), ("I", (5, "e")), ("I", (1, "a")), ("I", (2, "b")), ("I", (6, "f"))]
    log.reader.close()


def test_c49_a_name_that_is_used_again_is_another_transaction(database: Database) -> None:
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    for number in (1, 2):
        _prepare(database, "'same'", f"INSERT INTO t VALUES ({number}, 'x')")
        database.run("XA COMMIT 'same'")
    _prepare(database, "'same'", "INSERT INTO t VALUES (3, 'x')")
    database.run("XA ROLLBACK 'same'", "INSERT INTO t VALUES (4, 'x')")
    assert _ids(log, 3) == [1, 2, 4]
    log.reader.close()


def test_c49_committed_at_once(database: Database) -> None:
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    database.run("XA START 'a'", "INSERT INTO t VALUES (1, 'x')", "XA END 'a'", "XA COMMIT 'a' ONE PHASE")
    assert _ids(log, 1) == [1]
    log.reader.close()


def test_c49_a_restart_between_the_two_loses_nothing_and_repeats_nothing(database: Database) -> None:
    database.run(TABLE)
    log = Log(database, database.reader("t"))
    _prepare(database, "'old'", "INSERT INTO t VALUES (9, 'not this one')")
    database.run("XA ROLLBACK 'old'")
    _prepare(database, "'old'", "INSERT INTO t VALUES (1, 'x')")
    database.run("FLUSH BINARY LOGS", "INSERT INTO t VALUES (2, 'x')", "FLUSH BINARY LOGS")
    database.run("INSERT INTO t VALUES (3, 'x')")
    after = _last(log, 2)
    log.reader.close()
    database.run("XA COMMIT 'old'", "INSERT INTO t VALUES (4, 'x')")
    again = Log(database, database.reader("t"), after)
    events = again.rows(2)
    assert changes_in(events) == [("I", (1, "x")), ("I", (4, "x"))]
    again.reader.close()


def test_c49_what_was_prepared_before_the_task_began_comes_with_its_commit(database: Database) -> None:
    """The load does not see these rows, and the log has them before the position."""
    database.run(TABLE)
    _prepare(database, "'early'", "INSERT INTO t VALUES (1, 'x')")
    log = Log(database, database.reader("t"))
    database.run("XA COMMIT 'early'")
    assert _ids(log, 1) == [1]
    log.reader.close()


def test_c49_more_rows_than_are_held_at_once(database: Database) -> None:
    database.run(TABLE)
    log = Log(database, database.reader("t", batchSize=50))
    _prepare(database, "'large'", "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_2000")
    _prepare(database, "'gone'", "INSERT INTO t SELECT seq, 'x' FROM seq_3001_to_5000")
    database.run("INSERT INTO t VALUES (0, 'x')", "XA COMMIT 'large'", "XA ROLLBACK 'gone'")
    events = [event for event in log.rows(2001) if isinstance(event, Batch)]
    assert [row[0] for _, row in changes_in(events)] == [0, *range(1, 2001)]
    assert max(event.count for event in events) < 1500
    inside = {event.position for event in events[1:-1]}
    assert len(inside) == 1, "until the last row the position is that before the commit"
    log.reader.close()


def test_c49_a_preparation_that_was_purged_is_a_named_error(own_server: Database) -> None:
    own_server.run(TABLE)
    _prepare(own_server, "'early'", "INSERT INTO t VALUES (1, 'x')")
    own_server.run("FLUSH BINARY LOGS")
    file = own_server.run("SHOW MASTER STATUS")[0][0]
    until(lambda: own_server.run(f"PURGE BINARY LOGS TO '{file}'", "SHOW BINARY LOGS")[0][0] == file)
    log = Log(own_server, own_server.reader("t"))
    own_server.run("XA COMMIT 'early'")
    with pytest.raises(NotServed, match=r"6561726c79.*does not hold any more.*Load the tables again"):
        log.rows(1)


def test_c49_names() -> None:
    body = bytes([0]) + (7).to_bytes(4, "little") + (2).to_bytes(4, "little") + (1).to_bytes(4, "little") + b"abc"
    assert xa.prepared(body) == (("6162", "63", 7), False)
    assert xa.decided("XA COMMIT X'6162',X'63',7") == ("6162", "63", 7)
    assert xa.decided("xa commit X'6A',X'',1 ") == ("6a", "", 1)
    with pytest.raises(BrokenLog, match="does not name"):
        xa.decided("XA COMMIT 'a'")
    with pytest.raises(BrokenLog):
        xa.prepared(body[:-1])
