"""Following changes of the source's schema. Each compares before it applies, so that it may come twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from disync.connectors.postgres.catalog import Target, describe
from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.sql import literal, quote
from disync.connectors.postgres.target import Dialect, Wish, keys_of, lacking, make
from disync.connectors.postgres.types import ColumnType, misfit, type_of
from disync.model.data import Column, SchemaChange, Table
from disync.model.errors import BadConfig
from disync.model.types import Kind


def follow(connection: Connection, dialect: Dialect, change: SchemaChange, wish: Callable[[Table], Wish]) -> None:
    """Repeat a change in the target. The caller commits. Which changes come here is decided by policy before.

    `kind` is one of the eight of ddlMarkMap (CREATETABLE, ADDCOLUMN …), in any case. Changes of columns are found by
    comparing `before` and `after`; the kind only tells a renamed column from one dropped and one added.
    """
    kind = change.kind.upper().replace("_", "").replace(" ", "")
    before, after = wish(change.before), wish(change.after)
    match kind:
        case "CREATETABLE":
            # Seen once more, it may have columns that came later: the log tells of them, and rows must find them.
            make(connection, replace(after, lenient=True), dialect)
        case "DROPTABLE":
            connection.execute(f"DROP TABLE IF EXISTS {before.relation}".encode())
        case "TRUNCATETABLE":
            if describe(connection, before.relation) is not None:
                connection.execute(f"TRUNCATE TABLE {before.relation}".encode())
        case "RENAMETABLE":
            _rename_table(connection, before, after)
        case _:
            _columns(connection, dialect, change, after, kind == "RENAMECOLUMN")


def _rename_table(connection: Connection, before: Wish, after: Wish) -> None:
    """A run that began after the source's renaming and before ours has made an empty table of that name: it goes."""
    if before.relation.place == after.relation.place or describe(connection, before.relation) is None:
        return
    if describe(connection, after.relation) is not None:
        if connection.execute(f"SELECT 1 FROM {after.relation} LIMIT 1".encode()).fetchone():
            raise BadConfig(f"{before.relation} cannot be renamed to {after.relation}: that table is there already.")
        connection.execute(f"DROP TABLE {after.relation}".encode())
    connection.execute(f"ALTER TABLE {before.relation} RENAME TO {quote(after.relation.name)}".encode())


def _columns(connection: Connection, dialect: Dialect, change: SchemaChange, after: Wish, renames: bool) -> None:
    target = describe(connection, after.relation)
    if target is None:
        raise BadConfig(f"There is no table {after.relation} to follow {change.kind}. Start the task again.")
    renamed = _renamed(change.before, change.after) if renames else {}
    actions = [
        f"RENAME COLUMN {quote(old)} TO {quote(new)}"
        for old, new in renamed.items()
        if target.find(new) is None and target.find(old) is not None
    ]
    target = _after_renames(target, renamed)
    if error := lacking(replace(after, table=_stayed(change, renamed)), target):
        raise error
    actions += _dropped(change, renamed, target)
    constants = {n: value for n, value in _constants(change, after).items() if target.find(n) is None}
    actions += _added_and_modified(dialect, change, renamed, target, constants if dialect.fills else {})
    if change.before.columns == change.after.columns:
        actions += _outgrown(dialect, change, target)
    for action in actions:
        connection.execute(f"ALTER TABLE {after.relation} {action}".encode())
    if constants and not dialect.fills:
        values = ", ".join(f"{quote(name)} = {value}" for name, value in constants.items())
        connection.execute(f"UPDATE {after.relation} SET {values}".encode())
    _key_kept(change, after, describe(connection, after.relation) or target)


def _renamed(before: Table, after: Table) -> dict[str, str]:
    """Old name → new name: columns that stand in the same place among those that only one side has."""
    old_names, new_names = ([column.name for column in table.columns] for table in (before, after))
    gone = [name for name in old_names if name not in new_names]
    come = [name for name in new_names if name not in old_names]
    return dict(zip(gone, come, strict=False))


def _stayed(change: SchemaChange, renamed: dict[str, str]) -> Table:
    """The table with those columns alone that the target has to have already. Of a change of a table that was read in
    its new shape nobody knows which these are."""
    was = {renamed.get(column.name, column.name).lower() for column in change.before.columns}
    known = change.before.columns != change.after.columns
    return replace(change.after, columns=tuple(c for c in change.after.columns if known and c.name.lower() in was))


