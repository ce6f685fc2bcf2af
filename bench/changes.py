"""Changes: how fast the log is read, and how fast it reaches the target, beside mysql-replication and the target."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

from bench import contents, history, peers, replication, staged
from bench.databases import DATABASE, Databases, databases
from bench.history import EVENTS, History
from bench.load import MOST_MB
from bench.orders import TABLE
from bench.table import Limit, Row
from disync.engine.plan import Pipeline, plan
from disync.model.connector import ChangeReader
from disync.model.data import Batch, Position
from disync.model.run import Split, Start, Task
from servers import Service

ROWS = 1_000_000
SHARE = 10
"""mysql-replication gets this part of the events, which takes it longer than all of them take the task."""
ROUNDS = 3
DECODING_BAR, LOOP_BAR, LIMIT_BAR = 50.0, 10.0, 0.6
SINGLE = 10
"""The part of the events that is told once more with a statement for every row."""


@dataclass(frozen=True, slots=True)
class Log:
    """A history in the log: where it begins, how many events it has, and the contents that come of it."""

    events: int
    ours: Position
    theirs: tuple[str, str]
    last: int = 0
    part: contents.Checksum = (0, 0, 0)
    whole: contents.Checksum = (0, 0, 0)

    @property
    def share(self) -> int:
        return self.events // SHARE


def measure_all(rows: int | None = None) -> list[Row]:
    events = max(SHARE * EVENTS, (rows or ROWS) // (SHARE * EVENTS) * SHARE * EVENTS)
    with databases() as servers:
        return [*_whole(servers, events), *_single(servers, events // SINGLE)]


def _whole(servers: Databases, events: int) -> list[Row]:
    history.begin(servers)
    with replication.serving() as service, replication.serving() as other:
        tasks = [_settled(servers, service, f"round_{number}") for number in range(ROUNDS)]
        twos = [_settled(servers, other, f"two_{number}", 2) for number in range(ROUNDS)]
        log = _told(servers, events, History())
        print("    reading the log", flush=True)
        decoding = _decoding(servers, log, DECODING_BAR)
        print("    through a running task, and by mysql-replication's loop", flush=True)
        before = sum(task.flushes() for task in tasks)
        rounds, pairs = [], []
        for task, two in zip(tasks, twos, strict=True):
            rounds.append((_task(servers, log, task), _loop(servers, log)))
            pairs.append((_task(servers, log, two), rounds[-1][0]))
        most, most_of_two = tasks[0].peak_mb(), twos[0].peak_mb()
        size = log.events * ROUNDS // (sum(task.flushes() for task in tasks) - before)
    print("    staged batches from memory", flush=True)
    limit = _limit(servers, log, size)
    ours, loop = (median(column) for column in zip(*rounds, strict=True))
    faster = median(mine / theirs for mine, theirs in rounds)
    what, value = f"changes, {events:,} row events into PostgreSQL, through a task", f"{ours:,.0f} events/s"
    return [
        decoding,
        Row(what, value, f"{loop:,.0f} events/s (mysql-replication, upserts of 1,000)", faster, LOOP_BAR),
        Row(what, value, f"{limit:,.0f} events/s (staged batches of {size:,} from memory)", ours / limit, LIMIT_BAR),
        Row("… memory of the worker, most of all rounds", f"{most:.0f} MB RSS", limit=Limit(most, MOST_MB, "MB")),
        _two(pairs, most_of_two),
    ]


def _two(rounds: list[tuple[float, float]], most: float) -> Row:
    """A figure without a bar: source, target and worker share the cores that a second session needs."""
    two, one = (median(column) for column in zip(*rounds, strict=True))
    what = "… by two sessions, parted by key (writerConcurrent 2)"
    return Row(what, f"{two:,.0f} events/s, {most:.0f} MB RSS", f"{one:,.0f} events/s (one session)", two / one)


def _single(servers: Databases, events: int) -> list[Row]:
    """The same kind of history with a statement, and so an event, for every row: a figure without a bar."""
    history.begin(servers)
    servers.empty_schema("single", TABLE.create_target())
    log = _told(servers, events, History(single=True))
    return [_decoding(servers, log, None, ", a statement a row")]


def _settled(servers: Databases, service: Service, schema: str, writers: int = 1) -> replication.Replication:
    servers.empty_schema(schema, TABLE.create_target())
    task = replication.deploy(service, servers, schema, [TABLE.name], writers)
    task.settle()
    return task


def _told(servers: Databases, events: int, told: History) -> Log:
    with _reading(servers) as pipeline:
        (stream,) = _streams(pipeline)
        assert isinstance(pipeline.reader, ChangeReader)
        position = pipeline.reader.seek(stream, Start("latest"))
    (place,) = servers.source.run("SHOW MASTER STATUS")
    log = Log(events, position, (str(place[0]), str(place[1])))
    _carried_out(history.tell(servers, told, log.share))
    part = contents.source_checksum(servers, TABLE, DATABASE)
    _carried_out(history.tell(servers, told, events - log.share))
    whole = contents.source_checksum(servers, TABLE, DATABASE)
    return replace(log, last=told.last, part=part, whole=whole)


def _carried_out(told: Iterator[set[int]]) -> None:
    for _ in told:
        pass


def _decoding(servers: Databases, log: Log, bar: float | None, how: str = "") -> Row:
    rounds = []
    for _ in range(ROUNDS):
        ours = _read(servers, log)
        ran = peers.mysql_replication(servers, log.theirs, log.share)
        rounds.append((ours, log.share / ran.seconds))
    ours, theirs = (median(column) for column in zip(*rounds, strict=True))
    faster = median(mine / other for mine, other in rounds)
    what = f"changes, {log.events:,} row events read and thrown away{how}"
    return Row(what, f"{ours:,.0f} events/s", f"{theirs:,.0f} events/s (mysql-replication)", faster, bar)


def _read(servers: Databases, log: Log) -> float:
    """Events a second, from the connection to the last event, in the form that the task's reader and writer share."""
    count = 0
    with _reading(servers) as pipeline:
        (stream,) = _streams(pipeline)
        assert isinstance(pipeline.reader, ChangeReader)
        began = time.perf_counter()
        for event in pipeline.reader.changes(stream, log.ours):
            if isinstance(event, Batch) and event.ops is not None:
                count += event.count - event.ops.count(b"B")
            if count >= log.events:
                break
        seconds = time.perf_counter() - began
    if count != log.events:
        raise RuntimeError(f"the log gave {count} events, not {log.events}")
    return count / seconds


