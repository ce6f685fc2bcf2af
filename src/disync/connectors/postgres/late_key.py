"""The primary key of a table that we made: it is put there when the rows that the source had are in.

A server that keeps a key row by row needs about as long for that as for all else about the rows; made afterwards, from
all of them at once, it costs a third. Until then the table says of itself, in its comment, that the key is still to
come: made, marked and finished are one with the table, whatever dies in between.
"""

from __future__ import annotations

import psycopg
import structlog

from disync.connectors.postgres.catalog import describe
from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.sql import Relation, comment_on_table, listed, quote

log = structlog.get_logger()

MARK = "Being loaded by DISync: it gets its primary key when all rows are in."

_WAITING = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_description d
JOIN pg_catalog.pg_class c ON c.oid = d.objoid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 AND d.description = $1
"""


def waiting(connection: Connection) -> frozenset[tuple[str, str]]:
    """(schema, name) of all tables of the database that are marked. Ends the transaction."""
    found = connection.execute(_WAITING, (MARK,)).fetchall()
    connection.rollback()
    return frozenset((schema, name) for schema, name in found)


def mark(relation: Relation) -> str:
    return comment_on_table(relation, MARK)


def put(connection: Connection, relation: Relation, keys: tuple[str, ...]) -> None:
    """Give a marked table its key, if it has none yet, and take the mark away. Commits, all or nothing.

    Rows of several sources that have one key are one row here, as they would be had the key been there: the last stays.
    """
    target = describe(connection, relation)
    if target is not None and not target.primary:
        _add(connection, relation, keys)
    if target is not None:
        connection.execute(comment_on_table(relation, None).encode())
    connection.commit()


def _add(connection: Connection, relation: Relation, keys: tuple[str, ...]) -> None:
    add = f"ALTER TABLE {relation} ADD PRIMARY KEY ({listed(keys)})"
    # What a savepoint has locked is free again when it has failed.
    connection.execute(f"LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE".encode())
    try:
        with connection.transaction():
            connection.execute(add.encode())
    except psycopg.errors.UniqueViolation:
        log.warning("postgres.one_key_twice", table=str(relation))
        connection.execute(_without_repeats(relation, keys).encode())
        connection.execute(add.encode())


def _without_repeats(relation: Relation, keys: tuple[str, ...]) -> str:
    numbered = ", ".join(quote(key) for key in keys)
    return (
        f"DELETE FROM {relation} WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER "
        f"(PARTITION BY {numbered} ORDER BY ctid DESC) AS place FROM {relation}) numbered WHERE place > 1)"
    )
