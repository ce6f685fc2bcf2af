"""What is looked at before a solution is stored or deployed: its text, its data sources, its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from disync.model import solution as model
from disync.model.data import Table
from disync.model.errors import BadConfig, Refused
from disync.model.job import Job, parse
from disync.model.solution import Solution
from disync.services import resource_groups, review
from disync.services.access import Caller
from disync.services.data_sources import DataSources, Known
from disync.services.precheck import Precheck
from disync.services.solutions.tables import Asking, Targets, named
from disync.store import deployments, solutions
from disync.store.database import Store


@dataclass(frozen=True, slots=True)
class Checked:
    """`warnings` about the text, what was `found` at the source, the tables that it selects (None: it cannot tell just
    now) and how many they are."""

    warnings: list[str]
    table_num: int
    selected: frozenset[str] | None = None
    found: list[str] = field(default_factory=list)
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class _Surroundings:
    warnings: list[str]
    contents: Mapping[str, Mapping[str, Any]]


class Checks:
    def __init__(self, store: Store, data_sources: DataSources) -> None:
        self._store = store
        self._data_sources = data_sources
        self._asking = Asking()
        self._precheck = Precheck()

    def look(self, caller: Caller, workspace_id: int, solution: Solution, group: str | None) -> Checked:
        """For a text that is only stored: everything is a warning."""
        with self._store.read() as db:
            around = self._surroundings(db, workspace_id, solution, group)
        return self._checked(caller, solution, around)

    def check(self, caller: Caller, row: Any, solution: Solution, group: str | None) -> Checked:
        """For a text that is to run as the solution of this row. Raises Refused for all that would keep it from
        running, as for a task."""
        with self._store.read() as db:
            around = self._surroundings(db, row.workspace_id, solution, group)
            loaded = solutions.loaded_tables(db, row.realtime_id)
            deployed = deployments.get(db, row.realtime_id)
            job = parse(solution.runs)
            try:
                review.require_runnable(job, self._known(db, row.workspace_id, job))
            except Refused as error:
                raise Refused(solution.at(str(error)), error.code) from error
        try:
            found = self._precheck.run(caller, job.source, around.contents)
        except Refused as error:
            raise Refused(solution.at(str(error)), error.code) from error
        checked = self._checked(caller, solution, around)
        if deployed is not None:
            _require_same_targets(parse(deployed.content), job, [t for t in checked.tables if t.name in loaded])
        return replace(checked, found=[solution.at(text) for text in found])

    def _checked(self, caller: Caller, solution: Solution, around: _Surroundings) -> Checked:
        """Raises Refused where two tables would become one by mistake."""
        job = parse(solution.runs)
        tables = self._asking.selected_or_none(caller, solution.job.source, around.contents)
        try:
            Targets(job).require_apart(tables or ())
        except BadConfig as error:
            raise Refused(solution.at(f"{job.target.place}.parameter: {error}"), "Invalid.TaskContent") from error
        if tables is None:
            return Checked(around.warnings, len(named(solution.job.source)))
        selected = frozenset(table.name for table in tables)
        return Checked(around.warnings, len(selected), selected, tables=tables)

    def _surroundings(self, db: Connection, workspace_id: int, solution: Solution, group: str | None) -> _Surroundings:
        known = self._known(db, workspace_id, solution.job)
        warnings = model.warnings(solution)
        warnings += [solution.at(text) for text in review.warnings(solution.job, known)]
        for place, group_ in (
            ("TaskParam.ResourceGroup", group),
            (f"{solution.place.removesuffix('.content')}.extend.resourceGroup", solution.group),
            ("$.offlineSyncConfig.resourceGroup", solution.node_group),
        ):
            here = f"{resource_groups.DEFAULT} is used."
            if group_ and (text := resource_groups.absence(db, group_, here)) is not None:
                warnings.append(f"{place}: {text}")
        names = [name for name, _ in solution.job.source.data_sources]
        return _Surroundings(warnings, self._data_sources.contents(db, workspace_id, names))

    def _known(self, db: Connection, workspace_id: int, job: Job) -> Mapping[str, Known]:
        names = [name for step in job.steps for name, _ in step.data_sources]
        return self._data_sources.known(db, workspace_id, names)


def _require_same_targets(before: Job, job: Job, loaded: Sequence[Table]) -> None:
    """What is loaded of a table is where it is: its changes must not go elsewhere from now on."""
    old, new = Targets(before), Targets(job)
    for table in loaded:
        was, would_be = (".".join(filter(None, targets.of(table))) for targets in (old, new))
        if was != would_be:
            raise Refused(
                f"{table.name} is loaded into {was}, and its changes would go to {would_be}. Terminate the solution, "
                "deploy and start it: it then loads everything anew.",
                "Invalid.TaskContent",
            )
