"""A position in the log of another server: real servers that replicate, fail over, lag, diverge and count anew."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from source import Database, Log, changes_in

import mysqld
import tcp_proxy
from disync.connectors.mysql import position
from disync.model.data import Batch, Event, Idle, Position
from disync.model.errors import PositionGone, Unreachable
from mysqld_group import begin_at, caught_up, follow, group, gtid, promote
from waiting import until

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


@pytest.fixture
def pair() -> Iterator[list[mysqld.Server]]:
    with group(1) as servers:
        yield servers


def _ids(events: Sequence[Event]) -> list[Any]:
    return [row[0] for _, row in changes_in(events)]


def _read(database: Database, after: Position, count: int) -> tuple[list[Any], Position]:
    """Ids of the next rows, and the position behind them."""
    log = Log(database, database.reader("t"), after)
    events = log.rows(count)
    log.reader.close()
    return _ids(events), events[-1].position


def _insert(server: mysqld.Server, *ids: int) -> None:
    server.run([f"INSERT INTO own.t VALUES ({number}, 'x')" for number in ids])


def _until_where(log: Log, done: Any) -> list[Event]:
    return log.until(lambda event, _: done(position.read(event.position)))


def _name(server: mysqld.Server) -> str:
    """As a position has it."""
    return str(server.run("SELECT @@server_uuid")[0][0]) if mysqld.MYSQL else f"id-{server.options['server-id']}"


def _lacking(server: mysqld.Server, first: int, last: int) -> str:
    """What MariaDB names is the last one: it has a row of numbers, and MySQL a set."""
    return f"{_name(server)}:{first}-{last}" if mysqld.MYSQL else gtid(server, last)


def _of_primary(primary: mysqld.Server, after: Position) -> Position:
    """The same place, as if the first server had told it."""
    return position.write(replace(position.read(after), server=_name(primary), file="mysql-bin.000009"))


def test_c43_a_failover_is_survived_without_a_gap_and_without_a_repetition(pair: list[mysqld.Server]) -> None:
    primary, replica = pair
    database = Database(primary, "own")
    # Files and offsets of the two are not the same, only their GTIDs are.
    replica.run(["FLUSH BINARY LOGS", "FLUSH BINARY LOGS"])
    with tcp_proxy.proxy(primary.port) as proxy:
        primary.run(TABLE, "own")
        log = Log(database, database.reader("t", port=proxy.port))
        _insert(primary, *range(1, 40))
        events = log.rows(39)
        last = events[-1].position
        assert position.read(last).gtid.startswith(gtid(primary, 41))
        _insert(primary, 40, 41, 42)  # nobody has read these when the primary dies
        caught_up(replica, primary)
        primary.stop(signal.SIGKILL)
        proxy.lead_to(replica.port)
        promote(replica)
        with pytest.raises(Unreachable):
            log.rows(99)
        again = Log(database, database.reader("t", port=proxy.port), last)
        _insert(replica, 43, 44)
        events = again.rows(5)
        assert _ids(events) == [40, 41, 42, 43, 44]
        place = position.read(events[-1].position)
        assert place.server == _name(replica) and gtid(replica, 2 if mysqld.MYSQL else 46) in place.gtid
        again.reader.close()
        assert _read(Database(replica, "own"), events[0].position, 0)[0] == []
        replica.run("FLUSH BINARY LOGS")
        _insert(replica, 45)
        assert _read(Database(replica, "own"), events[-1].position, 1)[0] == [45]


def test_c43_there_and_back_again(pair: list[mysqld.Server]) -> None:
    """The first server comes back as a replica of the second, is promoted, and the position goes with it."""
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    _insert(primary, 1)
    caught_up(replica, primary)
    promote(replica)
    found, after = _read(Database(replica, "own"), first, 1)
    # Nothing is new on the replica, whose newest file holds no transaction yet.
    replica.run("FLUSH BINARY LOGS")
    log = Log(Database(replica, "own"), Database(replica, "own").reader("t"), _of_primary(primary, after))
    place = _until_where(log, lambda place: place.server == _name(replica))[-1].position
    assert position.read(place).file == replica.run("SHOW MASTER STATUS")[0][0]
    log.reader.close()
    _insert(replica, 2)
    more, after = _read(Database(replica, "own"), after, 1)
    follow(primary, replica, None)
    caught_up(primary, replica)
    promote(primary)
    _insert(primary, 3)
    last, after = _read(Database(primary, "own"), after, 1)
    assert (found, more, last) == ([1], [2], [3])
    assert position.read(after).server == _name(primary)


def test_c43_a_replica_that_lags_is_waited_for(pair: list[mysqld.Server]) -> None:
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    caught_up(replica, primary)
    replica.run("STOP REPLICA")
    _insert(primary, 1, 2, 3)
    found, after = _read(Database(primary, "own"), first, 3)
    assert found == [1, 2, 3]
    with pytest.raises(Unreachable, match=rf"does not have {_lacking(primary, 3, 5)}(@\d+)? yet"):
        _read(Database(replica, "own"), after, 1)
    _insert(primary, 4)
    replica.run("START REPLICA")
    caught_up(replica, primary)
    assert _read(Database(replica, "own"), after, 1)[0] == [4]


def test_c42_a_server_that_took_over_without_the_last_transactions_is_refused(pair: list[mysqld.Server]) -> None:
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    caught_up(replica, primary)
    replica.run("STOP REPLICA")
    _insert(primary, 1, 2)
    _, after = _read(Database(primary, "own"), first, 2)
    promote(replica)
    _insert(replica, 101, 102, 103)
    never = rf"(never had|does not have) {_lacking(primary, 3, 4)}.*(diverged|lost it).*[Ll]oad the tables"
    with pytest.raises(PositionGone, match=f"PositionNotFoundException.*{never}"):
        _read(Database(replica, "own"), after, 1)


def test_c42_transactions_of_its_own_on_a_replica_are_read_as_they_lie_there(pair: list[mysqld.Server]) -> None:
    """An errant transaction behind the position: it is one of the new server's log, and comes in its place."""
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    _insert(primary, 1)
    caught_up(replica, primary)
    found, after = _read(Database(primary, "own"), first, 1)
    _insert(replica, 100)
    promote(replica)
    _insert(replica, 2)
    assert _read(Database(replica, "own"), after, 2)[0] == [100, 2]
    # Before the position it is in nobody's place: the log goes past the position without it.
    assert found == [1]


