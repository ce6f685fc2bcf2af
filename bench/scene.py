"""What the measurements have in common: a server, a project with topics, and the seed's task between two of them."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datahub.models import CursorType, FieldType, RecordSchema, TupleRecord

from bench import signed
from datahub import DataHub, DatahubProtocolType
from servers import Service

WORKSPACE = 10000
PROJECT = "bench_project"
SHARD = "0"
SEED = Path(__file__).parents[1] / "tests/golden/seed-code.json"
SCHEMA = RecordSchema.from_lists(
    ["rid", "speed", "road", "measured", "lanes"],
    [FieldType.BIGINT, FieldType.DOUBLE, FieldType.STRING, FieldType.TIMESTAMP, FieldType.BIGINT],
)
_SOURCE = "dwd_tfc_opt_speed_rid_amap_rt_330000"
_TARGET = "dwd_tfc_opt_speed_rid_amap_rt"
_PATIENCE_SECONDS = 120
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    service: Service
    hub: DataHub

    def client(self, protocol: DatahubProtocolType) -> DataHub:
        return DataHub(*self.service.key, self.service.datahub, protocol_type=protocol)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return signed.call(self.service.address, self.service.key, action, **params)

    def topic(self, name: str) -> None:
        self.hub.create_tuple_topic(PROJECT, name, 1, 7, SCHEMA, "bench")
        self.hub.wait_shards_ready(PROJECT, name)

    def end(self, topic: str) -> int:
        """How many records the topic has."""
        cursor = self.hub.get_cursor(PROJECT, topic, SHARD, CursorType.LATEST)
        return int(cursor.sequence) + 1

    def task(self, name: str, source: str, target: str) -> dict[str, Any]:
        """The seed's task between these topics, deployed; what names it in a call."""
        # Longest first: the target's name in the seed is the beginning of the source's.
        code = SEED.read_text(encoding="utf-8").replace(_SOURCE, source).replace(_TARGET, target)
        place = {"ProjectId": WORKSPACE, "TaskType": "DI_REALTIME"}
        made = self.call("CreateDISyncTask", **place, TaskName=name, TaskContent=code)
        task = place | {"FileId": made["Data"]["FileId"]}
        self.call("DeployDISyncTask", **task)
        return task

    def state(self, task: dict[str, Any]) -> str:
        return str(self.call("GetDISyncInstanceInfo", **task)["Data"]["Status"])

    def stop(self, task: dict[str, Any]) -> None:
        self.call("StopDISyncInstance", **task)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (state := self.state(task)) != "PAUSE":
            if time.monotonic() > deadline:
                raise TimeoutError(f"the task is still {state}")
            time.sleep(0.05)

    def run(self, task: dict[str, Any], topic: str, count: int) -> float:
        """Seconds from the call that starts the task until the topic holds `count` records."""
        began = time.perf_counter()
        self.call("StartDISyncInstance", **task, StartParam='{"startTime":"earliest"}')
        while self.end(topic) < count:
            if time.perf_counter() - began > _PATIENCE_SECONDS:
                raise TimeoutError(f"{self.end(topic)} of {count} records arrived; the task is {self.state(task)}")
            time.sleep(0.02)
        return time.perf_counter() - began


def build(service: Service) -> Scene:
    hub = DataHub(*service.key, service.datahub)
    hub.create_project(PROJECT, "bench")
    scene = Scene(service, hub)
    key_id, secret = service.key
    content = {
        "endpoint": service.datahub,
        "project": PROJECT,
        "accessId": key_id,
        "accessKey": secret,
        "tag": "public",
    }
    for name in ("datahub_uric_test", "datahub_cloud_dev_test"):
        scene.call(
            "CreateDataSource",
            ProjectId=WORKSPACE,
            Name=name,
            DataSourceType="datahub",
            Content=json.dumps(content),
            EnvType=1,
        )
    return scene


def rows(count: int) -> list[Values]:
    """Speed readings: the same ones at every call."""
    first = 1_700_000_000_000_000
    return [(n, n * 0.125, f"G{n % 997} 高速 section {n % 31}", first + n * 1000, n % 5) for n in range(count)]


def record(values: Values) -> TupleRecord:
    made = TupleRecord(schema=SCHEMA, values=list(values))
    made.shard_id = SHARD
    return made


def fill(scene: Scene, topic: str, values: Sequence[Values], size: int = 1000) -> None:
    for begin in range(0, len(values), size):
        put = scene.hub.put_records(PROJECT, topic, [record(row) for row in values[begin : begin + size]])
        if put.failed_record_count:
            raise RuntimeError(f"{topic} refused records: {put.failed_records}")


def contents(scene: Scene, topic: str, count: int) -> list[Values]:
    """The first `count` records of the topic, in their order, as the vendor's client reads them."""
    found = list[Values]()
    cursor = scene.hub.get_cursor(PROJECT, topic, SHARD, CursorType.OLDEST).cursor
    while len(found) < count:
        got = scene.hub.get_tuple_records(PROJECT, topic, SHARD, SCHEMA, cursor, 1000)
        if not got.records:
            raise RuntimeError(f"{topic} holds {len(found)} records, not {count}")
        found += [tuple(one.values) for one in got.records]
        cursor = got.next_cursor
    return found
