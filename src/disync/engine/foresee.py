"""What a run would find and make, table by table, without one: by the same mapping, and the writer's own look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from disync.engine.plan import Pipeline
from disync.engine.transform import targets
from disync.model.data import Table
from disync.model.errors import BadConfig
from disync.model.outlook import Outlook, Seen
from disync.model.table_mapping import Route

MERGED = 100
"""Tables of the source, besides those asked for, that are looked at to tell the columns of one target of many."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A table of the source, and its target. `types`: of its columns, in the source's words. `outlook` is None where
    nothing could be found out; `warnings` then say why."""

    source: Table
    target: Table
    types: Mapping[str, str]
    outlook: Outlook | None
    warnings: tuple[str, ...] = ()


def foresee(pipeline: Pipeline, first: int, count: int, part: str = "") -> tuple[int, list[Foreseen]]:
    """How many tables the job selects that have `part` in their names (in any case), and `count` of them from the place
    `first` on: only these are looked at. Raises BadConfig where two tables would become one by mistake."""
    routes = pipeline.transform.routes(pipeline.reader.names())
    wanted = [route for route in routes if part.casefold() in route.source.name.casefold()]
    page = wanted[first : first + count]
    others = list(_others(page, routes))
    seen = {one.table.name: one for one in pipeline.reader.look([r.source for r in page] + others[:MERGED])}
    whole, faults = _mapped(pipeline, [one for one in seen.values() if not one.fault])
    found = [_foreseen(pipeline, seen[r.source.name], r, whole, faults) for r in page if r.source.name in seen]
    if len(others) > MERGED:
        told = f"{len(others) - MERGED} more tables become this one, and were not looked at here."
        found = [replace(one, warnings=(*one.warnings, told)) if _merged(one, page) else one for one in found]
    return len(wanted), found


def _others(page: Sequence[Route], routes: Sequence[Route]) -> Iterator[Table]:
    """Tables that share a target with one of the page."""
    shared = {route.target.name for route in page if route.merged}
    here = {route.source.name for route in page}
    return (r.source for r in routes if r.target.name in shared and r.source.name not in here) if shared else iter(())


def _mapped(pipeline: Pipeline, seen: Sequence[Seen]) -> tuple[dict[str, Table], dict[str, str]]:
    """The targets by name, each whole, and by the source's name why a table cannot be mapped."""
    routes: list[Route] = []
    faults: dict[str, str] = {}
    for one in seen:
        try:
            routes += pipeline.transform.routes([one.table])
        except BadConfig as error:
            faults[one.table.name] = str(error)
    whole: dict[str, Table] = {}
    for name in dict.fromkeys(route.target.name for route in routes):
        one_target = [route for route in routes if route.target.name == name]
        try:
            whole[name] = targets(one_target)[0]
        except BadConfig as error:
            faults |= {route.source.name: str(error) for route in one_target}
    return whole, faults


def _foreseen(
    pipeline: Pipeline, seen: Seen, route: Route, whole: Mapping[str, Table], faults: Mapping[str, str]
) -> Foreseen:
    fault, target = seen.fault or faults.get(seen.table.name), whole.get(route.target.name, route.target)
    if fault:
        return Foreseen(seen.table, target, seen.types, None, (fault,))
    try:
        outlook = pipeline.writer.foresee(target)
    except BadConfig as error:
        return Foreseen(seen.table, target, seen.types, None, (str(error),))
    return Foreseen(seen.table, target, seen.types, outlook, outlook.warnings)


def _merged(one: Foreseen, page: Sequence[Route]) -> bool:
    return any(route.merged and route.source.name == one.source.name for route in page)
