"""What a statement did to the selected tables, told by what the server described before and describes now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from disync.connectors.mysql import ddl
from disync.connectors.mysql.ddl import Statement
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.model.data import Table


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one kind."""

    kind: str
    before: Table
    after: Table


@dataclass(frozen=True, slots=True)
class Views:
    """The tables as `known` so far and as `described` now.

    `altered`: tables of which `known` is already newer than the statement.
    """

    selection: Selection
    known: Mapping[Name, Shape]
    described: Mapping[Name, Shape]
    altered: frozenset[Name]


def steps(statement: Statement, views: Views) -> list[Step]:
    """Every change that the statement made to selected tables, in order."""
    names = dict.fromkeys(name for name in statement.tables if views.selection.holds(*name))
    return [step for name in names for step in _of(statement, name, views)]


def known_after(statement: Statement, views: Views) -> dict[Name, Shape]:
    """The tables that are known behind the statement. One that is gone by now is known until the log says so, too."""
    known = dict(views.known)
    leaving = statement.tables if statement.verb == "DROP" else [old for old, _ in statement.renames]
    for name in statement.tables:
        if name in views.described:
            known[name] = views.described[name]
        elif name in leaving:
            known.pop(name, None)
    return known


def _of(statement: Statement, name: Name, views: Views) -> list[Step]:
    old, new = views.known.get(name), views.described.get(name)
    empty = Table(views.selection.name(*name), path=name)
    if statement.verb == "TRUNCATE":
        return [Step("TRUNCATETABLE", old.table, (new or old).table)] if old else []
    # A run that begins behind the place where a table lost its name has never seen it; the target may have it still.
    unseen = name in views.altered
    if statement.verb == "DROP":
        return [Step("DROPTABLE", old.table if old else empty, empty)] if old or unseen else []
    renames = dict(statement.renames)
    if name in renames and new is None:
        return [_renamed(old.table if old else empty, renames[name], views)] if old or unseen else []
    if new is None:
        return []  # gone by now; the statement that took it away is still to come
    if statement.verb == "CREATE":
        return _created(statement, name, old, new, views)
    if old is None:
        came = any(target == name and source in views.known for source, target in statement.renames)
        return [] if came else [Step("CREATETABLE", empty, new.table)]
    unseen = unseen and statement.verb == "ALTER"
    before = ddl.undone(statement, new.table) if unseen else old.table
    ways = ddl.steps(statement, before, new.table)
    if unseen and ddl.modifies(statement) and "MODIFYCOLUMN" not in [kind for kind, _ in ways]:
        ways.append(("MODIFYCOLUMN", new.table))  # from what, nobody knows any more
    found = []
    for kind, table in ways:
        found.append(Step(kind, before, table))
        before = table
    return found


def _created(statement: Statement, name: Name, old: Shape | None, new: Shape, views: Views) -> list[Step]:
    empty = Table(views.selection.name(*name), path=name)
    made = Step("CREATETABLE", empty, new.table)
    if old is None or name in views.altered:
        return [made]
    # IF NOT EXISTS has done nothing to a table that was there; OR REPLACE has taken its rows.
    return [Step("DROPTABLE", old.table, empty), made] if statement.words[1:3] == ("OR", "REPLACE") else []


def _renamed(old: Table, target: Name, views: Views) -> Step:
    there = views.described.get(target)
    renamed = there.table if there else replace(old, name=views.selection.name(*target), path=target)
    return Step("RENAMETABLE", old, renamed)
