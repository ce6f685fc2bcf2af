"""Whether the changes of a table can be written by several sessions, each for other keys, in an order of its own.

They can where nothing but the key ties a row to others, and where keys that are equal to the server are equal as they
lie, whatever table of the source they come from.
"""

from __future__ import annotations

from disync.connectors.postgres.catalog import Target, describe
from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.destination import Destination
from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.target import keys_of
from disync.connectors.postgres.types import as_it_lies
from disync.model.connector import Parting
from disync.model.data import Table

_TIES = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contype = 'f' AND c.oid IN (conrelid, confrelid))
           OR EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal)
           OR EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid),
       c.relkind <> 'r' OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE c.oid IN (inhrelid, inhparent))
           OR EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE contype = 'x' AND conrelid = c.oid)
           OR (SELECT count(*) FROM pg_catalog.pg_index WHERE indrelid = c.oid AND indisunique) <> 1
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2
"""
"""Foreign keys, triggers and rules, by which rows of several tables meet; what else ties rows of one table."""


def parting(connection: Connection, table: Table, destination: Destination) -> Parting:
    relation = destination.relation(table)
    target = describe(connection, relation)
    bound, tied = _ties(connection, relation)
    if bound or tied or target is None or destination.append:
        return Parting(bound=bound)
    found = [_place(table, target, key) for key in keys_of(target, table)]
    if not all(how for _, how in found):
        return Parting()
    return Parting(tuple(place for place, _ in found), tuple(how for _, how in found))


def _ties(connection: Connection, relation: Relation) -> tuple[bool, bool]:
    """(with rows of other tables, with rows of its own)"""
    row = connection.execute(_TIES.encode(), relation.place).fetchone()
    return (bool(row[0]), bool(row[1])) if row else (False, True)


def _place(table: Table, target: Target, key: str) -> tuple[int, str]:
    """Where this column of the target's key comes from, and how it is compared: "" where equal keys may lie
    otherwise."""
    column = target.find(key)
    for place, one in enumerate(table.columns):
        if column is not None and target.find(one.name) is column:
            if column.coarse or column.type.name in ("float4", "float8") or not as_it_lies(one, column.type):
                return place, ""
            return place, "numeric" if column.type.name == "numeric" else "plain"
    return 0, ""
