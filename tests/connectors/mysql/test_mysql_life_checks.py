"""What is said of a source before anything is read, and when it changes afterwards: each fault with its remedy."""

from __future__ import annotations

from contextlib import closing

import pytest
from source import Database, Log, changes_in

from disync.connectors import find
from disync.connectors.mysql import checks, dialect
from disync.connectors.mysql.binlog.errors import NotServed
from disync.connectors.mysql.config import address_of
from disync.connectors.mysql.connection import Session
from disync.model.connector import Site
from disync.model.errors import BadConfig, Unreachable
from mysqld_group import group

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))"


def _site(database: Database, port: int | None = None, **members: str) -> Site:
    content = database.server.content(database.name, port, **members)
    return Site({"connection": [{"datasource": "here", "table": ["t"]}]}, {"here": content})


def test_a_deploy_asks_the_source(database: Database) -> None:
    database.run(TABLE)
    connector = find("mysql")
    assert connector is not None and connector.precheck is not None
    assert connector.precheck(_site(database)) == []
    with pytest.raises(BadConfig, match=r"refuses.*Correct the data source"):
        connector.precheck(_site(database, username="nobody"))
    with pytest.raises(Unreachable):
        connector.precheck(_site(database, port=1))


@pytest.mark.parametrize(
    ("said", "name", "number", "served"),
    [
        ("10.5.9-MariaDB-log", "MariaDB", (10, 5), False),
        ("5.5.5-10.6.2-MariaDB", "MariaDB", (10, 6), True),
        ("11.8.1-MariaDB", "MariaDB", (11, 8), True),
        ("5.6.51-log", "MySQL", (5, 6), False),
        ("5.7.44", "MySQL", (5, 7), True),
        ("8.0.36-28", "MySQL", (8, 0), True),
        ("9.4.0", "MySQL", (9, 4), True),
    ],
)
def test_c55_versions(
    database: Database, monkeypatch: pytest.MonkeyPatch, said: str, name: str, number: tuple[int, int], served: bool
) -> None:
    with closing(Session(address_of(database.server.content(database.name)))) as session:
        monkeypatch.setattr(Session, "server_version", said)
        found = dialect.version(session)
        assert found[:2] == (name, number)
        faults = checks._version_faults(session)
        assert bool(faults) != served
        assert all("upgrade it" in fault for fault in faults)
        status = "SHOW BINARY LOG STATUS" if name == "MySQL" and number >= (8, 2) else "SHOW MASTER STATUS"
        assert dialect._status(session) == status


def test_c07_a_log_that_is_kept_for_a_shorter_time_than_the_load_takes_is_warned_of(
    own_server: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_server.run(TABLE, "INSERT INTO t SELECT seq, 'x' FROM seq_1_to_5000", "ANALYZE TABLE t")
    monkeypatch.setattr(checks, "ROWS_A_SECOND", 1)
    own_server.run("SET GLOBAL binlog_expire_logs_seconds = 7200")
    (warning,) = own_server.reader("t").check()
    assert "keeps its binary log for 7200 s" in warning and "Raise binlog_expire_logs_seconds" in warning
    own_server.run("SET GLOBAL binlog_expire_logs_seconds = 60")
    (warning,) = own_server.reader("t").check()
    assert "keeps its binary log for 60 s only" in warning
    own_server.run("SET GLOBAL binlog_expire_logs_seconds = 864000")
    assert own_server.reader("t").check() == []


def test_c18_tables_without_a_key_are_named_with_the_remedy(database: Database) -> None:
    database.run("CREATE TABLE keyless (v INT)", TABLE)
    (warning,) = database.reader().check()
    assert f"{database.name}.keyless" in warning and "primary key" in warning


@pytest.mark.parametrize("rule", ["ON DELETE CASCADE", "ON UPDATE CASCADE", "ON DELETE SET NULL", "ON UPDATE SET NULL"])
def test_rows_that_foreign_keys_change_are_warned_of(database: Database, rule: str) -> None:
    """InnoDB changes them without a word in the log; to be told of the keys a user needs no right but SELECT."""
    child = "CREATE TABLE {} (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES t (id) {})"
    database.run(TABLE, child.format("quiet", "ON DELETE RESTRICT"))
    assert database.reader().check() == []
    database.run(child.format("child", rule), "CREATE TABLE told (id INT PRIMARY KEY COMMENT 'ON DELETE CASCADE')")
    (warning,) = database.reader().check()
    assert f": {database.name}.child." in warning and "verified and repaired" in warning
    assert database.reader("t").check() == []


@pytest.mark.mariadb
def test_a_table_that_keeps_the_history_of_its_rows_is_refused_by_name(database: Database) -> None:
    database.run(TABLE, "CREATE TABLE old (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING")
    with pytest.raises(BadConfig, match=rf"{database.name}\.old: WITH SYSTEM VERSIONING") as caught:
        database.reader().check()
    assert caught.value.tables == {"old"}
    assert database.reader("t").check() == []


def test_a_replica_that_does_not_log_what_it_gets_is_warned_of() -> None:
    with group(1) as (_, replica):
        database = Database(replica, "own")
        replica.run(TABLE, "own")
        assert database.reader("t").check() == []
        replica.stop()
        replica.start(log_slave_updates="0")
        (warning,) = database.reader("t").check()
        assert "log_slave_updates" in warning and "Read from the primary" in warning


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [("binlog_row_image", "MINIMAL", "binlog_row_image"), ("binlog_format", "STATEMENT", "binlog_format")],
)
def test_c48_a_setting_that_is_changed_while_the_task_runs_stops_it_by_name(
    own_server: Database, variable: str, value: str, name: str
) -> None:
    own_server.run(TABLE, "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    log = Log(own_server, own_server.reader("t"))
    own_server.run("UPDATE t SET v = 'c' WHERE id = 1")
    own_server.run(f"SET GLOBAL {variable} = '{value}'")
    own_server.run("UPDATE t SET v = 'd' WHERE id = 1")
    seen = []
    with pytest.raises(NotServed, match=name):
        log.until(lambda event, _: seen.append(event))
    assert changes_in(seen) in ([], [("B", (1, "a")), ("U", (1, "c"))]), "nothing behind the change was told"
    with pytest.raises(BadConfig, match=f"{name} is {value}.*SET GLOBAL {name}"):
        own_server.reader("t").check()
