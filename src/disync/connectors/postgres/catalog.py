"""What the target database has: its tables, their columns and keys, as pg_catalog tells."""

from __future__ import annotations

from dataclasses import dataclass

from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.sql import Relation, fitted
from disync.connectors.postgres.types import ColumnType, from_catalogue
from disync.model.connector import Database
from disync.model.errors import BadConfig

_TABLE = """
SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
SELECT a.attname, t.typname, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated,
       coalesce(l.collisdeterministic, true)
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
SELECT i.indisprimary, array(
    SELECT a.attname::text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) ORDER BY array_position(i.indkey, a.attnum))
FROM pg_catalog.pg_index i
WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
ORDER BY i.indisprimary DESC, i.indexrelid
"""
_CATALOG = """
SELECT n.nspname, array(
    SELECT c.relname::text FROM pg_catalog.pg_class c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname)
FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname
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


def describe(connection: Connection, relation: Relation) -> Target | None:
    """The table as it stands, None where there is none."""
    found = connection.execute(_TABLE, (fitted(relation.schema or ""), fitted(relation.name))).fetchone()
    if found is None:
        return None
    oid, kind = found
    if kind in _KINDS:
        raise BadConfig(f"{relation} is {_KINDS[kind]}, and only tables can be written to. Name another `table`.")
    columns = tuple(
        TargetColumn(
            name=name,
            type=from_catalogue(type_name, modifier),
            not_null=not_null,
            filled=default or identity != "",
            generated=generated != "",
            identity=identity == "a",
            coarse=not deterministic or type_name in ("citext", "bpchar"),
        )
        for name, type_name, modifier, not_null, default, identity, generated, deterministic in connection.execute(
            _COLUMNS, (oid,)
        )
    )
    keys = connection.execute(_KEYS, (oid,)).fetchall()
    primary = next((tuple(names) for is_primary, names in keys if is_primary), ())
    return Target(relation, columns, primary, tuple(tuple(names) for _, names in keys))


def has_schema(connection: Connection, schema: str) -> bool:
    query = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1"
    return connection.execute(query, (fitted(schema),)).fetchone() is not None


def databases(connection: Connection) -> list[Database]:
    """Every schema that the user may look into, with its tables."""
    return [Database(schema, tuple(tables)) for schema, tables in connection.execute(_CATALOG)]
