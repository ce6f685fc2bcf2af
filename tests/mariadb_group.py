"""Servers that replicate: a primary and its replicas, which a test may kill, promote and let diverge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import mariadb
from waiting import until

REPLICATION = [
    "CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'x'",
    "GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1'",
    "RESET MASTER",
]


def follow(replica: mariadb.MariaDB, primary: mariadb.MariaDB, gtids: str | None = None) -> None:
    """Let a server replicate another one, from where it is or behind `gtids`."""
    replica.run("STOP SLAVE")
    if gtids is not None:
        replica.run(["RESET MASTER", f"SET GLOBAL gtid_slave_pos = '{gtids}'"])
    replica.run(
        [
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'repl', "
            "MASTER_PASSWORD = 'x', MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos",
            "START SLAVE",
        ]
    )


def promote(replica: mariadb.MariaDB) -> None:
    replica.run(["STOP SLAVE", "RESET SLAVE ALL"])


def position(server: mariadb.MariaDB) -> str:
    return str(server.run("SELECT @@gtid_binlog_pos")[0][0])


def caught_up(replica: mariadb.MariaDB, primary: mariadb.MariaDB) -> None:
    """Wait until the replica has all that the primary has."""
    until(lambda: position(replica) == position(primary), lambda: str(replica.run("SHOW SLAVE STATUS")))


@contextmanager
def group(replicas: int = 1, **options: str) -> Iterator[list[mariadb.MariaDB]]:
    """A primary with server_id 1 and replicas with 2 and so on; a database `own` that all have."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(mariadb.mariadb(server_id=str(number), log_slave_updates="1", **options))
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
