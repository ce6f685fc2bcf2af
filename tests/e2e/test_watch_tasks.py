"""What is seen of a real task, MariaDB → PostgreSQL: its load, its rates, its delay, and the samples of all that."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from shop import ROWS, World, stock

import mysqld
import servers
from waiting import until

DASHBOARD = Path(__file__).parents[2] / "docs/grafana/disync.json"


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        stock(server)
        yield server


@pytest.fixture
def world(server: servers.Service, source: mysqld.Server, postgres_database: str) -> World:
    return World(server, source, postgres_database)


def seen(world: World) -> Any:
    (found,) = world.call("ListDISyncInstances")["Data"]["Instances"]
    return found


def tables(world: World) -> list[Any]:
    return list(world.call("ListDISyncInstanceTables", FileId=world.file_id)["Data"]["Tables"])


def samples(world: World) -> list[Any]:
    now = int(time.time() * 1000)
    asked = {"FileId": world.file_id, "StartTime": str(now - 600_000), "EndTime": str(now + 1000)}
    return list(world.call("GetDISyncInstanceMetrics", **asked)["Data"]["Samples"])


def events(world: World, kind: str = "") -> list[Any]:
    asked = {"FileId": world.file_id, **({"EventType": kind} if kind else {})}
    return list(world.call("ListDISyncInstanceEvents", **asked)["Data"]["Events"])


def metric(world: World, name: str, /, **labels: str) -> float:
    text = urllib3.request("GET", f"http://{world.service.address}/metrics").data.decode()
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    (value,) = [sample.value for sample in found if sample.name == name and sample.labels == labels]
    return value


def asked_by_the_dashboard(world: World) -> list[str]:
    """What the Grafana dashboard asks for and /metrics does not tell: metrics, and labels of one."""
    text = urllib3.request("GET", f"http://{world.service.address}/metrics").data.decode()
    told: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            told.setdefault(sample.name, set()).update(sample.labels)
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    missing = []
    for expression in [target["expr"] for panel in panels for target in panel["targets"]]:
        (name,) = re.findall(r"disync_\w+", expression)
        labels = set(re.findall(r"(\w+)=~", expression))
        labels |= {one.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for one in group.split(",")}
        missing += [f"{name}: {label}" for label in labels - told[name]] if name in told else [name]
    return missing


@pytest.mark.timeout(180)
def test_a_task_is_seen_while_it_runs(world: World, source: mysqld.Server) -> None:
    until(lambda: world.rows() == world.truth())
    until(lambda: tables(world)[0]["Status"] == "FOLLOW", lambda: str(tables(world)))
    (orders,) = tables(world)
    assert (orders["SourceTable"], orders["TargetTable"]) == ("orders", "public.orders")
    assert (orders["RowsWritten"], orders["Progress"]) == (ROWS, 100)
    until(lambda: seen(world)["DelayMs"] == 0, lambda: str(seen(world)))
    found = seen(world)
    assert (found["Status"], found["SourceTypes"], found["TargetTypes"]) == ("RUN", ["mysql"], ["holo"])
    assert (found["RowsRead"], found["RowsWritten"], found["DirtyRows"], found["Failovers"]) == (ROWS, ROWS, 0, 0)

    # Nobody may write into the target: what happens now waits, and is as old as the lock.
    with psycopg.connect(world.target) as locked:
        locked.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        source.run("UPDATE shop.orders SET amount = amount + 1 WHERE id < 1000")
        until(lambda: (seen(world)["DelayMs"] or 0) > 2000, lambda: str(seen(world)))
    until(lambda: world.rows() == world.truth())
    until(lambda: seen(world)["DelayMs"] == 0, lambda: str(samples(world)))
    points = samples(world)
    assert max(point["DelayMs"] or 0 for point in points) > 2000
    assert all(point["MemoryBytes"] > 1 << 20 and point["DirtyRows"] == 0 for point in points)
    assert sum(point["RowsPerSecond"] > 0 and point["BytesPerSecond"] > 0 for point in points) >= 1
    source.run("ALTER TABLE shop.orders ADD COLUMN colour INT")
    until(lambda: len(events(world, "DDL")) == 1)
    source.run("ALTER TABLE shop.orders DROP COLUMN colour")
    until(lambda: len(events(world, "DDL")) == 2, lambda: str(events(world)))
    dropped, added = [json.loads(event["Detail"]) for event in events(world, "DDL")]
    assert (added["kind"], added["policy"], added["outcome"]) == ("ADDCOLUMN", "NORMAL", "followed")
    assert (dropped["kind"], dropped["policy"], dropped["outcome"]) == ("DROPCOLUMN", "IGNORE", "not followed")
    assert added["statement"] == "ALTER TABLE shop.orders ADD COLUMN colour INT"
    of = {"file_id": world.file_id, "name": "shop", "type": "DI_REALTIME", "workspace": "10000"}
    assert metric(world, "disync_task_delay_seconds", **of) >= 0
    assert metric(world, "disync_task_worker_memory_bytes", **of) > 1 << 20
    assert metric(world, "disync_task_rows_read_total", **of) >= ROWS + 1000
    assert metric(world, "disync_task_state", **of, state="RUN") == 1
    assert metric(world, "disync_task_state", **of, state="PAUSE") == 0
    assert asked_by_the_dashboard(world) == []
    world.task("StopDISyncInstance")
    until(lambda: seen(world)["Status"] == "PAUSE")
    found = seen(world)
    assert (found["DelayMs"], found["RowsPerSecond"]) == (None, 0)
    assert found["StopTime"] >= found["StartTime"]
    assert [event["Type"] for event in events(world)] == ["END", "STOP", "DDL", "DDL", "RUN", "START"]
