"""What a statement did to the selected tables, told by what the server described before and describes now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from disync.connectors.mysql import ddl, defaults
from disync.connectors.mysql.ddl import Statement
from disync.connectors.mysql.defaults import Unfilled
from disync.connectors.mysql.history import Later
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.model.data import Position, SchemaChange, Table


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one kind; all as in a SchemaChange."""

    kind: str
    before: Table
    after: Table
    filled: tuple[tuple[str, Any], ...] = ()
    unfilled: tuple[str, ...] = ()
    together: tuple[Step, ...] = ()
    unknown: bool = False

    def change(self, text: str, position: Position) -> SchemaChange:
        more = tuple(one.change(text, position) for one in self.together)
        return SchemaChange(
            self.before, self.after, self.kind, text, position, self.filled, self.unfilled, more, self.unknown
        )


@dataclass(frozen=True, slots=True)
class Views:
    """The tables as `known` so far and as `described` now.

    `altered`: tables of which `known` is already newer than the statement. `later`: those that later statements change.
    """

    selection: Selection
    known: Mapping[Name, Shape]
    described: Mapping[Name, Shape]
    altered: frozenset[Name]
    later: Mapping[Name, Later] = field(default_factory=dict)

    def empty(self, name: Name) -> Table:
        return Table(self.selection.name(*name), path=name)

    def seen(self, name: Name) -> bool:
        """Whether it was a selected table. A run that begins behind the place where a table lost its name has never
        seen it; the target may have it still."""
        return self.selection.holds(*name) and (name in self.known or name in self.altered)


def steps(statement: Statement, views: Views) -> list[Step]:
    """Every change that the statement made to selected tables, in order."""
    if statement.renames:
        return _renamings(statement, views)
    names = dict.fromkeys(name for name in statement.tables if views.selection.holds(*name))
    refilled = [step for name in names if name in statement.refilled for step in _refilled(name, views)]
    return [*refilled, *(step for name in names for step in _of(statement, name, views))]


def known_after(statement: Statement, views: Views) -> dict[Name, Shape]:
    """The tables that are known behind the statement. One that is gone by now is known until the log says so, too."""
    known = dict(views.known)
    for old, new in statement.renames:
        shape = known.pop(old, None)
        if shape is not None and views.selection.holds(*new):
            table = replace(shape.table, name=views.selection.name(*new), path=new)
            known[new] = replace(shape, database=new[0], name=new[1], table=table)
    for name in statement.tables:
        if name in views.described:
            known[name] = views.described[name]
        elif statement.verb == "DROP":
            known.pop(name, None)
    return known


def _of(statement: Statement, name: Name, views: Views) -> list[Step]:
    old, new = views.known.get(name), views.described.get(name)
    empty = views.empty(name)
    if statement.verb == "TRUNCATE":
        return [Step("TRUNCATETABLE", old.table, (new or old).table)] if old else []
    if statement.verb == "DROP":
        return [Step("DROPTABLE", old.table if old else empty, empty)] if views.seen(name) else []
    if new is None:
        return []  # gone by now; the statement that took it away is still to come
    if statement.verb == "CREATE":
        return _created(statement, name, old, new, views)
    if old is None:
        return [Step("CREATETABLE", empty, new.table, unknown=name in statement.refilled)]
    return _columns(statement, old.table, new, views)


def _refilled(name: Name, views: Views) -> list[Step]:
    """A table that has lost rows, or got some, of which the log does not tell; or is gone, as it became a partition."""
    old, new = views.known.get(name), views.described.get(name)
    if new is None:
        return (
            [Step("DROPTABLE", old.table if old else views.empty(name), views.empty(name))] if views.seen(name) else []
        )
    return [Step("TRUNCATETABLE", old.table, new.table, unknown=True)] if old else []


def _columns(statement: Statement, old: Table, new: Shape, views: Views) -> list[Step]:
    """What has become of a table's columns."""
    unseen = new.place in views.altered and statement.verb == "ALTER"
    after = _without_later(new, old, views, unseen)
    before = ddl.undone(statement, after) if unseen else old
    exchanged = ddl.exchanges(statement, before, after)
    ways = ddl.steps(replace(statement, words=()) if exchanged else statement, before, after)
    if unseen and ddl.modifies(statement) and "MODIFYCOLUMN" not in [kind for kind, _ in ways]:
        ways.append(("MODIFYCOLUMN", after))  # from what, nobody knows any more
    found = []
    for kind, table in ways:
        step = Step(kind, before, table)
        found.append(_filled(step, new, views) if kind == "ADDCOLUMN" else step)
        before = table
    # Which column the values of a row are now in the target cannot tell; it has the columns, and gets the rows anew.
    return [*found, Step("RENAMECOLUMN", after, after, unknown=True)] if exchanged else found


