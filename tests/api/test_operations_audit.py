"""Every write is recorded, whoever asks for it and through whatever door; nothing secret is."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from operating import CANARY, CONTENT, FOLDER, PROJECT, SEED, Call, caller_of, create, data_source, member, task
from shapes import wrong

from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.operations import OPERATIONS, bind
from disync.services import Services
from disync.services import audit as module
from disync.services.access import Caller, Role
from disync.services.audit import DONE, KEPT_MS, LONGEST, Write
from disync.store.database import Store

READS = ("Get", "List", "Preview", "Query")


def events(call: Call, **wanted: Any) -> list[dict[str, Any]]:
    answer = call("ListAuditEvents", **wanted, PageSize=100)
    assert wrong("ListAuditEvents", answer) == []
    found: list[dict[str, Any]] = answer["Data"]["Events"]
    return found


def outcomes(call: Call, **wanted: Any) -> list[tuple[str, str, str]]:
    """Who did what, and what came of it, the first first."""
    return [(event["UserId"], event["Action"], event["Code"]) for event in reversed(events(call, **wanted))]


def test_a_write_is_recorded_with_all_that_is_known_of_it(services: Services, root: Caller) -> None:
    handlers = bind(services)
    browsing = replace(root, door="console")
    made = handlers["CreateDISyncTask"](browsing, {**PROJECT, "TaskType": "DI_REALTIME", "TaskContent": SEED}, "r1")
    (event,) = events(caller_of(services, root))
    assert event["Time"] > 1_700_000_000_000
    assert {name: event[name] for name in ("UserId", "UserName", "Door", "Action", "RequestId", "Code", "Message")} == {
        "UserId": "root",
        "UserName": "root",
        "Door": "console",
        "Action": "CreateDISyncTask",
        "RequestId": "r1",
        "Code": DONE,
        "Message": "",
    }
    assert (event["ProjectId"], event["FileId"]) == (10000, made["Data"]["FileId"])
    given = json.loads(event["Parameters"])
    assert (given["ProjectId"], given["TaskType"]) == (10000, "DI_REALTIME")


def test_reads_are_not_recorded(call: Call) -> None:
    call("ListFiles", **PROJECT)
    call("GetProject", **PROJECT)
    call("ListAuditEvents")
    assert events(call) == []
    recorded = {name for name in OPERATIONS if not name.startswith(READS)}
    assert {"CreateUser", "TestNetworkConnection", "StartDISyncInstance", "UpdateDataSource"} <= recorded


def test_what_failed_is_recorded_with_its_reason(services: Services, root: Caller, call: Call) -> None:
    visitor = member(services, root, "vic", Role.VISITOR)
    with pytest.raises(ForbiddenAccess):
        visitor("CreateFolder", **PROJECT, FolderPath=f"{FOLDER}/x")
    with pytest.raises(Refused):
        call("StartDISyncInstance", **task(99))
    with pytest.raises(ParamInvalid):
        call("CreateProject", ProjectIdentifier="p", ProjectName="P", Tags=[{"Key": 1}])
    data_source(call, "s", DataSourceType="unheard_of")
    call("TestNetworkConnection", **PROJECT, DatasourceName="s", EnvType="1", ResourceGroup="g")
    assert outcomes(call) == [
        ("vic", "CreateFolder", "Forbidden.Access"),
        ("root", "StartDISyncInstance", "Invalid.FileId"),
        ("root", "CreateProject", "Param.Invalid"),
        ("root", "CreateDataSource", DONE),
        ("root", "TestNetworkConnection", "Invalid.Connection"),
    ]
    refused = events(call, AuditAction="StartDISyncInstance")[0]
    assert (refused["FileId"], refused["Message"]) == (99, "fileId:[99] is invalid.")
    assert all(event["Message"] for event in events(call) if event["Code"] != DONE)


def test_a_fault_of_ours_is_recorded_without_its_text(services: Services, call: Call, root: Caller) -> None:
    with pytest.raises(RuntimeError), services.audit.writing(Write(root, "CreateFolder", PROJECT)):
        raise RuntimeError("who knows what this holds")
    (event,) = events(call)
    assert (event["Code"], event["Message"]) == ("InternalError.System", "An internal error occurred.")


def test_a_write_that_the_server_did_not_survive_has_no_code(services: Services, call: Call, root: Caller) -> None:
    entered = services.audit.writing(Write(root, "DeleteFile", {**PROJECT, "FileId": 7}))
    entered.__enter__()
    (event,) = events(call)
    assert (event["Action"], event["FileId"], event["Code"]) == ("DeleteFile", 7, "")
    entered.__exit__(None, None, None)
    assert events(call)[0]["Code"] == DONE


def test_no_secret_gets_into_the_log(services: Services, store: Store, call: Call) -> None:
    source = data_source(call, "s")
    call("UpdateDataSource", DataSourceId=source, Content=CONTENT)
    with pytest.raises(Refused):
        data_source(call, "s")
    with pytest.raises(Refused):
        call("UpdateDataSource", DataSourceId=99, Content=CONTENT)
    data_source(call, "odd", DataSourceType="unheard_of", Content=json.dumps({"jdbc": f"x://u:{CANARY}@h/d"}))
    with pytest.raises((Refused, ParamInvalid)):
        data_source(call, "broken", Content=f'{{"accessKey":"{CANARY}"')
    inline = {"steps": [{"stepType": "mysql", "parameter": {"password": CANARY, "url": f"mysql://u:{CANARY}@h"}}]}
    with suppress(Refused):
        create(call, TaskContent=json.dumps(inline))
    call("CreateUser", UserId="ann")
    made = call("CreateAccessKey", UserId="ann")["Data"]
    with store.read() as db:
        stored = str(db.exec_driver_sql("SELECT * FROM audit").all())
    assert len(events(call)) >= 8
    for secret in (CANARY, made["AccessKeyId"], made["AccessKeySecret"]):
        assert secret not in stored
    content = json.loads(json.loads(events(call, AuditAction="UpdateDataSource")[-1]["Parameters"])["Content"])
    assert content == json.loads(CONTENT) | {"accessKey": "***"}


def test_a_secret_that_an_error_repeats_is_hidden_there_too(services: Services, root: Caller, call: Call) -> None:
    given = {**PROJECT, "DataSourceType": "datahub", "Content": CONTENT}
    with pytest.raises(Refused), services.audit.writing(Write(root, "CreateDataSource", given)):
        raise Refused(f"{CANARY} is no key of the project p.")
    assert events(call)[0]["Message"] == "*** is no key of the project p."


def test_owners_see_their_workspace_and_root_sees_all(services: Services, root: Caller, call: Call) -> None:
    owner = member(services, root, "olga", Role.OWNER)
    other = call("CreateProject", ProjectIdentifier="p", ProjectName="P")["Data"]
    source = data_source(call, "s")
    call("UpdateDataSource", DataSourceId=source, Description="d")
    call("CreateFolder", ProjectIdentifier="default", FolderPath=f"{FOLDER}/x")
    call("CreateBusiness", ProjectId=other, BusinessName="b")
    here = ["CreateDataSource", "UpdateDataSource", "CreateFolder"]
    assert [action for _, action, _ in outcomes(owner, **PROJECT)] == here
    assert [action for _, action, _ in outcomes(call, ProjectId=other)] == ["CreateProject", "CreateBusiness"]
    assert len(events(call)) == 5
    developer = member(services, root, "dev", Role.DEVELOPER)
    for who, wanted in ((owner, {}), (owner, {"ProjectId": other}), (developer, PROJECT), (owner, {"ProjectId": 99})):
        with pytest.raises(ForbiddenAccess):
            who("ListAuditEvents", **wanted)


def test_events_are_found_by_user_action_file_and_time(
    services: Services, root: Caller, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000_000]
    monkeypatch.setattr(module, "now_ms", lambda: now[0])
    developer = member(services, root, "dev", Role.DEVELOPER)
    file_id = create(developer)["FileId"]
    now[0] += 1000
    call("UpdateDISyncTask", **task(file_id))
    assert [event["Action"] for event in events(call, FileId=file_id)] == ["UpdateDISyncTask", "CreateDISyncTask"]
    assert outcomes(call, UserId="dev") == [("dev", "CreateDISyncTask", DONE)]
    assert outcomes(call, AuditAction="UpdateDISyncTask") == [("root", "UpdateDISyncTask", DONE)]
    assert outcomes(call, StartTime=now[0]) == [("root", "UpdateDISyncTask", DONE)]
    assert outcomes(call, EndTime=now[0]) == [("dev", "CreateDISyncTask", DONE)]
    page = call("ListAuditEvents", PageNumber=2, PageSize=1)["Data"]
    assert (page["TotalCount"], page["Events"][0]["Action"]) == (2, "CreateDISyncTask")


def test_the_log_is_bounded_by_age_and_number(
    services: Services, root: Caller, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_800_000_000_000]
    monkeypatch.setattr(module, "now_ms", lambda: now[0])
    monkeypatch.setattr(module, "MOST", 3)
    monkeypatch.setattr(module, "PRUNE_EVERY", 2)
    for _ in range(6):
        with services.audit.writing(Write(root, "CreateFolder", PROJECT)):
            pass
    assert len(events(call)) == 3
    now[0] += KEPT_MS + 1
    for _ in range(2):
        with services.audit.writing(Write(root, "CreateFolder", PROJECT)):
            pass
    assert {event["Time"] for event in events(call)} == {now[0]}


def test_long_parameters_are_cut(services: Services, root: Caller, call: Call) -> None:
    given = {**PROJECT, "TaskContent": "x" * 100_000, "Tags": [{"Key": "y" * 100_000}]}
    with services.audit.writing(Write(root, "CreateDISyncTask", given)):
        pass
    (event,) = events(call)
    assert len(event["Parameters"]) < 3 * LONGEST
    assert json.loads(event["Parameters"])["TaskContent"] == "x" * LONGEST + "…"
