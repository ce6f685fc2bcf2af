"""The tables of a solution: asked of the source, and where each one comes from and goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import structlog

from disync.connectors import find
from disync.model.connector import Site
from disync.model.data import Table
from disync.model.errors import DISyncError
from disync.model.job import Job, Step
from disync.model.table_mapping import TableMappings, read
from disync.services.access import Caller
from disync.services.probing import Probes

log = structlog.get_logger()

SECONDS = 10.0
LATE = "The data source does not answer in time."

Contents = Mapping[str, Mapping[str, Any]]


class Asking:
    """Asks sources for their tables, each for a limited time and not too often for one user."""

    def __init__(self) -> None:
        self._probes = Probes()

    def selected(self, caller: Caller, step: Step, contents: Contents, seconds: float = SECONDS) -> list[Table]:
        """The tables that a reader step selects, as the source has them now. Raises TaskError or ApiError."""
        connector = find(step.type)
        open_reader = connector.reader if connector else None
        if open_reader is None:
            return []
        site = Site(step.parameter, contents)

        def work() -> list[Table]:
            with closing(open_reader(site)) as reader:
                return reader.tables()

        return self._probes.run(caller.user_id, work, seconds, LATE)

    def selected_or_none(self, caller: Caller, step: Step, contents: Contents) -> list[Table] | None:
        """None where the source cannot tell just now."""
        if any(name not in contents for name, _ in step.data_sources):
            return None
        try:
            return self.selected(caller, step, contents)
        except DISyncError as error:
            log.info("the source does not tell its tables", step=step.name, error=str(error))
        except Exception:
            log.exception("a source failed in a way nobody foresaw", step=step.name)
        return None


def named(step: Step) -> Sequence[tuple[str, str]]:
    """(database or "", table) of those that a reader step names one by one."""
    connector = find(step.type)
    return connector.named(step.parameter) if connector and connector.named else ()


class Targets:
    """Where the tables of a job go: by the writer's mapping, or by what its step says of all of them."""

    def __init__(self, job: Job) -> None:
        """Raises BadConfig where the mapping is not right."""
        self._parameter = job.target.parameter
        source, target = (next((name for name, _ in step.data_sources), "") for step in (job.source, job.target))
        self._mappings = TableMappings(read(job.target.parameter), source, target)

    def require_apart(self, tables: Sequence[Table]) -> None:
        """Raises BadConfig where two tables would become one by mistake."""
        self._mappings.routes(tables)

    def of(self, table: Table) -> tuple[str, str]:
        """(schema, name); "" for a schema that the target itself decides."""
        target = self._mappings.route(table).target
        schema = self._parameter.get("datasourceSchema") or self._parameter.get("schema") or ""
        if target.path:
            return target.path[0] or schema, target.path[1]
        one = self._parameter.get("table")
        return schema, one if isinstance(one, str) and one else table.name

    def name(self, table: Table) -> str:
        """`schema.table`, or the table alone."""
        return ".".join(filter(None, self.of(table)))
