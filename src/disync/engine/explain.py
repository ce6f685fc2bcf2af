"""Why a row differs, where that is known: the target has refused it, or a task that rests has still to apply it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from disync.engine.findings import TableReport, Why
from disync.engine.tide import Tide
from disync.model import kept
from disync.model.compare import Key, Method, Pair, plain_key
from disync.model.errors import TaskError
from disync.model.kept import Kept


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
