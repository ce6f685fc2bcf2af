"""The two servers of the database measurements, set once and for every contestant alike."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mysqld import Server, server
from servers import postgres

USER = PASSWORD = "bench"
"""Who the contestants are in MariaDB: the password can stand in a URL, which some of them insist on."""

DATABASE = "bench"

NOTE = (
    "Databases: MariaDB (buffer pool 512 MB) and PostgreSQL (shared_buffers 256 MB, max_wal_size 4 GB, autovacuum off) "
    "with both servers' own settings for fsync and commits, the same for all; a CHECKPOINT before every run; contents "
    "are compared by checksums after every run."
)

_SOURCE = {
    "innodb_buffer_pool_size": "512M",
    "innodb_log_file_size": "512M",
    # The servers' own defaults, which the tests do without for speed.
    "innodb_flush_log_at_trx_commit": "1",
    "sync_binlog": "0",
    # Without the columns' names and character sets in the log, mysql-replication cannot read every table.
    "binlog_row_metadata": "FULL",
    "max_binlog_size": "1G",
}
_TARGET = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    # What one contestant leaves behind must not be cleaned up while the next one is measured.
    "autovacuum": "off",
}

_DROPS = 500
"""Tables of one statement: a transaction that drops thousands needs more locks than the server has room for."""


@dataclass(frozen=True, slots=True)
class Databases:
    source: Server
    target: str
    """URL"""

    @property
    def source_url(self) -> str:
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.source.port}/{DATABASE}"

    def source_content(self) -> dict[str, str]:
        """The content of a data source that leads to the source, as USER."""
        return self.source.content(DATABASE) | {"username": USER, "password": PASSWORD}

    def target_content(self) -> dict[str, str]:
        at = conninfo_to_dict(self.target)
        url = f"jdbc:postgresql://{at['host']}:{at['port']}/{at['dbname']}"
        return {"jdbcUrl": url, "username": str(at["user"]), "password": "", "tag": "public"}

    def session(self) -> psycopg.Connection[tuple[object, ...]]:
        """A session at the target that commits every statement."""
        return psycopg.connect(self.target, autocommit=True)

    def drop(self, schema: str, tables: Sequence[str]) -> None:
        """Those of them that are there."""
        with self.session() as session:
            session.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            for begin in range(0, len(tables), _DROPS):
                some = ", ".join(f"{schema}.{name}" for name in tables[begin : begin + _DROPS])
                session.execute(f"DROP TABLE IF EXISTS {some}".encode())

    def empty_schema(self, name: str, *statements: str) -> None:
        """Make a schema anew in the target, with what the statements make in it, and leave nothing to be flushed."""
        with self.session() as session:
            session.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
            session.execute(f"CREATE SCHEMA {name}".encode())
            session.execute(f"SET search_path = {name}".encode())
            for statement in statements:
                session.execute(statement.encode())
            session.execute("CHECKPOINT")


@contextmanager
def databases() -> Iterator[Databases]:
    with server(**_SOURCE) as source, postgres(**_TARGET) as target:
        try:
            source.run(
                [
                    f"CREATE DATABASE {DATABASE}",
                    f"CREATE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
                    f"GRANT ALL ON {DATABASE}.* TO '{USER}'@'127.0.0.1'",
                    f"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO '{USER}'@'127.0.0.1'",
                ]
            )
            yield Databases(source, target)
        finally:
            with suppress(psycopg.Error), psycopg.connect(target, autocommit=True) as session:
                session.execute("CHECKPOINT")  # with nothing left to write, it stops in time
            source.stop(signal.SIGKILL)  # its folder is thrown away: there is nothing to be saved
