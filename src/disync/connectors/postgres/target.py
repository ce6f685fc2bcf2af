"""The tables of the target: made where they are absent, and held against the source where they are there.

Nothing is written before all of a task's tables have passed, and a misfit says what to do about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psycopg
import structlog

from disync.connectors.postgres import late_key, sql
from disync.connectors.postgres.catalog import Target, TargetColumn, describe_all, has_schema
from disync.connectors.postgres.connection import MADE_MEANWHILE, Connection
from disync.connectors.postgres.sql import Relation, fitted, quote
from disync.connectors.postgres.types import NUMERIC_DIGITS, misfit, type_of
from disync.model.data import Column, Table
from disync.model.errors import BadConfig, Misfit
from disync.model.outlook import Outlook
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
    `properties`: of a table that we make, put by `CALL set_table_property`. `late_keys`: whether a table that is there
    can be given its primary key. `fills`: whether the default of a column that comes fills the rows that are there, at
    once and without writing them. `counts`: whether what it says of how many rows a statement has put is exact.
    `shares`: whether several transactions can lock one row (FOR SHARE).
    """

    name: str
    numeric_digits: int = NUMERIC_DIGITS
    session: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    late_keys: bool = True
    fills: bool = True
    counts: bool = True
    shares: bool = True


POSTGRESQL = Dialect("PostgreSQL")


@dataclass(frozen=True, slots=True)
class Wish:
    """A table of the source and what is asked of its target. `append`: rows are added, never replaced.

    `lenient`: a column that the target has not is left out, and one that is narrower is let be, because the log of a
    run that goes on may still add it or make it wider. `keyless`: its key comes when its rows are in (`late_key`).
    """

    relation: Relation
    table: Table
    append: bool = False
    lenient: bool = False
    keyless: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.table.columns, *CHANGE_COLUMNS) if self.append else self.table.columns

    @property
    def keys(self) -> tuple[str, ...]:
        return () if self.append else self.table.keys

    @property
    def primary(self) -> tuple[str, ...]:
        """The columns of the key, as a table that we make has them."""
        names = {column.name.lower(): column.name for column in self.columns}
        return tuple(names[key.lower()] for key in self.keys if key.lower() in names)


MADE_AT_ONCE = 100
"""Tables that one transaction makes: each needs a few of the locks that a server has room for."""


def absent(connection: Connection, wishes: Sequence[Wish]) -> list[Wish]:
    """Those whose target is not there; BadConfig where one is and does not fit. Ends the transaction."""
    there = describe_all(connection, [wish.relation for wish in wishes])
    connection.rollback()
    found = []
    for wish in wishes:
        target = there.get(wish.relation)
        if target is None:
            found.append(wish)
        elif error := _misfit(wish, target):
            raise error
    return found


def make_all(connection: Connection, wishes: Sequence[Wish], dialect: Dialect) -> None:
    """As `make`, many at once; one by one where a server has rules of its own for that, or has refused one of them."""
    for start in range(0, len(wishes), MADE_AT_ONCE):
        some = wishes[start : start + MADE_AT_ONCE]
        if len(some) == 1 or dialect is not POSTGRESQL or not _made_together(connection, some, dialect):
            for wish in some:
                make(connection, wish, dialect)


def _made_together(connection: Connection, wishes: Sequence[Wish], dialect: Dialect) -> bool:
    try:
        for schema in dict.fromkeys(wish.relation.schema or "public" for wish in wishes):
            make_schema(connection, schema)
        statements = [statement for wish in wishes for statement in _creation(wish, dialect)]
        connection.execute("; ".join(statements).encode())
        connection.commit()
    except psycopg.Error:
        if connection.closed:
            raise
        connection.rollback()
        return False
    return True


def foresee(connection: Connection, wish: Wish, dialect: Dialect) -> Outlook:
    """What `absent` would find, or `make` would make. Ends the transaction."""
    target = describe_all(connection, [wish.relation]).get(wish.relation)
    connection.rollback()
    if target is None:
        _names_differ(wish)
        types = {column.name: str(type_of(column, dialect.numeric_digits)) for column in wish.columns}
        return Outlook(str(wish.relation), False, statement(wish, dialect), types, _keyless(wish, wish.keys))
    found = {column.name: target.find(column.name) for column in wish.columns}
    types = {name: str(column.type) for name, column in found.items() if column is not None}
    error = _misfit(wish, target)
    told = (str(error),) if error else _keyless(wish, keys_of(target, wish.table))
    return Outlook(str(wish.relation), True, "", types, told)


def _keyless(wish: Wish, keys: Sequence[str]) -> tuple[str, ...]:
    if keys or wish.append:
        return ()
    return (
        "It has no key: it can be loaded, and the task stops at its first change, which cannot be repeated. Give it a "
        "primary key, leave it out, or set writeMode to insert, which appends every change as a row.",
    )


