"""Calls the operations as the gateway calls them: with parameters converted to their types."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from disync.operations import bind
from disync.services import Services
from disync.services.access import Caller, Place, Role

SEED = (Path(__file__).parent.parent / "golden" / "seed-code.json").read_text().rstrip("\n")
FOLDER = "Business Flow/default/Data Integration"
CANARY = "canary-Secret-1"
CONTENT = json.dumps(
    {"endpoint": "http://127.0.0.1:1", "project": "p", "accessId": "a", "accessKey": CANARY, "tag": "public"}
)
PROJECT = {"ProjectId": 10000}

Call = Callable[..., Any]


def caller_of(services: Services, who: Caller) -> Call:
    handlers = bind(services)
    return lambda action, **parameters: handlers[action](who, parameters)


def create(call: Call, **more: Any) -> Any:
    wanted = {**PROJECT, "TaskType": "DI_REALTIME", "TaskContent": SEED, **more}
    return call("CreateDISyncTask", **wanted)["Data"]


def task(file_id: int, **more: Any) -> dict[str, Any]:
    return {**PROJECT, "TaskType": "DI_REALTIME", "FileId": file_id, **more}


def data_source(call: Call, name: str, **more: Any) -> int:
    wanted = {**PROJECT, "Name": name, "DataSourceType": "datahub", "Content": CONTENT, "EnvType": 1, **more}
    return int(call("CreateDataSource", **wanted)["Data"])


def both_data_sources(call: Call) -> tuple[int, int]:
    return data_source(call, "datahub_uric_test"), data_source(call, "datahub_cloud_dev_test")


def member(services: Services, root: Caller, name: str, role: Role | None) -> Call:
    services.keys.create_user(name)
    if role is not None:
        services.workspaces.set_member(root, Place(10000), name, role)
    return caller_of(services, Caller(name, name))
