"""Servers that replicate: a primary and its replicas, which a test may kill, promote and let diverge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import mysqld
from mysqld import MYSQL
from waiting import until

REPLICATION = [
    "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'x'",
    "GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'",
    "RESET MASTER",
]


def follow(replica: mysqld.Server, primary: mysqld.Server, gtids: str | None = None) -> None:
    """Let a server replicate another one, from where it is or behind `gtids`."""
    halt(replica)
    if gtids is not None:
        begin_at(replica, gtids)
    whom = f"HOST = '127.0.0.1', #PORT = {primary.port}, #USER = 'repl', #PASSWORD = 'x', #CONNECT_RETRY = 1"
    if MYSQL:
        where = whom.replace("#", "SOURCE_") + ", GET_SOURCE_PUBLIC_KEY = 1, SOURCE_SSL = 0, SOURCE_AUTO_POSITION = 1"
        replica.run(f"CHANGE REPLICATION SOURCE TO SOURCE_{where}")
    else:
        replica.run(f"CHANGE MASTER TO MASTER_{whom.replace('#', 'MASTER_')}, MASTER_USE_GTID = slave_pos")
    go_on(replica)


def begin_at(server: mysqld.Server, gtids: str) -> None:
    """Let a server count anew, as one that has these transactions of others."""
    name = "gtid_purged" if MYSQL else "gtid_slave_pos"
    server.run(["RESET MASTER", f"SET GLOBAL {name} = '{gtids}'"])


def halt(replica: mysqld.Server) -> None:
    replica.run("STOP REPLICA")


def go_on(replica: mysqld.Server) -> None:
    replica.run("START REPLICA")


def promote(replica: mysqld.Server) -> None:
    replica.run(["STOP REPLICA", "RESET REPLICA ALL"])


def position(server: mysqld.Server) -> str:
    return str(server.run("SELECT @@global.gtid_executed" if MYSQL else "SELECT @@gtid_binlog_pos")[0][0])


def gtid(server: mysqld.Server, number: int) -> str:
    """All that a server wrote, up to a number, as a position has it."""
    if MYSQL:
        return f"{server.run('SELECT @@server_uuid')[0][0]}:1-{number}"
    return f"0-{server.options['server-id']}-{number}"


def caught_up(replica: mysqld.Server, primary: mysqld.Server) -> None:
    """Wait until the replica has all that the primary has."""
    until(lambda: position(replica) == position(primary), lambda: str(replica.run("SHOW REPLICA STATUS")))


@contextmanager
def group(replicas: int = 1, **options: str) -> Iterator[list[mysqld.Server]]:
    """A primary with server_id 1 and replicas with 2 and so on; a database `own` that all have."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(mysqld.server(server_id=str(number), log_slave_updates="1", **options))
            for number in range(1, replicas + 2)
        ]
        primary, *others = servers
        for server in servers:
            server.run(REPLICATION)
        for replica in others:
            follow(replica, primary, "")
        primary.run("CREATE DATABASE own")
        for replica in others:
            caught_up(replica, primary)
        yield servers
