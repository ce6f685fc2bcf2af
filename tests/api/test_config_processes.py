"""Texts of tasks made in the background, of a real source's tables: asked for, waited for, passed on unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from operating import PROJECT, Call, create
from solving import NOWHERE, detail, extra, solution, solve, sources

import mysqld
from disync.model.errors import Refused
from disync.services import Services
from disync.store import config_processes
from waiting import until


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run("CREATE DATABASE shop")
        server.run(
            "CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, price DECIMAL(12,2) COMMENT 'net', name VARCHAR(40))"
        )
        server.run("CREATE TABLE shop.items (id INT PRIMARY KEY)")
        yield server


def short(*tables: str, kind: str = "oneclick_to_holo", several: bool = False, **writer: Any) -> dict[str, Any]:
    chosen: dict[str, Any] = {"table": list(tables)}
    if several:
        infos = [{"table": table} for table in tables]
        chosen = {"selectedTables": [{"dbName": "shop", "schema": [{"tableInfos": infos}]}]}
    reader = {"connection": [{"datasourceType": "mysql", "datasource": "mm", **chosen}]}
    steps = [
        {"stepType": "mysql", "parameter": reader, "name": "Reader", "category": "reader"},
        {"stepType": kind[12:], "parameter": {"datasource": "holo", **writer}, "name": "Writer", "category": "writer"},
    ]
    return {"type": "realtime", "version": "1.0", "setting": {"taskType": kind}, "steps": steps}


def generate(call: Call, param: dict[str, Any], kind: str = "DI_SOLUTION", **more: Any) -> int:
    action = "GenerateDISyncTaskConfigFor" + ("Updating" if "TaskId" in more else "Creating")
    data = call(action, **PROJECT, TaskType=kind, TaskParam=json.dumps(param), **more)["Data"]
    assert (data["Status"], data["Message"]) == ("success", None)
    return int(data["ProcessId"])


def outcome(call: Call, process_id: int, kind: str = "DI_SOLUTION") -> Any:
    def ask() -> Any:
        asked = {**PROJECT, "TaskType": kind, "AsyncProcessId": process_id}
        return call("QueryDISyncTaskConfigProcessResult", **asked)["Data"]

    until(lambda: ask()["Status"] != "run")
    return ask()


def content(call: Call, process_id: int, kind: str = "DI_SOLUTION") -> str:
    data = outcome(call, process_id, kind)
    assert (data["Status"], data["Message"]) == ("success", None)
    return str(data["TaskContent"])


def rules(root: Any) -> list[Any]:
    steps = root.get("steps") or root["realtimeSyncConfig"]["content"]["steps"]
    return list(steps[1]["parameter"]["tableMappingRule"]["datasource"][0]["tableRule"])


def test_a_solution_is_made_of_a_short_form(call: Call, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    text = content(call, generate(call, short("orders", several=True, datasourceSchema="public")))
    (rule,) = rules(json.loads(text))
    assert (rule["srcDbName"], rule["srcTable"], rule["dstTable"]) == ("shop", "orders", "public.orders")
    told = [(c["name"], c["type"], c["columnSize"], c["digit"]) for c in rule["dstCreateTableInfo"]["dataColumn"]]
    assert told == [("id", "int8", 0, 0), ("price", "numeric", 12, 2), ("name", "varchar", 40, 0)]
    made = solve(call, text)
    assert made["Status"] == "success"
    assert detail(call, made["FileId"])["ProcessContent"] == text
    assert extra(call, made["FileId"])["tableNum"] == 1
    assert call("DeployDISyncTask", **solution(made["FileId"]))["Data"]["Status"] == "success"


def test_a_real_time_task_is_made_of_a_short_form(call: Call, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    text = content(call, generate(call, short("orders", several=True), "DI_REALTIME"), "DI_REALTIME")
    root = json.loads(text)
    assert (root["type"], root["version"], root["extend"]) == ("job", "2.0", {"mode": "migration_holo"})
    assert rules(root)[0]["dstTable"] == "shop.orders"
    file_id = create(call, TaskContent=text)["FileId"]
    assert call("GetDISyncTask", **{**solution(file_id), "TaskType": "DI_REALTIME"})["Data"]["Code"] == text


def test_every_table_stays_every_table(call: Call, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    text = content(call, generate(call, short()))
    assert rules(json.loads(text)) == []
    assert extra(call, solve(call, text)["FileId"])["tableNum"] == 2


@pytest.mark.parametrize("kind", ["oneclick_to_odps", "oneclick_to_kafka"])
def test_a_kind_that_is_not_served_says_so_when_it_is_asked_about(call: Call, kind: str) -> None:
    data = outcome(call, generate(call, short("orders", kind=kind)))
    assert (data["Status"], data["TaskContent"]) == ("fail", None)
    assert data["Message"].startswith(f'{kind}: there is no connector yet that writes to "{kind[12:]}"')


def test_a_source_that_does_not_fit_fails_and_says_why(call: Call, source: mysqld.Server) -> None:
    assert 'no data source named "mm"' in outcome(call, generate(call, short("orders")))["Message"]
    sources(call, source.content("shop"))
    missing = outcome(call, generate(call, short("orders", "nothing")))
    assert (missing["Status"], "does not have nothing" in missing["Message"]) == ("fail", True)
    sources(call, NOWHERE, ("away", "there"))
    away = json.loads(json.dumps(short("orders")).replace('"mm"', '"away"'))
    assert outcome(call, generate(call, away))["Status"] == "fail"


def test_what_is_wrong_with_the_request_is_refused_at_once(call: Call) -> None:
    action = "GenerateDISyncTaskConfigForCreating"
    for param, said in (("{", "TaskParam: this is not JSON"), ("{}", "taskType must be one of")):
        with pytest.raises(Refused, match=said):
            call(action, **PROJECT, TaskType="DI_SOLUTION", TaskParam=param)
    with pytest.raises(Refused, match="DI_OFFLINE tasks are not served"):
        call(action, **PROJECT, TaskType="DI_OFFLINE", TaskParam=json.dumps(short("orders")))
    with pytest.raises(Refused, match=r"^fileId:\[7\] is invalid"):
        generate(call, short("orders"), TaskId=7)
    process_id = generate(call, short("orders"))
    assert outcome(call, process_id)["Status"] == "fail"
    for number, kind in ((process_id + 7, "DI_SOLUTION"), (process_id, "DI_REALTIME")):
        with pytest.raises(Refused, match=rf"AsyncProcessId:\[{number}\] is invalid"):
            outcome(call, number, kind)


def test_a_client_token_has_one_process(call: Call) -> None:
    first = generate(call, short("orders"), ClientToken="t")
    assert generate(call, short("orders"), ClientToken="t") == first
    other = generate(call, short("orders"), ClientToken="u")
    assert other != first
    assert [outcome(call, each)["Status"] for each in (first, other)] == ["fail", "fail"]


def test_a_process_outlives_the_server_that_began_it(call: Call, services: Services, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    with services.store.write() as db:
        process_id = config_processes.add(
            db,
            workspace_id=10000,
            user_id="root",
            task_type="DI_SOLUTION",
            param=json.dumps(short("items")),
            created_ms=0,
        )
    assert rules(json.loads(content(call, process_id)))[0]["srcTable"] == "items"


def test_tables_of_a_solution_are_changed(call: Call, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    file_id = solve(call, content(call, generate(call, short("orders", several=True))))["FileId"]
    wanted = {
        "steps": [
            {"parameter": {"connection": [{"table": ["items", "orders"]}]}, "name": "Reader", "category": "reader"}
        ]
    }
    text = content(call, generate(call, wanted, TaskId=file_id))
    root = json.loads(text)
    assert [rule["srcTable"] for rule in rules(root)] == ["orders", "items"]
    assert root["tableMappingRuleFromRealtimeSyncConfig"]["datasource"][0]["tableRule"] == rules(root)
    call("UpdateDISyncTask", **solution(file_id, TaskContent=text))
    assert detail(call, file_id)["ProcessContent"] == text
    assert extra(call, file_id)["tableNum"] == 2
