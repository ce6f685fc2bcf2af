"""The vendor's own clients, old and new, against a real server: the life of the seed's task, and each kind of error."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from datahub.models import CursorType, FieldType, RecordSchema, TupleRecord

from datahub import DataHub
from servers import Lines, Service, child_environment

ROOT = Path(__file__).parents[2]
SEED = (ROOT / "tests/golden/seed-code.json").read_text(encoding="utf-8")
SOURCE_TOPIC, TARGET_TOPIC = "dwd_tfc_opt_speed_rid_amap_rt_330000", "dwd_tfc_opt_speed_rid_amap_rt"
CLIENTS = ["python-10", "python-6", "python-4.7", "python-4.2", "python-legacy", "node-pop-GET", "node-pop-POST"]
ANSWER_SECONDS = 30
STATE_SECONDS = 30
DEFAULT_WORKSPACE = 10000
FOREIGN_WORKSPACE = 99999
RECORDS = 500
_NUMBER = itertools.count(1)


class Client:
    """One of the vendor's clients, in a process of its own and its own environment; see tests/clients/tea.py."""

    def __init__(self, name: str, server: Service) -> None:
        self.name = name
        self._server = server
        key_id, secret = server.key
        keys = {"DISYNC_ACCESS_KEY_ID": key_id, "DISYNC_ACCESS_KEY_SECRET": secret, "DISYNC_ENDPOINT": server.address}
        self.process = subprocess.Popen(
            _command(name),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=child_environment(**keys, DISYNC_METHOD=name.rpartition("-")[2]),
        )
        self._lines = Lines(self.process)

    def ask(self, action: str, key: list[str] | None = None, **params: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        command = {"action": action, "params": params} | ({"key": key} if key else {})
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._lines.next(ANSWER_SECONDS))
        return answer

    def call(self, action: str, **params: Any) -> Any:
        """The body of an answer that must be a success."""
        answer = self.ask(action, **params)
        assert answer["ok"], f"{answer}\n{self._server.log[-3000:]}"
        assert answer["body"]["Success"] is True, answer
        return answer["body"]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()


def _command(name: str) -> list[str]:
    clients = ROOT / "tests/clients"
    if name.startswith("node-pop"):
        return ["node", str(clients / "node-pop/driver.js")]
    python = ROOT / ".cache/clients" / name / "bin/python"
    if not python.exists():
        raise RuntimeError(f"The client {name} is not installed: run `make test`, or `scripts/install clients`")
    return [str(python), str(clients / ("legacy.py" if name == "python-legacy" else "tea.py"))]


@pytest.fixture(scope="module", params=CLIENTS)
def client(request: pytest.FixtureRequest, server: Service) -> Iterator[Client]:
    client = Client(request.param, server)
    yield client
    client.close()


class Topics:
    """A project of the local DataHub with the seed's two topics."""

    def __init__(self, server: Service) -> None:
        self.server = server
        self.project = f"project{next(_NUMBER)}"
        self.hub = DataHub(*server.key, server.datahub)
        self.hub.create_project(self.project, "test")
        self.schema = RecordSchema.from_lists(
            ["rid", "speed", "road"], [FieldType.BIGINT, FieldType.DOUBLE, FieldType.STRING]
        )
        for topic in (SOURCE_TOPIC, TARGET_TOPIC):
            self.hub.create_tuple_topic(self.project, topic, 1, 7, self.schema, "test")
            self.hub.wait_shards_ready(self.project, topic)

    @property
    def content(self) -> str:
        key_id, secret = self.server.key
        place = {"endpoint": self.server.datahub, "project": self.project}
        return json.dumps(place | {"accessId": key_id, "accessKey": secret, "tag": "public"})

    def publish(self, rows: list[tuple[Any, ...]]) -> None:
        records = []
        for row in rows:
            record = TupleRecord(schema=self.schema, values=list(row))
            record.shard_id = "0"
            records.append(record)
        assert self.hub.put_records(self.project, SOURCE_TOPIC, records).failed_record_count == 0

    def arrived(self, count: int, seconds: float) -> list[tuple[Any, ...]]:
        """The first `count` rows of the target topic, waited for."""
        rows: list[tuple[Any, ...]] = []
        cursor = self.hub.get_cursor(self.project, TARGET_TOPIC, "0", CursorType.OLDEST).cursor
        deadline = time.monotonic() + seconds
        while len(rows) < count:
            assert time.monotonic() < deadline, f"{len(rows)} of {count} records arrived"
            got = self.hub.get_tuple_records(self.project, TARGET_TOPIC, "0", self.schema, cursor, 1000)
            rows += [tuple(record.values) for record in got.records]
            cursor = got.next_cursor
            if not got.records:
                time.sleep(0.05)
        return rows