def lacking(wish: Wish, target: Target) -> Misfit | None:
    """Why the rows to come, which have columns that the target has not, cannot be written."""
    gone = [column for column in wish.columns if target.find(column.name) is None and not column.optional]
    if not gone:
        return None
    adding = "; ".join(_adding(wish, column) for column in gone[:_SHOWN])
    return Misfit(
        f"Rows of {wish.table.name} have {_named(gone)}, which {wish.relation} has not, or not any more: {adding}. "
        "Then start the task again. A column that was dropped comes back empty: to fill it, have the table loaded "
        "again (RetryDISyncTables).",
        [wish.table.name],
    )


def _named(columns: Sequence[Column]) -> str:
    more = f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else ""
    return f"{'column' if len(columns) == 1 else 'columns'} {', '.join(c.name for c in columns[:_SHOWN])}{more}"


def _adding(wish: Wish, column: Column) -> str:
    return f"ALTER TABLE {wish.relation} ADD COLUMN {quote(column.name)} {type_of(column)}"


def _misfit(wish: Wish, target: Target) -> Misfit | None:
    problems = _problems(wish, target)
    if not problems:
        return None
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return Misfit(
        f"Table {wish.relation} does not fit {wish.table.name} of the source: "
        f"{'; '.join(problems[:_SHOWN] + more)}. Nothing was written. "
        "Alter the table, or drop it and it will be made anew.",
        [wish.table.name],
    )


def make(connection: Connection, wish: Wish, dialect: Dialect) -> None:
    """The target of a table, made if it is absent. Commits."""
    while absent(connection, [wish]):
        try:
            make_schema(connection, wish.relation.schema or "public")
            for statement in _creation(wish, dialect):
                connection.execute(statement.encode())
            connection.commit()
            return
        except MADE_MEANWHILE:
            connection.rollback()


def keys_of(target: Target, table: Table) -> tuple[str, ...]:
    """The target's columns that tell rows apart: the source's keys, or the target's own where the source knows none."""
    if not table.keys and table.repeats:
        return ()
    if not table.keys:
        names = {found.name for column in table.columns if (found := target.find(column.name))}
        return target.primary if names.issuperset(target.primary) else ()
    keys = tuple(found.name for key in table.keys if (found := target.find(key)) is not None)
    return target.conflict(keys) or ()


def make_schema(connection: Connection, schema: str) -> None:
    """CREATE SCHEMA IF NOT EXISTS asks for a privilege even where there is nothing to do."""
    if not has_schema(connection, schema):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(schema)}".encode())


def statement(wish: Wish, dialect: Dialect) -> str:
    """By which the table is made."""
    keys = wish.primary
    columns = [
        (column.name, str(type_of(column, dialect.numeric_digits)), column.name in keys) for column in wish.columns
    ]
    return sql.create_table(wish.relation, columns, () if wish.keyless else keys)


def properties(relation: Relation, dialect: Dialect) -> Iterator[str]:
    """The statements that set those of a table which has just been made."""
    for property_, value in dialect.properties:
        called = ", ".join(sql.literal(part) for part in (str(relation), property_, value))
        yield f"CALL set_table_property({called})"


def _creation(wish: Wish, dialect: Dialect) -> Iterator[str]:
    """The statements that make it."""
    _names_differ(wish)
    yield statement(wish, dialect)
    if wish.keyless:
        yield late_key.mark(wish.relation)
    yield from properties(wish.relation, dialect)
    for column in wish.columns:
        if column.comment:
            yield sql.comment_on(wish.relation, column.name, column.comment)


_TAKEN = frozenset({"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"})


def _names_differ(wish: Wish) -> None:
    """The server cuts long names without a word; two that become one must not pass for one column."""
    names = [fitted(column.name) for column in wish.columns]
    if taken := sorted(_TAKEN.intersection(names)):
        raise BadConfig(
            f"Table {wish.table.name} has columns named as PostgreSQL names its own: {', '.join(taken)}. Rename them "
            "in the source, or leave the table out."
        )
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
        if found is None and (wish.lenient or column.optional):
            log.warning("postgres.column_missing", table=str(wish.relation), column=column.name)
        elif found is None:
            problems.append(f"it has no column {column.name}: {_adding(wish, column)}")
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
    if wish.keyless:
        return []
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
    counts = Counter(fitted(one or table.name) for table in tables)
    for name in sorted({one or table.name for table in tables if counts[fitted(one or table.name)] > 1}):
        sources = ", ".join(table.name for table in tables if fitted(one or table.name) == fitted(name))
        raise BadConfig(
            f"Several tables of the source would be written to {name}: {sources}. Name each its own target."
        )
