"""What the target database has: its tables, their columns and keys, as pg_catalog tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.sql import Relation, fitted
from disync.connectors.postgres.types import ColumnType, from_catalogue
from disync.model.connector import Database
from disync.model.errors import BadConfig
from disync.model.outlook import Measured

_TABLE = """
SELECT n.nspname, c.relname, c.oid, c.relkind
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::name[]) AND c.relname = ANY ($2::name[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
SELECT a.attrelid, a.attname, t.typname, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated,
       coalesce(l.collisdeterministic, true)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
_KEYS = """
SELECT i.indrelid, i.indisprimary, array(
    SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) ORDER BY array_position(i.indkey, a.attnum))
FROM pg_catalog.pg_index i
WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
ORDER BY i.indrelid, i.indisprimary DESC, i.indexrelid
"""
_CATALOG = """
SELECT n.nspname, array(
    SELECT c.relname::text FROM pg_catalog.pg_class c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname)
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname
"""
_MEASURES = """
SELECT n.nspname, c.relname, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
       CASE c.relkind WHEN 'p' THEN (SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint
                                     FROM pg_partition_tree(c.oid))
                      ELSE pg_total_relation_size(c.oid) END,
       array(SELECT a.attname::text FROM pg_catalog.pg_index i
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
             WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY array_position(i.indkey, a.attnum))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname, c.relname) IN (SELECT s::name, t::name FROM unnest($1::text[], $2::text[]) AS asked (s, t))
  AND c.relkind IN ('r', 'p')
"""
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """`filled`: it gets a value when an insert names none; `generated`: it can be given none; `coarse`: its
    comparison takes different texts for equal."""

    name: str
    type: ColumnType
    not_null: bool
    filled: bool
    generated: bool
    identity: bool
    coarse: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A table as it stands. `unique`: every set of columns that the server keeps unique, the primary key first."""

    relation: Relation
    columns: tuple[TargetColumn, ...]
    primary: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]

    def find(self, name: str) -> TargetColumn | None:
        """The column of this name; letter case counts only where two columns differ in nothing else."""
        name = fitted(name)
        exact = next((column for column in self.columns if column.name == name), None)
        if exact is not None:
            return exact
        alike = [column for column in self.columns if column.name.lower() == name.lower()]
        return alike[0] if len(alike) == 1 else None

    def conflict(self, keys: tuple[str, ...]) -> tuple[str, ...] | None:
        """The unique columns that are these, in any order; None where nothing keeps them unique."""
        return next((unique for unique in self.unique if set(unique) == set(keys)), None)


ASKED_AT_ONCE = 500


def describe(connection: Connection, relation: Relation) -> Target | None:
    """The table as it stands, None where there is none."""
    return describe_all(connection, [relation]).get(relation)


def describe_all(connection: Connection, relations: Sequence[Relation]) -> dict[Relation, Target]:
    """Those of the tables that are there, as they stand: in few questions, however many they are."""
    found: dict[Relation, Target] = {}
    for start in range(0, len(relations), ASKED_AT_ONCE):
        found |= _described(connection, relations[start : start + ASKED_AT_ONCE])
    return found


def _described(connection: Connection, relations: Sequence[Relation]) -> dict[Relation, Target]:
    wanted = {(fitted(one.schema or ""), fitted(one.name)): one for one in relations}
    names = [list({place[0] for place in wanted}), list({place[1] for place in wanted})]
    there: dict[int, Relation] = {}
    for schema, name, oid, kind in connection.execute(_TABLE, names):
        relation = wanted.get((schema, name))
        if relation is None:
            continue
        if kind in _KINDS:
            raise BadConfig(f"{relation} is {_KINDS[kind]}, and only tables can be written to. Name another `table`.")
        there[oid] = relation
    if not there:
        return {}
    columns: dict[int, list[TargetColumn]] = {oid: [] for oid in there}
    for oid, *column in connection.execute(_COLUMNS, (list(there),)):
        columns[oid].append(_column(*column))
    keys: dict[int, list[tuple[bool, tuple[str, ...]]]] = {oid: [] for oid in there}
    for oid, is_primary, key in connection.execute(_KEYS, (list(there),)):
        keys[oid].append((is_primary, tuple(key)))
    return {relation: _target(relation, columns[oid], keys[oid]) for oid, relation in there.items()}


def _target(
    relation: Relation, columns: Sequence[TargetColumn], keys: Sequence[tuple[bool, tuple[str, ...]]]
) -> Target:
    primary = next((names for is_primary, names in keys if is_primary), ())
    return Target(relation, tuple(columns), primary, tuple(names for _, names in keys))


def _column(*found: Any) -> TargetColumn:
    name, type_name, modifier, not_null, default, identity, generated, deterministic = found
    return TargetColumn(
        name=name,
        type=from_catalogue(type_name, modifier),
        not_null=not_null,
        filled=default or identity != "",
        generated=generated != "",
        identity=identity == "a",
        coarse=not deterministic or type_name in ("citext", "bpchar"),
    )


def has_schema(connection: Connection, schema: str) -> bool:
    query = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1"
    return connection.execute(query, (fitted(schema),)).fetchone() is not None


def measures(connection: Connection, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Measured]:
    """Of some tables, each (schema, table). A table that was never analyzed has no estimate of its rows."""
    asked = [[place[part] for place in places] for part in (0, 1)]
    return {
        (schema, name): Measured(rows, bytes_, tuple(keys))
        for schema, name, rows, bytes_, keys in connection.execute(_MEASURES, asked)
    }


def databases(connection: Connection) -> list[Database]:
    """Every schema that the user may look into, with its tables."""
    return [Database(schema, tuple(tables)) for schema, tables in connection.execute(_CATALOG)]