def _task(servers: Databases, log: Log, task: replication.Replication) -> float:
    """Events a second through a running task, from the call that starts it: the log was written before."""
    with servers.session() as session:
        session.execute("CHECKPOINT")
    seconds = task.follow(TABLE.name, log.last)
    contents.same(servers, TABLE, task.schema, log.whole)
    task.stop()
    return log.events / seconds


def _loop(servers: Databases, log: Log) -> float:
    servers.empty_schema("loop", TABLE.create_target())
    ran = peers.mysql_replication(servers, log.theirs, log.share, f"loop.{TABLE.name}", "id")
    contents.same(servers, TABLE, "loop", log.part)
    return log.share / ran.seconds


def _limit(servers: Databases, log: Log, size: int) -> float:
    """Events a second that the target takes of batches as large as the task's were."""
    servers.empty_schema("staged", TABLE.create_target())
    ready = staged.stages(servers, "staged", log.events, size)
    if contents.source_checksum(servers, TABLE, DATABASE) != log.whole:
        raise RuntimeError("the history did not end as it did the first time")
    seconds = []
    for _ in range(ROUNDS):
        servers.empty_schema("staged", TABLE.create_target())
        seconds.append(staged.apply(servers, "staged", ready))
        contents.same(servers, TABLE, "staged", log.whole)
    return log.events / median(seconds)


@contextmanager
def _reading(servers: Databases) -> Iterator[Pipeline]:
    """The reader of a task, outside of a task."""
    sources = {name: content for name, (_, content) in replication.sources(servers, "reading").items()}
    task = Task(0, "reading", 1, replication.job("reading", [TABLE.name]), sources)
    pipeline = plan(task)
    try:
        yield pipeline
    finally:
        pipeline.close()


def _streams(pipeline: Pipeline) -> list[Split]:
    return [replace(stream, format=pipeline.format) for stream in pipeline.streams([])]