def _after_renames(target: Target, renamed: dict[str, str]) -> Target:
    names = {found.name: new for old, new in renamed.items() if (found := target.find(old)) and not target.find(new)}
    return replace(target, columns=tuple(replace(c, name=names.get(c.name, c.name)) for c in target.columns))


def _dropped(change: SchemaChange, renamed: dict[str, str], target: Target) -> list[str]:
    kept = {column.name.lower() for column in change.after.columns}
    gone = [column for column in change.before.columns if column.name.lower() not in kept]
    return [
        f"DROP COLUMN IF EXISTS {quote(found.name)}"
        for column in gone
        if column.name not in renamed and (found := target.find(column.name)) is not None
    ]


def _added_and_modified(
    dialect: Dialect, change: SchemaChange, renamed: dict[str, str], target: Target, constants: dict[str, str]
) -> list[str]:
    """A default only fills the rows that are there: what comes later says what it holds."""
    old = {renamed.get(column.name, column.name).lower(): column for column in change.before.columns}
    actions: list[str] = []
    for column in change.after.columns:
        found, was = target.find(column.name), old.get(column.name.lower())
        kind = type_of(column, dialect.numeric_digits)
        if found is None and column.optional and was is not None:
            continue  # it did not come with this change
        if found is None:
            default = constants.get(column.name)
            actions.append(f"ADD COLUMN {quote(column.name)} {kind}{f' DEFAULT {default}' if default else ''}")
            actions += [f"ALTER COLUMN {quote(column.name)} DROP DEFAULT"] if default else []
        elif was is not None and _modified(was, column, found.type, kind):
            actions.append(_retyped(found.name, kind))
    return actions


def _outgrown(dialect: Dialect, change: SchemaChange, target: Target) -> list[str]:
    """The change of a table that was read in its new shape already: from what it came nobody knows any more, but what
    is too narrow for it has to follow."""
    outgrown = [(c, found) for c in change.after.columns if (found := target.find(c.name)) and misfit(c, found.type)]
    return [_retyped(found.name, type_of(column, dialect.numeric_digits)) for column, found in outgrown]


def _constants(change: SchemaChange, after: Wish) -> dict[str, str]:
    """What fills columns that come, as SQL. In what only grows each row stays as it was then."""
    kinds = {column.name: column.kind for column in change.after.columns}
    given = [] if after.append else change.filled
    return {name: _constant(kinds[name], value) for name, value in given if value is not None and name in kinds}


_EPOCH = datetime(1970, 1, 1)


def _constant(kind: Kind, value: Any) -> str:
    """A value in the storage of its kind, as a literal that any column of this kind takes."""
    match kind:
        case Kind.DATE:
            text = str(date.fromordinal(value + _EPOCH.toordinal()))
        case Kind.DATETIME:
            text = str(_EPOCH + timedelta(microseconds=value))
        case Kind.TIMESTAMP:
            text = f"{_EPOCH + timedelta(microseconds=value)}+00"
        case Kind.BYTES:
            text = f"\\x{value.hex()}"
        case _:
            text = str(value)
    return literal(text)


def _retyped(name: str, kind: ColumnType) -> str:
    return f"ALTER COLUMN {quote(name)} TYPE {kind} USING {quote(name)}::{kind}"


def _modified(was: Column, column: Column, actual: ColumnType, wanted: ColumnType) -> bool:
    """Whether the type here has to follow: a column that is wider already, or was never of our choice, is let be."""
    if was.kind is not column.kind and actual.name == type_of(was).name:
        return actual.name != wanted.name
    return replace(was, name=column.name) != column and misfit(column, actual) is not None


def _key_kept(change: SchemaChange, after: Wish, target: Target) -> None:
    """A key that has changed is for the owner of the table: rows that were one may be two now."""
    keys, names = change.after.keys, {column.name for column in change.after.columns}
    if after.append or set(keys) == set(change.before.keys) or keys_of(target, change.after):
        return
    if keys and names.issuperset(keys):  # of a statement in steps, an early one may name a key that is yet to come
        raise BadConfig(
            f"The key of {change.after.name} is now ({', '.join(keys)}), which {after.relation} does not "
            f"keep unique. Give it that primary key and start the task again: {change.statement}"
        )
