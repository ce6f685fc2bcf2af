"""Comparing the two ends of a pair's task, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from pair import Pair

from disync.engine import pairs, verify
from disync.engine.explain import Known
from disync.engine.findings import TableReport, Why
from disync.engine.plan import Pipeline, plan
from disync.engine.tide import Tide
from disync.engine.verify import Ground, Progress, Wish
from disync.model.compare import Digest, Range
from disync.model.kept import Kept
from disync.model.run import Task


@contextmanager
def opened(pair: Pair, code: str) -> Iterator[Pipeline]:
    with closing(plan(Task(1, pair.name, pair.epoch, code, pair.content(), owner=pair.name))) as pipeline:
        yield pipeline


def compared(
    pair: Pair, code: str | None = None, running: bool = True, seconds: float = 20.0, **wish: Any
) -> dict[str, TableReport]:
    """The reports by the names of the source's tables; rows that the ledger knows as refused are known."""
    told: list[Progress] = []
    with opened(pair, code or pair.code()) as pipeline:
        tide = Tide(pipeline, running, pair.ledger.checkpoints, seconds)
        known = [Known(Kept(n, 0, row.table, row.row), row.reason) for n, row in enumerate(pair.ledger.dirty)]
        reports = verify.verify(Ground(pipeline, tide, known, told.append), Wish(**wish))
    return {report.source: report for report in reports}


def found(report: TableReport) -> set[tuple[str, tuple[Any, ...], tuple[str, ...]]]:
    """(what, key, columns) of each row that differs for no known reason."""
    assert not report.trouble, report.trouble
    return {(f.what, tuple(f.key.values()), f.columns) for f in report.findings if f.why is Why.UNKNOWN}


def digests(pair: Pair, code: str) -> dict[str, tuple[Digest, Digest]]:
    """What each database sums up for the whole of a table, by the source's name."""
    sums: dict[str, tuple[Digest, Digest]] = {}
    with opened(pair, code) as pipeline:
        for route in pipeline.routes:
            match = pairs.match(pipeline, route)
            with (
                closing(pipeline.reader.inspect(match.pair.source, match.method)) as source,
                closing(pipeline.writer.inspect(match.pair.target, match.method)) as target,
            ):
                sums[route.source.name] = source.digest(Range()), target.digest(Range())
    return sums