def test_c42_a_server_that_has_purged_what_comes_next_is_refused(pair: list[mysqld.Server]) -> None:
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    _insert(primary, 1)
    caught_up(replica, primary)
    replica.run("FLUSH BINARY LOGS")
    _insert(primary, 2)
    caught_up(replica, primary)
    promote(replica)
    replica.run("FLUSH BINARY LOGS")
    files = [row[0] for row in replica.run("SHOW BINARY LOGS")]
    until(lambda: replica.run([f"PURGE BINARY LOGS TO '{files[-1]}'", "SHOW BINARY LOGS"])[0][0] == files[-1])
    with pytest.raises(PositionGone, match=r"PositionNotFoundException.*purged"):
        _read(Database(replica, "own"), first, 1)


def test_c41_a_server_of_another_group_is_refused(pair: list[mysqld.Server]) -> None:
    primary, other = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    _insert(primary, 1, 2)
    _, after = _read(Database(primary, "own"), first, 2)
    promote(other)
    begin_at(other, "")
    other.run(["DROP DATABASE own", "CREATE DATABASE own"])
    other.run(TABLE, "own")
    with pytest.raises(PositionGone, match=rf"does not have {_lacking(primary, 1, 4)}.*none of the same group"):
        _read(Database(other, "own"), after, 1)
    _insert(other, *range(1, 20))
    with pytest.raises(PositionGone, match=f"(never had|does not have) {_lacking(primary, 1, 4)}"):
        _read(Database(other, "own"), after, 1)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["the server itself", "its replica"])
def test_c41_a_log_that_counts_anew_is_told_by_the_moments_of_its_transactions(
    pair: list[mysqld.Server], elsewhere: bool
) -> None:
    """After RESET MASTER the same GTIDs name other transactions: as many as there were, and more."""
    primary, replica = pair
    primary.run(TABLE, "own")
    first = Log(Database(primary, "own"), Database(primary, "own").reader("t")).first
    _insert(primary, 1, 2)
    _, after = _read(Database(primary, "own"), first, 2)
    second = int(primary.run("SELECT UNIX_TIMESTAMP()")[0][0])
    until(lambda: int(primary.run("SELECT UNIX_TIMESTAMP()")[0][0]) > second + 1)
    replica.run("STOP REPLICA")
    primary.run("RESET MASTER")
    _insert(primary, *range(3, 20))
    server = primary
    if elsewhere:
        replica.run(["DROP DATABASE own", "CREATE DATABASE own"])
        replica.run(TABLE, "own")
        follow(replica, primary, "")
        caught_up(replica, primary)
        server = replica
    with pytest.raises(PositionGone, match=r"begun anew"):
        _read(Database(server, "own"), after, 1)


@pytest.mark.mariadb
def test_c44_domains_that_lie_mixed_otherwise_are_asked_for_by_gtid() -> None:
    """Two domains: on the replica the second one's transactions come later, behind some that nobody has read yet."""
    with group(1) as (primary, replica):
        primary.run(TABLE, "own")
        database = Database(primary, "own")
        log = Log(database, database.reader("t"))
        caught_up(replica, primary)
        promote(replica)
        # The same transactions in another order, as parallel replication of domains may bring them about.
        for server, order in ((primary, (1, 11, 2, 12)), (replica, (1, 2, 3, 11, 12))):
            for number in order:
                domain, sequence = (1, number - 10) if number > 10 else (0, number + 100)
                server.run(f"INSERT INTO own.t VALUES ({number}, 'x')", **_gtid(domain, sequence))
        events = log.rows(4)  # 1, 11, 2, 12: on the replica 3 lies before 11 and 12
        log.reader.close()
        assert _ids(events) == [1, 11, 2, 12]
        after = next(e.position for e in reversed(events) if isinstance(e, Batch | Idle))
        other = Log(Database(replica, "own"), Database(replica, "own").reader("t"), after)
        events = other.rows(1)
        assert _ids(events) == [3]
        assert position.read(events[-1].position).server == position.NOWHERE
        replica.run("INSERT INTO own.t VALUES (13, 'x')", **_gtid(1, 3))
        events = other.rows(1)
        assert _ids(events) == [13]
        other.reader.close()
        # Now all of the position lies before all that is new: it is a place in the log again.
        replica.run("INSERT INTO own.t VALUES (4, 'x')", **_gtid(0, 104))
        found, last = _read(Database(replica, "own"), events[-1].position, 1)
        assert found == [4] and position.read(last).server == "id-2"


def _gtid(domain: int, sequence: int) -> dict[str, int]:
    return {"gtid_domain_id": domain, "server_id": 1, "gtid_seq_no": sequence, "timestamp": 1_700_000_000}
