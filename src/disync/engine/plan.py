"""Job → pipeline: which connectors, which encoding between them, how fast."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from disync.connectors import find
from disync.engine.transform import Transform, targets
from disync.model.connector import ChangeReader, Connector, Reader, Site, Writer
from disync.model.data import Table
from disync.model.errors import BadConfig
from disync.model.job import Job, Step, parse
from disync.model.lineage import Flow, flow
from disync.model.run import Split, Start, Task
from disync.model.table_mapping import Route, TableMappings, read

PARALLEL = min(3, max(2, os.cpu_count() or 2))
"""Splits of a bounded read when the job does not say (`setting.speed.concurrent`): three, as in DataWorks, where it is
an upper bound. Each reads ahead, so that two keep two cores busy; a third would only get in their way."""


FEW = 5_000
"""Rows: for fewer, to make their table's key afterwards takes longer than to keep it from the first row on."""

PARTS_A_CHANNEL = 4
"""Into so many a load is cut that other workers may help with: who comes later finds something left to read, and who is
slower holds up the others less."""


@dataclass(frozen=True)
class Pipeline:
    """An opened job: one reader, one writer, what is changed in between, and the encoding that both agreed on (None:
    Arrow). `without`: tables that were left behind."""

    reader: Reader
    transform: Transform
    writer: Writer
    format: str | None
    parallel: int
    bytes_per_second: float | None
    start: Start
    without: frozenset[str] = frozenset()

    @cached_property
    def tables(self) -> list[Table]:
        """The tables as the source has them when the run begins."""
        return [table for table in self.reader.tables() if table.name not in self.without]

    @cached_property
    def routes(self) -> list[Route]:
        """What becomes of each of them."""
        return self.transform.routes(self.tables)

    @property
    def targets(self) -> list[Table]:
        return targets(self.routes)

    @cached_property
    def small(self) -> frozenset[str]:
        """Tables of the target for which there are few rows to load."""
        rows = self.reader.estimates(self.tables) if self.loads else {}
        return frozenset(r.target.name for r in self.routes if not r.merged and rows.get(r.source.name, FEW) < FEW)

    @property
    def loads(self) -> bool:
        """Whether the task loads what is there before it follows the log."""
        return isinstance(self.reader, ChangeReader) and self.reader.loads and self.start.at == "earliest"

    @property
    def first(self) -> Start:
        """Where the task's streams begin: a log that takes over from a full load begins where it was before that."""
        return Start("latest") if self.loads else self.start

    @property
    def flows(self) -> list[Flow]:
        """Which tables become which, as far as both sides have names for everybody."""
        named = [(r, self.reader.dataset(r.source), self.writer.dataset(r.target)) for r in self.routes]
        return [flow(route, source, target) for route, source, target in named if source and target]

    @property
    def lends(self) -> bool:
        """Whether other workers may read parts of its load. A rate is kept by one worker alone."""
        return self.writer.shared and self.bytes_per_second is None

    def omit(self, omitted: Mapping[str, frozenset[str]]) -> None:
        """By table of the source, columns that its target goes without."""
        for table, columns in omitted.items():
            self.transform.omit(table, columns)

    def load(self) -> list[Split]:
        """The bounded splits of a task that begins: what is there now. None for one that only follows a log."""
        if isinstance(self.reader, ChangeReader) and not self.loads:
            return []
        want = self.parallel * (PARTS_A_CHANNEL if self.lends and self.parallel > 1 else 1)
        return [split for split in self.reader.split(want) if split.table.name not in self.without]

    def streams(self, load: Sequence[Split]) -> list[Split]:
        """The streams there are now, each to be read after its part of `load`; more may be there the next time this is
        asked. Tables that have not caught up yet have one of their own, behind the source's."""
        if not isinstance(self.reader, ChangeReader):
            return []
        own = tuple(split.id for split in load if not split.stream)
        apart = {name: [split for split in load if split.stream == name] for name in {s.stream for s in load} - {""}}
        without = frozenset(split.table.name for cuts in apart.values() for split in cuts)
        found = [
            replace(stream, endless=True, parents=stream.parents + own, without=without)
            for stream in self.reader.streams()
        ]
        for name, cuts in sorted(apart.items()):
            tables, before = frozenset(split.table.name for split in cuts), tuple(split.id for split in cuts)
            found.append(replace(found[0], id=name, parents=before, tables=tables, without=frozenset()))
        return found

    def close(self) -> None:
        self.reader.close()
        self.writer.close()


def plan(task: Task, without: frozenset[str] = frozenset()) -> Pipeline:
    """Open what the task needs, but for tables that are left behind. Raises BadConfig when the job names something that
    does not exist."""
    job = parse(task.code)
    if job.transforms:
        step = job.transforms[0]
        raise BadConfig(f"{step.place}.stepType: transform steps are not served yet ({step.type}).")
    reader = _open_reader(job.source, task, without)
    writer = _open_writer(job.target, task)
    shared = next((f for f in reader.formats if f in writer.formats), None)
    setting = job.setting
    parallel = setting.concurrent or PARALLEL
    transform, pace = _transform(job, task.confirmed), setting.bytes_per_second
    return Pipeline(reader, transform, writer, shared, parallel, pace, task.start, without)


def _transform(job: Job, lenient: bool) -> Transform:
    source, target = (next((name for name, _ in step.data_sources), "") for step in (job.source, job.target))
    try:
        return Transform(TableMappings(read(job.target.parameter), source, target), lenient)
    except BadConfig as error:
        raise BadConfig(f"{job.target.place}.parameter.{error}") from error


def _open_reader(step: Step, task: Task, without: frozenset[str]) -> Reader:
    connector = _connector(step)
    if connector.reader is None:
        raise BadConfig(f"{step.place}.stepType: {step.type} cannot be read from.")
    return connector.reader(replace(_site(step, task), without=without))


def _open_writer(step: Step, task: Task) -> Writer:
    connector = _connector(step)
    if connector.writer is None:
        raise BadConfig(f"{step.place}.stepType: {step.type} cannot be written to.")
    return connector.writer(_site(step, task))


def _connector(step: Step) -> Connector:
    connector = find(step.type)
    if connector is None:
        raise BadConfig(f"{step.place}.stepType: there is no connector named {step.type}.")
    return connector


def _site(step: Step, task: Task) -> Site:
    sources = {name: task.sources[name] for name, _ in step.data_sources if name in task.sources}
    return Site(step.parameter, sources, task.owner, dirty=task.limits.dirty, epoch=task.epoch, seat=task.seat)
