"""Which table of the target is compared with which of the source, and which of its rows: the one place that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from disync.engine.findings import What
from disync.engine.plan import Pipeline
from disync.model.compare import Method, Pair, agree
from disync.model.data import Table
from disync.model.dml import Dml
from disync.model.errors import BadConfig
from disync.model.table_mapping import DELETED, Route

_LEFT_OUT = {"Insert": What.MISSING, "Update": What.DIFFERENT, "Delete": What.EXTRA}


@dataclass(frozen=True, slots=True)
class Match:
    """`left_out`: columns that only the source has. `ruled`: differences that the task's own rules make, and `dml` by
    which rows they do."""

    pair: Pair
    method: Method
    left_out: tuple[str, ...]
    ruled: frozenset[What]
    dml: Dml | None = None


def chosen(pipeline: Pipeline, names: Sequence[str]) -> list[Route]:
    """The routes of the source's tables of these names, all of them where none is named. BadConfig for a name that the
    task does not read."""
    unknown = sorted(set(names) - {table.name for table in pipeline.tables})
    if unknown:
        raise BadConfig(f"The task reads no table named {unknown[0]}. Name one of its source's tables.")
    return [route for route in pipeline.routes if not names or route.source.name in names]


def match(pipeline: Pipeline, route: Route) -> Match:
    """How a table is compared, and with what. BadConfig where it cannot be."""
    source, target = route.source, route.target
    here, there = pipeline.reader.traits(source), pipeline.writer.traits(target)
    both = list(zip(source.columns, target.columns, strict=False))  # behind them the target has what is added
    places = [place for place, (mine, its) in enumerate(both) if mine.name in here and its.name in there]
    kept = [source.columns[place].name for place in places]
    keys = keys_of(route)
    if not set(keys) <= set(kept):
        raise BadConfig(f"Table {source.name} cannot be compared: the target lacks a column of its key {keys}.")
    pair = Pair(_only(source, places, keys), _only(target, places, keys))
    added = () if route.merged else _marks(route)
    method = replace(
        agree(pair, here, there), only=_own_rows(route, pipeline.routes), added=added, hash=pipeline.reader.hash()
    )
    if keys != source.keys:
        method = replace(method, ordered=0)  # no index of the source goes along it
    left_out = tuple(column.name for column in source.columns if column.name not in kept)
    dml = route.dml or Dml()
    dml.require(source.name, pair.source.columns)  # what is not there on both sides nobody can ask
    ruled = frozenset(_LEFT_OUT[kind] for kind, action in dml.actions.items() if action == "Ignore")
    return Match(pair, replace(method, rows=dml.rows), left_out, ruled, route.dml)


def keys_of(route: Route) -> tuple[str, ...]:
    """What tells rows apart on both sides: the target's key, but for columns that are the same in all of them."""
    added = {one.column.name for one in route.added}
    wanted = {key for key in route.target.keys if key not in added}
    return route.source.keys if wanted == set(route.source.keys) else tuple(k for k in route.target.keys if k in wanted)


def _own_rows(route: Route, routes: Sequence[Route]) -> tuple[tuple[str, str | bool], ...]:
    """What the target's rows of one source have in common. A row that is deleted by name only is not there."""
    alive = [(one.column.name, False) for one in route.added if one.column is DELETED]
    if not route.merged:
        return tuple(alive)
    others = [one for one in routes if one is not route and _place(one) == _place(route)]
    if any(_marks(one) == _marks(route) for one in others):
        raise BadConfig(
            f"{route.source.name} and other tables become {route.target.name}, where no added column tells their rows "
            "apart: they cannot be compared one by one. Add a column with the source's name (AddColumn)."
        )
    return (*_marks(route), *alive)


def _place(route: Route) -> tuple[str, ...]:
    return route.target.path or (route.target.name,)


def _marks(route: Route) -> tuple[tuple[str, str], ...]:
    """The added columns that are the same in all rows of a source."""
    same = ((one.column.name, one.value) for one in route.added if one.column is not DELETED)
    return tuple((name, value) for name, value in same if value is not None)


def _only(table: Table, places: Sequence[int], keys: Sequence[str]) -> Table:
    return replace(table, columns=tuple(table.columns[place] for place in places), keys=tuple(keys))
