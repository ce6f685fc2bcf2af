"""Lineage of real tasks: a server tells a catalogue and a file of a task and of a solution, MariaDB → PostgreSQL."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import conninfo_to_dict
from shop import World, stock

import mysqld
import servers
from catalogue import Catalogue, catalogue
from waiting import until

ROOT = Path(__file__).parents[2]
SEED = ROOT / "tests/golden/seed-process-content.json"
SECONDS = 60


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        stock(server, 20)
        server.run("CREATE TABLE shop.items (id BIGINT PRIMARY KEY, label VARCHAR(9) COMMENT '名称')")
        yield server


@pytest.fixture
def told() -> Iterator[Catalogue]:
    with catalogue() as found:
        yield found


@pytest.fixture
def server(tmp_path: Path, told: Catalogue) -> Iterator[servers.Service]:
    lines = {"DISYNC_OPENLINEAGE_FILE": str(tmp_path / "lineage.ndjson"), "DISYNC_OPENLINEAGE_NAMESPACE": "tests"}
    with servers.disync(tmp_path / "home", datahub=False, DISYNC_OPENLINEAGE_URL=told.url, **lines) as service:
        yield service


def solution(world: World) -> str:
    """The seed's solution over the same database; its FileId."""
    content = json.loads(SEED.read_text(encoding="utf-8"))
    content["realtimeSyncConfig"]["content"]["steps"][0]["parameter"]["connection"][0]["table"] = ["items"]
    wanted = {"TaskType": "DI_SOLUTION", "TaskName": "whole", "TaskContent": json.dumps(content)}
    created = world.call("CreateDISyncTask", **wanted)["Data"]
    assert created["Status"] == "success", created
    return str(created["FileId"])


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["eventType"] for event in events]


def checked(lines: bytes) -> list[tuple[str, list[str]]]:
    """(type, facets) of each event, as OpenLineage's own client reads it."""
    python = ROOT / ".cache/clients/python-openlineage/bin/python"
    if not python.exists():
        raise RuntimeError(
            "The client python-openlineage is not installed: run `make test`, or `scripts/install clients`"
        )
    driver = [str(python), str(ROOT / "tests/clients/openlineage_events.py")]
    done = subprocess.run(driver, input=lines, capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [(kind, facets) for kind, facets in map(json.loads, done.stdout.splitlines())]


def counted(service: servers.Service) -> dict[tuple[str, str], float]:
    text = urllib3.request("GET", f"http://{service.address}/metrics").data.decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {
        (one.labels["receiver"], one.labels["outcome"]): one.value
        for one in samples
        if one.name == "disync_lineage_events_total"
    }


def test_a_task_and_a_solution_are_traced(
    server: servers.Service, source: mysqld.Server, postgres_database: str, told: Catalogue, tmp_path: Path
) -> None:
    world = World(server, source, postgres_database)
    until(lambda: types(told.of("default.shop")) == ["START", "RUNNING"], seconds=SECONDS)
    running = told.of("default.shop")[1]
    at = conninfo_to_dict(postgres_database)
    here, there = f"mysql://127.0.0.1:{source.port}", f"hologres://127.0.0.1:{at['port']}"
    assert {(one["namespace"], one["name"]) for one in running["inputs"]} == {
        (here, "shop.items"),
        (here, "shop.orders"),
    }
    outputs = {one["name"]: one for one in running["outputs"]}
    assert {one["namespace"] for one in running["outputs"]} == {there}
    assert set(outputs) == {f"{at['dbname']}.public.{table}" for table in ("items", "orders")}
    items = outputs[f"{at['dbname']}.public.items"]["facets"]
    assert {"name": "label", "type": "string", "description": "名称"} in items["schema"]["fields"]
    (origin,) = items["columnLineage"]["fields"]["label"]["inputFields"]
    assert (origin["namespace"], origin["name"], origin["field"]) == (here, "shop.items", "label")
    world.task("StopDISyncInstance")
    until(lambda: types(told.of("default.shop"))[-1:] == ["ABORT"], seconds=SECONDS)

    whole = solution(world)
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        assert world.call(action, TaskType="DI_SOLUTION", FileId=whole)["Data"]["Status"] == "success"
    until(lambda: "RUNNING" in types(told.of("default.oneclick_whole")), seconds=SECONDS)
    facets = told.of("default.oneclick_whole")[0]["run"]["facets"]
    assert facets["parent"]["job"] == {"namespace": "tests", "name": "default.whole"}
    world.call("StopDISyncInstance", TaskType="DI_SOLUTION", FileId=whole)
    until(lambda: types(told.of("default.oneclick_whole"))[-1:] == ["ABORT"], seconds=SECONDS)

    lines = tmp_path / "lineage.ndjson"
    until(lambda: len(lines.read_bytes().splitlines()) == len(told.events), seconds=SECONDS)
    found = checked(lines.read_bytes())
    assert [kind for kind, _ in found] == types(told.events)
    assert {facet for _, facets in found for facet in facets} >= {"columnLineage", "jobType", "parent", "schema"}
    assert counted(server)["http", "sent"] == len(told.events) == counted(server)["file", "sent"]


def test_a_catalogue_that_is_away_stops_nobody(
    server: servers.Service, source: mysqld.Server, postgres_database: str, told: Catalogue
) -> None:
    told.status = 500
    world = World(server, source, postgres_database)
    until(lambda: world.state() == "RUN", seconds=SECONDS)
    until(lambda: counted(server)["http", "failed"] >= 1, seconds=SECONDS)
    assert counted(server)["http", "sent"] == 0
    until(lambda: counted(server)["file", "sent"] == 2, seconds=SECONDS)
    told.status = 201
    until(lambda: types(told.of("default.shop")) == ["START", "RUNNING"], seconds=SECONDS)