def _without_later(new: Shape, old: Table, views: Views, unseen: bool) -> Table:
    """The table without the columns that are still to come: rows that come before them know nothing of these, and what
    fills them comes then."""
    later = views.later.get(new.place)
    coming = later.added if later else frozenset()
    there = frozenset() if unseen else {column.name.upper() for column in old.columns}
    columns = (c for c in new.table.columns if c.name.upper() not in coming - there)
    return replace(new.table, columns=tuple(columns))


def _filled(step: Step, new: Shape, views: Views) -> Step:
    """What the rows that are there have in the columns that have come, by the defaults of now: if these may be others
    than they were then, nobody knows."""
    come = {column.name for column in step.after.columns} - {column.name for column in step.before.columns}
    later = views.later.get(new.place)
    filled: list[tuple[str, Any]] = []
    unfilled: list[str] = []
    for native in new.natives:
        if native.name not in come or (native.nullable and native.default is None and not native.computed):
            continue
        try:
            if later is not None and not later.grown:
                raise Unfilled("it was altered again")
            filled.append((native.name, defaults.given(native)))
        except Unfilled:
            unfilled.append(native.name)
    return replace(step, filled=tuple(filled), unfilled=tuple(unfilled))


def _created(statement: Statement, name: Name, old: Shape | None, new: Shape, views: Views) -> list[Step]:
    empty = views.empty(name)
    made = Step("CREATETABLE", empty, new.table)
    if old is None or name in views.altered:
        return [made]
    # IF NOT EXISTS has done nothing to a table that was there; OR REPLACE has taken its rows.
    return [Step("DROPTABLE", old.table, empty), made] if statement.words[1:3] == ("OR", "REPLACE") else []


def _renamings(statement: Statement, views: Views) -> list[Step]:
    """Renamings within the selection, all at once, as tables may change places; then what came into it from outside."""
    seen, comes = _paths(statement, views)
    known = {name: shape.table for name, shape in views.known.items()}
    moved: list[Step] = []
    for old, new in statement.renames:
        if old in seen and (old not in comes or views.selection.holds(*new)):
            step = _renamed(known.pop(old, views.empty(old)), new, views)
            known[new] = step.after
            moved.append(step)
    found = [replace(moved[0], together=tuple(moved[1:]))] if moved else []
    for old, new in statement.renames:
        there = views.described.get(new)
        if there is None or not views.selection.holds(*new):
            continue
        if new in comes:
            found += _came(statement, there, views)
        elif {old, new}.isdisjoint(views.known) and not any(old == middle for _, middle in statement.renames):
            found.append(Step("CREATETABLE", views.empty(new), there.table))  # if the target has not had it
        elif old in views.known and statement.verb == "ALTER":
            was = views.known[old].table
            found += _columns(statement, replace(was, name=there.table.name, path=there.table.path), there, views)
    return found


def _paths(statement: Statement, views: Views) -> tuple[set[Name], set[Name]]:
    """(names from which tables of the selection go, be it on their way, names that tables from outside come to)"""
    seen: set[Name] = set()
    comes: set[Name] = set()
    there: set[Name] = set()
    for old, new in statement.renames:
        if views.seen(old) or old in there:
            seen.add(old)
            there |= {new} if views.selection.holds(*new) else set()
        elif views.selection.holds(*new):
            comes.add(new)
    return seen, comes


def _came(statement: Statement, there: Shape, views: Views) -> list[Step]:
    """A table with rows that nobody has told of has got the name; perhaps in place of one that had it."""
    old = views.known.get(there.place)
    if old is None:
        return [Step("CREATETABLE", views.empty(there.place), there.table, unknown=True)]
    # The target's columns follow first: the run ends with the other one.
    return [*_columns(statement, old.table, there, views), Step("RENAMETABLE", old.table, there.table, unknown=True)]


def _renamed(old: Table, target: Name, views: Views) -> Step:
    there = views.described.get(target)
    renamed = there.table if there else replace(old, name=views.selection.name(*target), path=target)
    return Step("RENAMETABLE", old, renamed)
