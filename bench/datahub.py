"""DataHub → DataHub: records a second through a running task, beside a plain loop of the vendor's own client."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from datahub.models import CursorType

from bench import scene
from bench.scene import PROJECT, SCHEMA, SHARD, Scene, Values
from bench.table import Row
from datahub import DatahubProtocolType
from servers import disync

ROUNDS = 3
RECORDS = 200_000
LOOP_RECORDS = 30_000
LOOP_BATCH = 1000
"""As the seed's task says in `batchSize`."""
BAR = 5.0


def measure_all() -> list[Row]:
    values = scene.rows(RECORDS)
    with tempfile.TemporaryDirectory(prefix="bench-") as home, disync(Path(home)) as service:
        built = scene.build(service)
        built.topic("source_topic")
        scene.fill(built, "source_topic", values)
        loops = {protocol: _loops(built, protocol, values) for protocol in DatahubProtocolType}
        ours = statistics.median(_task(built, number, values) for number in range(ROUNDS))
    best = max(loops.values())
    return [_row(protocol, ours, rate, BAR if rate == best else None) for protocol, rate in loops.items()]


def _row(protocol: DatahubProtocolType, ours: float, theirs: float, bar: float | None) -> Row:
    """The bar is held against the protocol in which the vendor's client is fastest."""
    text = f"{theirs:,.0f} records/s (pydatahub's loop, {protocol.name})"
    return Row("DataHub → DataHub through a running task", f"{ours:,.0f} records/s", text, ours / theirs, bar)


def _task(built: Scene, number: int, values: list[Values]) -> float:
    """Records a second from the call that starts the task; both topics must hold the same afterwards."""
    target = f"task_target_{number}"
    built.topic(target)
    task = built.task(f"bench_{number}", "source_topic", target)
    seconds = built.run(task, target, len(values))
    built.stop(task)
    _same(built, target, values)
    return len(values) / seconds


def _loops(built: Scene, protocol: DatahubProtocolType, values: list[Values]) -> float:
    return statistics.median(_loop(built, protocol, number, values) for number in range(ROUNDS))


def _loop(built: Scene, protocol: DatahubProtocolType, number: int, values: list[Values]) -> float:
    target = f"loop_{protocol.name.lower()}_{number}"
    built.topic(target)
    client = built.client(protocol)
    cursor, copied = client.get_cursor(PROJECT, "source_topic", SHARD, CursorType.OLDEST).cursor, 0
    began = time.perf_counter()
    while copied < LOOP_RECORDS:
        got = client.get_tuple_records(PROJECT, "source_topic", SHARD, SCHEMA, cursor, LOOP_BATCH)
        if protocol is DatahubProtocolType.JSON:  # in this protocol a record says itself where it goes
            for one in got.records:
                one.shard_id = SHARD
            client.put_records(PROJECT, target, got.records)
        else:
            client.put_records_by_shard(PROJECT, target, SHARD, got.records)
        cursor, copied = got.next_cursor, copied + len(got.records)
    seconds = time.perf_counter() - began
    _same(built, target, values[:copied])
    return copied / seconds


def _same(built: Scene, topic: str, values: list[Values]) -> None:
    if scene.contents(built, topic, len(values)) != values:
        raise RuntimeError(f"{topic} does not hold what the source holds")
