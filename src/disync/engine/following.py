"""What becomes of a change of the source's schema: the task's policy, and what it leaves behind.

What a policy keeps from a target has to be remembered: rows go on to have columns that their target was never given,
and that is no error, while a column which somebody takes out of a target is one.
"""

from __future__ import annotations

from typing import Protocol

import structlog

from disync.engine.joining import Joining
from disync.engine.ledger import Ledger
from disync.engine.plan import Pipeline
from disync.model.data import SchemaChange, Table
from disync.model.ddl import Policy
from disync.model.errors import BadConfig, DdlRefused
from disync.model.run import Task
from disync.model.table_mapping import Route

log = structlog.get_logger()


class Host(Protocol):
    """The run that this is a part of."""

    def belongs(self, change: SchemaChange) -> None: ...
    def begin_anew(self) -> None: ...


class Following:
    def __init__(self, run: Host, pipeline: Pipeline, task: Task, ledger: Ledger, joining: Joining) -> None:
        self._run = run
        self._pipeline = pipeline
        self._task = task
        self._ledger = ledger
        self._joining = joining
        self._omitted: dict[str, frozenset[str]] = {}
        self._places: dict[str, Route] | None = None

    def begin(self) -> None:
        """Take up what the runs before have left out."""
        self._omitted = dict(self._ledger.omitted())
        self._pipeline.omit(self._omitted)

    def followed(self, change: SchemaChange) -> SchemaChange | None:
        """What the target is to follow, by the task's policy for this kind of change (ddlMarkMap)."""
        mapped = self._ruled(change)
        for one in (change, *change.together) if mapped is None else ():
            self._omit(one, followed=False)
        return mapped

    def altered(self, change: SchemaChange) -> None:
        """The target has followed."""
        lacking = f", but rows that were there have null in {', '.join(change.unfilled)}" if change.unfilled else ""
        self._ledger.changed(change, self._policy(change), f"followed{lacking}")
        for one in (change, *change.together):
            self._omit(one, followed=True)

    def _ruled(self, change: SchemaChange) -> SchemaChange | None:
        policy = self._policy(change)
        if policy is not Policy.NORMAL:
            self._ledger.changed(change, policy, "stops the task" if policy is Policy.CRITICAL else "not followed")
        if policy is Policy.CRITICAL:
            tables = _tables_of(change)
            raise DdlRefused(
                f"{change.kind} of {', '.join(tables)} stops this task, as ddlMarkMap says: {change.statement[:200]}. "
                "Make the target fit, and start the task with another policy for this kind.",
                tables,
            )
        if policy is not Policy.IGNORE:
            log.warning(
                "schema change", task=self._task.id, kind=change.kind, policy=policy, statement=change.statement[:1000]
            )
        if policy is not Policy.NORMAL:
            return None
        mapped = self._pipeline.transform.change(change)
        if mapped is None:
            self._ledger.changed(change, policy, "not followed, as other tables have the same target")
        elif self._joining.loads_anew(change):
            self._ledger.changed(change, policy, "its table is loaded anew")
            self._run.begin_anew()
            return None
        elif change.unknown and change.kind != "CREATETABLE":
            self._ledger.changed(change, policy, "not followed, as its rows are not told")
            return None
        else:
            self._apart(change, mapped)
        for one in (change, *change.together):
            self._run.belongs(one)
        return mapped

    def _policy(self, change: SchemaChange) -> Policy:
        return self._task.ddl.get(change.kind, Policy.WARNING)

    def _omit(self, change: SchemaChange, followed: bool) -> None:
        """Of a table that was read in its new shape nobody knows which columns came: any may be absent then."""
        before, after = ({column.name for column in table.columns} for table in (change.before, change.after))
        come = after - before
        if change.kind in ("ADDCOLUMN", "RENAMECOLUMN") and not followed:
            come = come or after
        elif not followed:
            come = set()
        known = self._omitted.get(change.before.name, frozenset())
        if change.before.name != change.after.name:
            self._put(change.before.name, frozenset())
        self._put(change.after.name, (known & after) - come if followed else (known & after) | come)

    def _put(self, table: str, columns: frozenset[str]) -> None:
        if columns != self._omitted.get(table, frozenset()):
            self._ledger.omit(table, columns)
            self._omitted[table] = columns
            self._pipeline.transform.omit(table, columns)

    def _apart(self, change: SchemaChange, mapped: SchemaChange) -> None:
        """Tables must not meet in one target by mistake, as where it cuts names."""
        if self._places is None:
            self._places = {self._place(route.target): route for route in self._pipeline.routes}
        places = self._places
        changes = list(zip((change, *change.together), (mapped, *mapped.together), strict=True))
        for _, one in changes:
            if one.kind in ("RENAMETABLE", "DROPTABLE"):
                places.pop(self._place(one.before), None)
        for told, one in changes:
            if one.kind not in ("RENAMETABLE", "CREATETABLE"):
                continue
            there = places.setdefault(self._place(one.after), Route(told.after, one.after))
            if (there.target.name, there.target.path) != (one.after.name, one.after.path):
                raise BadConfig(
                    f"{told.after.name} would be written into {self._place(one.after)}, which is the target of "
                    f"{there.source.name}. Give it a target of its own (tableMappingRule), of a name that the target "
                    "does not cut to the same, or leave it out.",
                    {told.before.name, told.after.name},  # its rows from before would have it come again
                )

    def _place(self, target: Table) -> str:
        return self._pipeline.writer.place(target)


def _tables_of(change: SchemaChange) -> list[str]:
    """Those that a statement is about, by their names before it: without one that exists only inside of it."""
    found, made = list[str](), set[str]()
    for one in (change, *change.together):
        if one.before.name not in made:
            found.append(one.before.name)
        made.add(one.after.name)
    return found