def _until(check: Callable[[], str], wanted: str) -> None:
    deadline = time.monotonic() + STATE_SECONDS
    while (state := check()) != wanted:
        assert time.monotonic() < deadline, f"still {state}, not {wanted}"
        time.sleep(0.05)


def _succeeded(body: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = body["Data"]
    assert data["Status"] == "success", data
    return data


def _make_sources(client: Client, workspace: int, content: str) -> None:
    for name in ("datahub_uric_test", "datahub_cloud_dev_test"):
        client.call(
            "CreateDataSource",
            ProjectId=workspace,
            Name=name,
            DataSourceType="datahub",
            Content=content,
            EnvType=1,
            Description="made by a test",
        )


def _make_workspace(client: Client) -> int:
    """Data source names are the seed's, so each client has a workspace of its own."""
    name = f"w{next(_NUMBER)}_" + client.name.lower().replace("-", "_").replace(".", "_")
    body = client.call("CreateProject", ProjectIdentifier=name, ProjectName=name, ProjectDescription="made by a test")
    return int(body["Data"])


def test_whole_life_of_the_seed_task(client: Client, server: Service) -> None:
    topics = Topics(server)
    rows = [(number, number / 8, f"路{number}") for number in range(RECORDS)]
    workspace = _make_workspace(client)
    _make_sources(client, workspace, topics.content)
    made = client.call(
        "CreateDISyncTask",
        ProjectId=workspace,
        TaskType="DI_REALTIME",
        TaskName="speed",
        TaskContent=SEED,
        ClientToken=f"token-{client.name}",
    )
    file_id = _succeeded(made)["FileId"]
    task = {"ProjectId": workspace, "TaskType": "DI_REALTIME", "FileId": file_id}

    def state() -> str:
        return str(client.call("GetDISyncInstanceInfo", **task)["Data"]["Status"])

    _succeeded(client.call("DeployDISyncTask", **task))
    assert _succeeded(client.call("GetDISyncTask", **task))["Code"] == SEED
    assert state() == "NORUN"
    topics.publish(rows)
    _succeeded(client.call("StartDISyncInstance", **task, StartParam='{"startTime":"earliest"}'))
    _until(state, "RUN")
    assert topics.arrived(RECORDS, STATE_SECONDS) == rows
    _succeeded(client.call("StopDISyncInstance", **task))
    _until(state, "PAUSE")
    _succeeded(client.call("TerminateDISyncInstance", **task))
    _succeeded(client.call("DeleteDISyncTask", **task))
    gone = client.call("GetDISyncTask", **task)["Data"]
    assert (gone["Status"], gone["Message"]) == ("fail", f"fileId:[{file_id}] is invalid.")


GOOD = {"ProjectId": DEFAULT_WORKSPACE, "TaskType": "DI_REALTIME", "FileId": 100}
GET: dict[str, Any] = {"action": "GetDISyncTask", **GOOD}
ERRORS: dict[str, tuple[dict[str, Any], int, str]] = {
    "wrong secret": (GET | {"key": ["testAccessKeyId", "no"]}, 400, "SignatureDoesNotMatch"),
    "unknown key": (GET | {"key": ["nobody", "no"]}, 404, "InvalidAccessKeyId.NotFound"),
    "unknown action": (GET | {"action": "GetNothingAtAll"}, 404, "InvalidAction.NotFound"),
    "missing parameter": (GET | {"FileId": None}, 400, "MissingFileId"),
    "bad TaskType": (GET | {"TaskType": "DI_NONE"}, 400, "Param.Invalid"),
    "another workspace": (GET | {"ProjectId": FOREIGN_WORKSPACE}, 403, "Forbidden.Access"),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_each_error_raises_the_clients_own_exception(client: Client, kind: str) -> None:
    command, status, code = ERRORS[kind]
    error = client.ask(**{name: value for name, value in command.items() if value is not None})
    assert not error["ok"], error
    if kind == "wrong secret" and client.name == "python-legacy":
        code = "InvalidAccessKeySecret"  # the client tells so itself, when the server's string to sign equals its own
    assert error["code"] == code
    if client.name.startswith("node-pop"):
        assert error["class"] == f"{code}Error"
        assert error["request_id"]
        return
    assert error["status"] == status
    assert error["class"] == _exception(client.name)
    assert error["request_id"] or client.name == "python-4.2"


def _exception(client: str) -> str:
    return {"python-4.2": "TeaException", "python-legacy": "ServerException"}.get(client, "ClientException")


def test_a_business_failure_is_an_answer(client: Client) -> None:
    data = client.call("GetDISyncTask", **GOOD)["Data"]
    assert (data["Status"], data["Message"]) == ("fail", "fileId:[100] is invalid.")
    assert not data.get("Code")
