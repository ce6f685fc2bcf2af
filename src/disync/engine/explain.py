"""How a row differs, as people read it, and why, where that is known: the target has refused it, the task's rules leave
its changes out, or a task that rests has still to apply them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from disync.engine.findings import Finding, TableReport, Why
from disync.engine.judge import Verdict
from disync.engine.tide import Tide
from disync.model import kept
from disync.model.bound import bind
from disync.model.compare import Key, Method, Pair, Row, plain_key
from disync.model.data import Column
from disync.model.dml import Dml
from disync.model.errors import TaskError
from disync.model.kept import Kept
from disync.model.reading import readable

SHOWN = 40
"""Columns of a row that only one side has."""


@dataclass(frozen=True, slots=True)
class Known:
    """A row that the task knows it has refused."""

    row: Kept
    reason: str


def refused(known: Sequence[Known], report: TableReport, pair: Pair, method: Method) -> Mapping[Key, str]:
    """Why rows of a pair were refused, by their `plain` keys."""
    columns = [pair.source.columns[place] for place in method.keys]
    found: dict[Key, str] = {}
    for one in known:
        if one.row.table in (report.target, report.source) and _is_own(one.row, method):
            try:
                key = tuple(kept.value(c.kind, one.row.named[c.name.lower()]) for c in columns)
                found[plain_key(pair, method, key)] = one.reason
            except (KeyError, ValueError, TypeError, OverflowError):
                continue
    return found


def _is_own(row: Kept, method: Method) -> bool:
    """Of a target of several tables, those that came from this one."""
    marks = ((name, value) for name, value in method.only if not isinstance(value, bool))
    return all(row.named.get(name.lower(), value) == value for name, value in marks)


def ruled(dml: Dml, columns: tuple[Column, ...], verdict: Verdict) -> bool:
    """Whether a row differs because its changes were left out as the rules have it."""
    here, there = verdict.here, verdict.there
    if here is not None or verdict.hidden:
        return dml.updates is not None and here is not None and not bind(dml.updates, columns).holds(here.values)
    if there is None or not (dml.updates or dml.deletes):
        return False
    # It is gone from the source. The target has it as it was at the last change that was applied, which may be an older
    # one than the delete was about.
    if dml.updates is not None and not bind(dml.updates, columns).holds(there.values):
        return dml.deletes is not None
    return dml.deletes is not None and not bind(dml.deletes, columns).holds(there.values)


def pending(tide: Tide, reports: Sequence[TableReport]) -> None:
    """What differs only because a task that rests has still to apply it."""
    sought = {
        report.source: (report.pair, report.method, {f.plain for f in report.findings if f.why is Why.UNKNOWN})
        for report in reports
        if report.pair and report.method and report.findings
    }
    if not sought or not tide.behind():
        return
    try:
        coming, other = tide.pending(sought), Why.UNKNOWN
    except TaskError:
        coming, other = {}, Why.DOUBTFUL
    for report in reports:
        keys = coming.get(report.source, set())
        report.findings = [
            replace(found, why=Why.PENDING if found.plain in keys else other) if found.why is Why.UNKNOWN else found
            for found in report.findings
        ]


def with_values(finding: Finding, verdict: Verdict, pair: Pair, method: Method) -> Finding:
    """What each side has of a row that differs. Of one that only one side has, its first columns; of columns that the
    source has not, what it stands for."""
    first = range(0 if verdict.others else min(SHOWN, len(pair.source.columns)))
    places = verdict.columns or first
    meant = {name: value for name, value in method.added if name in verdict.others}

    def shown(row: Row | None) -> Mapping[str, str | None] | None:
        if row is None:
            return None
        columns = [(pair.source.columns[place], row.values[place]) for place in places]
        return {column.name: readable(column.kind, value) for column, value in columns}

    here, there = shown(verdict.here), shown(verdict.there)
    if verdict.others:
        here, there = {**(here or {}), **meant}, {**(there or {}), **verdict.others}
    return replace(finding, here=here, there=there)
