"""What a run reads and what becomes of it, as catalogues of lineage name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from disync.model.data import Table
from disync.model.table_mapping import Route


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table under the name that it has for everybody: `namespace` is the system, `name` the table in it. Both follow
    the naming rules of OpenLineage where those know the system."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """A table of the source, the one of the target that it goes to, and of each column there which one it comes from;
    columns that come from none are left out."""

    source: Dataset
    target: Dataset
    source_fields: tuple[Field, ...]
    target_fields: tuple[Field, ...]
    columns: Mapping[str, str]


def flow(route: Route, source: Dataset, target: Dataset) -> Flow:
    """Columns keep their names on the way; the other ones of the target were added."""
    there = {column.name.lower(): column.name for column in route.source.columns}
    added = {one.column.name for one in route.added}
    kept = [column.name for column in route.target.columns if column.name not in added]
    columns = {name: there[name.lower()] for name in kept if name.lower() in there}
    return Flow(source, target, tuple(_fields(route.source)), tuple(_fields(route.target)), columns)


def _fields(table: Table) -> Iterator[Field]:
    for column in table.columns:
        yield Field(column.name, str(column.kind), column.comment)
