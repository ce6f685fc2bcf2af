"""The tables inside data sources: listed and measured as they are now, and made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from disync.connectors import find
from disync.model.connector import Database, Named
from disync.model.errors import Refused, TaskError
from disync.model.outlook import Measured
from disync.services.access import Caller, Role
from disync.services.data_sources import DataSources
from disync.services.pages import Page, Slice
from disync.services.probing import Probes

log = structlog.get_logger()
T = TypeVar("T")

SECONDS = 15.0
LATE = "read datasource time out"
LATE_TO_MAKE = "The database does not answer in time: look there whether the table has been made."


@dataclass(frozen=True, slots=True)
class Listed:
    """How many tables of each database are meant, and a page of them."""

    databases: Sequence[tuple[str, int]]
    page: Page[tuple[Named, Measured]]


class Tables:
    def __init__(self, data_sources: DataSources) -> None:
        self._data_sources = data_sources
        self._probes = Probes()

    def catalog(self, caller: Caller, project_id: int, name: str, env: int | None) -> Sequence[Database]:
        """The databases of a data source and the names of their tables, read now."""
        kind, found = self._data_sources.opened(caller, project_id, (name, env), Role.VISITOR)
        connector = find(kind)
        catalog = connector.catalog if connector else None
        if catalog is None:
            raise _unread(kind)
        return self._ask(caller, lambda: catalog(found), LATE)

    def list(self, caller: Caller, project_id: int, name: str, wanted: tuple[str, str], asked: Slice) -> Listed:
        """`wanted`: a part of `database.table`, in any case, and the name of the one database that is asked for ("":
        all). The source is asked for the names of all tables, and for the measures of the page's."""
        kind, found = self._data_sources.opened(caller, project_id, (name, None), Role.VISITOR)
        connector = find(kind)
        catalog, measures = (connector.catalog, connector.measures) if connector else (None, None)
        if catalog is None:
            raise _unread(kind)
        part, database = wanted[0].casefold(), wanted[1]

        def work() -> Listed:
            named = {
                each.name: [table for table in each.tables if part in f"{each.name}.{table}".casefold()]
                for each in catalog(found)
            }
            meant = [(db, table) for db, tables in named.items() if database in ("", db) for table in tables]
            chosen = meant[asked.offset : asked.offset + asked.size]
            told = measures(found, chosen) if measures and chosen else {}
            page = Page(asked, len(meant), [(place, told.get(place, Measured())) for place in chosen])
            return Listed([(db, len(tables)) for db, tables in named.items()], page)

        return self._ask(caller, work, LATE)

    def make(self, caller: Caller, project_id: int, name: str, ddl: str) -> str:
        """Run one CREATE TABLE statement in the data source's database; the name of the table that was made."""
        kind, found = self._data_sources.opened(caller, project_id, (name, None), Role.DEVELOPER)
        connector = find(kind)
        create = connector.create if connector else None
        if create is None:
            raise Refused(f"DISync makes no tables in data sources of the type {kind}: make it there yourself.")
        log.info("a table is made", user=caller.user_id, project=project_id, data_source=name)
        return self._ask(caller, lambda: create(found, ddl), LATE_TO_MAKE)

    def _ask(self, caller: Caller, work: Callable[[], T], late: str) -> T:
        try:
            return self._probes.run(caller.user_id, work, SECONDS, late)
        except TaskError as error:
            raise Refused(str(error)) from error


def _unread(kind: str) -> Refused:
    return Refused(f"The metadata of data sources of the type {kind} cannot be read yet.")
