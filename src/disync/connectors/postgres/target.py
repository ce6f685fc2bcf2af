"""The tables of the target: made where they are absent, and held against the source where they are there.

Nothing is written before all of a task's tables have passed, and a misfit says what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from disync.connectors.postgres import sql
from disync.connectors.postgres.catalog import Target, TargetColumn, describe, has_schema
from disync.connectors.postgres.connection import MADE_MEANWHILE, Connection
from disync.connectors.postgres.sql import Relation, fitted, quote
from disync.connectors.postgres.types import NUMERIC_DIGITS, misfit, type_of
from disync.model.data import Column, Table
from disync.model.errors import BadConfig, Misfit
from disync.model.types import Kind

log = structlog.get_logger()

_SHOWN = 8

CHANGE_COLUMNS = (
    Column("_sequence_id_", Kind.STRING),
    Column("_operation_type_", Kind.STRING),
    Column("_execute_time_", Kind.BIGINT),
    Column("_before_image_", Kind.STRING),
    Column("_after_image_", Kind.STRING),
)
"""What `writeMode` insert adds to every row, as the vendor does in targets that only grow."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between servers that speak PostgreSQL's protocol.

    `session`: settings that are tried at the start of a session, and left where the server does not know them.
    `properties`: of a table that we make, put by `CALL set_table_property`.
    """

    name: str
    numeric_digits: int = NUMERIC_DIGITS
    session: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()


POSTGRESQL = Dialect("PostgreSQL")


@dataclass(frozen=True, slots=True)
class Wish:
    """A table of the source and what is asked of its target. `append`: rows are added, never replaced.

    `lenient`: a column that the target has not is left out, and one that is narrower is let be, because the log of a
    run that goes on may still add it or make it wider.
    """

    relation: Relation
    table: Table
    append: bool = False
    lenient: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.table.columns, *CHANGE_COLUMNS) if self.append else self.table.columns

    @property
    def keys(self) -> tuple[str, ...]:
        return () if self.append else self.table.keys


def fits(connection: Connection, wish: Wish) -> bool:
    """Whether the target is there; BadConfig if it is and does not fit. Ends the transaction."""
    target = describe(connection, wish.relation)
    connection.rollback()
    if target is None:
        return False
    problems = _problems(wish, target)
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise Misfit(
            f"Table {wish.relation} does not fit {wish.table.name} of the source: "
            f"{'; '.join(problems[:_SHOWN] + more)}. Nothing was written. "
            "Alter the table, or drop it and it will be made anew.",
            [wish.table.name],
        )
    return True


def make(connection: Connection, wish: Wish, dialect: Dialect) -> None:
    """The target of a table, made if it is absent. Commits."""
    while not fits(connection, wish):
        _names_differ(wish)
        try:
            _create(connection, wish, dialect)
            connection.commit()
            return
        except MADE_MEANWHILE:
            connection.rollback()


def keys_of(target: Target, table: Table) -> tuple[str, ...]:
    """The target's columns that tell rows apart: the source's keys, or for a source without any the target's own."""
    if not table.keys:
        names = {found.name for column in table.columns if (found := target.find(column.name))}
        return target.primary if names.issuperset(target.primary) else ()
    keys = tuple(found.name for key in table.keys if (found := target.find(key)) is not None)
    return target.conflict(keys) or ()


def make_schema(connection: Connection, schema: str) -> None:
    """CREATE SCHEMA IF NOT EXISTS asks for a privilege even where there is nothing to do."""
    if not has_schema(connection, schema):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}".encode())


def _create(connection: Connection, wish: Wish, dialect: Dialect) -> None:
    make_schema(connection, wish.relation.schema or "public")
    keys = {key.lower() for key in wish.keys}
    columns = [
        (column.name, str(type_of(column, dialect.numeric_digits)), column.name.lower() in keys)
        for column in wish.columns
    ]
    names = [column.name for column in wish.columns if column.name.lower() in keys]
    order = {key.lower(): place for place, key in enumerate(wish.keys)}
    names.sort(key=lambda name: order[name.lower()])
    connection.execute(sql.create_table(wish.relation, columns, names).encode())
    for property_, value in dialect.properties:
        called = ", ".join(sql.literal(part) for part in (str(wish.relation), property_, value))
        connection.execute(f"CALL set_table_property({called})".encode())
    for column in wish.columns:
        if column.comment:
            connection.execute(sql.comment_on(wish.relation, column.name, column.comment).encode())


def _names_differ(wish: Wish) -> None:
    """The server cuts long names without a word; two that become one must not pass for one column."""
    names = [fitted(column.name) for column in wish.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadConfig(
            f"Table {wish.table.name} has columns whose names are equal in their first {sql.NAME_BYTES} bytes, "
            f"which is all that PostgreSQL keeps: {', '.join(twice)}. Rename them in the source."
        )
    if not names:
        raise BadConfig(f"{wish.table.name} has no columns that a table could have.")


def _problems(wish: Wish, target: Target) -> list[str]:
    problems: list[str] = []
    fed: set[str] = set()
    for column in wish.columns:
        found = target.find(column.name)
        if found is None and wish.lenient:
            log.warning("postgres.column_missing", table=str(wish.relation), column=column.name)
        elif found is None:
            problems.append(
                f"it has no column {column.name}: ALTER TABLE {wish.relation} ADD COLUMN {quote(column.name)} "
                f"{type_of(column)}"
            )
        else:
            fed.add(found.name)
            problems += _column_problems(wish, column, found)
    problems += [
        f"column {column.name} must not be null, has no default, and the source has no such column"
        for column in target.columns
        if column.not_null and not column.filled and not column.generated and column.name not in fed
    ]
    return problems + _key_problems(wish, target)


def _column_problems(wish: Wish, column: Column, found: TargetColumn) -> list[str]:
    why = misfit(column, found.type)
    if why and wish.lenient:
        log.warning("postgres.column_narrower", table=str(wish.relation), column=column.name, why=why)
    problems = [f"column {column.name}: {why}"] if why and not wish.lenient else []
    keys = {key.lower() for key in wish.table.keys}
    if found.not_null and column.nullable and column.name.lower() not in keys:
        problems.append(
            f"column {column.name} may be null in the source and not here: ALTER TABLE {wish.relation} ALTER COLUMN "
            f"{quote(found.name)} DROP NOT NULL"
        )
    return problems


def _key_problems(wish: Wish, target: Target) -> list[str]:
    if wish.append:
        if not target.unique:
            return []
        unique = ", ".join(target.unique[0])
        return [f"writeMode insert adds a row for every change, and ({unique}) is kept unique: drop that constraint"]
    keys = keys_of(target, wish.table)
    if wish.table.keys and not keys:
        has = f"({', '.join(target.primary)})" if target.primary else "none"
        return [f"the key of the source is ({', '.join(wish.table.keys)}), the primary key here is {has}"]
    return [
        f"key column {column.name} takes different texts for equal ({column.type}, or its collation), so that two rows "
        "of the source may be one here: make it text with a deterministic collation"
        for column in target.columns
        if column.name in keys and column.coarse
    ]


def unlike(tables: Sequence[Table], one: str | None) -> None:
    """Two tables of the source must not be poured into one by mistake."""
    names = [one or table.name for table in tables]
    for name in sorted({name for name in names if [fitted(n) for n in names].count(fitted(name)) > 1}):
        sources = ", ".join(table.name for table in tables if fitted(one or table.name) == fitted(name))
        raise BadConfig(
            f"Several tables of the source would be written to {name}: {sources}. Name each its own target."
        )
