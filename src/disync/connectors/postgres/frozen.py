"""Sessions of ours that stand still in the middle of a COPY.

A worker that is stopped, and not gone, keeps its connection alive: the server waits for the rest of its rows, and holds
their locks. No limit of the server's ends that, neither on statements nor on idle transactions. What such a session has
sent could not be committed any more, as others have read its part since.
"""

from __future__ import annotations

import psycopg
import structlog

from disync.connectors.postgres.connection import APPLICATION, Connection
from disync.connectors.postgres.sql import Relation

log = structlog.get_logger()

WAIT_SECONDS = 5
STILL_SECONDS = 30.0
"""How long a COPY may take that is in somebody's way: one of a worker that lives is ended by its next flush."""

_END = """
SELECT a.pid, pg_terminate_backend(a.pid) FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
JOIN pg_catalog.pg_class c ON c.oid = l.relation
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND a.datname = current_database() AND l.database = a.datid AND l.granted
  AND a.usename = current_user AND a.application_name = $3 AND a.pid <> pg_backend_pid() AND a.state = 'active'
  AND a.wait_event = 'ClientRead' AND a.query LIKE 'COPY %'
  AND extract(epoch FROM clock_timestamp() - a.query_start) > $4
"""


def lock(connection: Connection, relation: Relation) -> None:
    """Have the table for oneself until the transaction ends, and end whoever of ours stands still in it."""
    connection.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'".encode())
    while True:
        try:
            with connection.transaction():
                connection.execute(f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE".encode())
            return
        except psycopg.errors.LockNotAvailable:
            _end(connection, relation)


def _end(connection: Connection, relation: Relation) -> None:
    ended = connection.execute(_END.encode(), (*relation.place, APPLICATION, STILL_SECONDS)).fetchall()
    if ended:
        log.warning("postgres.session_stands_still", table=str(relation), sessions=[pid for pid, _ in ended])
