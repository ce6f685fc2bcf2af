"""Data sources: kept as sent, shown without secrets, tried out against a real DataHub."""

from __future__ import annotations

import json
import logging
import socket
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from operating import CANARY, CONTENT, PROJECT, Call, both_data_sources, create, data_source, member, task
from shapes import wrong

from datahub import DataHub
from disync.datahub.local import LocalDataHub
from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services, open_services
from disync.services.access import Caller, Role
from disync.store import data_sources as rows
from disync.store.database import Store
from disync.store.vault import open_vault


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDataHub]:
    with LocalDataHub(tmp_path_factory.mktemp("datahub"), {"id": "secret"}) as server:
        client = DataHub("id", "secret", server.endpoint)
        client.create_project("project_1", "made by a test")
        for i in range(3):
            client.create_blob_topic("project_1", f"topic_{i}", 1, 7, "made by a test")
        yield server


def content_of(hub: LocalDataHub, **other: str) -> str:
    reached = {"endpoint": hub.endpoint, "project": "project_1", "accessId": "id", "accessKey": "secret"}
    return json.dumps({**reached, **other})


def listed(call: Call, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call("ListDataSources", **PROJECT, **more)["Data"]["DataSources"]
    return found


def tried(call: Call, name: str, env: str = "1") -> dict[str, Any]:
    asked = {**PROJECT, "DatasourceName": name, "EnvType": env, "ResourceGroup": "group_default"}
    result: dict[str, Any] = call("TestNetworkConnection", **asked)["TaskList"]
    return result


def test_content_is_kept_as_it_was_sent(services: Services, store: Store, call: Call) -> None:
    sent = '{ "endpoint":"http://h",  "project":"p","accessId":"a","accessKey":"' + CANARY + '","more":1.50}'
    data_source(call, "s", Content=sent)
    with store.read() as db:
        assert services.data_sources.contents(db, 10000, ["s", "none"]) == {"s": json.loads(sent)}
    masked = listed(call)[0]["Content"]
    assert json.loads(masked) == {**json.loads(sent), "accessKey": "***", "more": "***"}
    assert list(json.loads(masked)) == list(json.loads(sent))


def test_no_secret_is_in_a_file_a_log_or_an_answer(
    call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    source_id = data_source(call, "s")
    answers = [listed(call), tried(call, "s")]
    call("UpdateDataSource", DataSourceId=source_id, Description="d")
    with pytest.raises(Refused) as refused:
        data_source(call, "s")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in json.dumps(answers) + str(refused.value) + caplog.text + "".join(capfd.readouterr())


def test_an_update_changes_what_it_names(services: Services, store: Store, call: Call) -> None:
    source_id = data_source(call, "s", Description="d")
    changed = listed(call)[0]["Content"].replace('"p"', '"q"')
    assert call("UpdateDataSource", DataSourceId=source_id, Content=changed) == {"Data": True}
    with store.read() as db:
        found = services.data_sources.contents(db, 10000, ["s"])["s"]
    assert (found["accessKey"], found["project"]) == (CANARY, "q")
    assert listed(call)[0]["Description"] == "d"


def test_wrong_data_sources_are_refused_by_member(call: Call) -> None:
    source_id = data_source(call, "s")
    wrong: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("a b", {}, "Name"),
        ("n", {"EnvType": 2}, "EnvType"),
        ("n", {"DataSourceType": ""}, "DataSourceType"),
        ("n", {"Content": "{"}, "Content: this is not JSON"),
        ("n", {"Content": "[]"}, "Content: this must be a JSON object"),
        ("n", {"Content": "{}"}, "Content: Object missing required field"),
        ("n", {"Content": CONTENT.replace('"p"', "7")}, r"Content: Expected `str`, got `int` - at `\$\.proj"),
        ("s", {}, "Data source PROD s already exists"),
    )
    for name, more, said in wrong:
        with pytest.raises(Refused, match=said):
            data_source(call, name, **more)
    for changes in ({"Content": "{}"}, {"Content": ""}, {"EnvType": 7}):
        with pytest.raises(Refused):
            call("UpdateDataSource", DataSourceId=source_id, **changes)
    for action in ("UpdateDataSource", "DeleteDataSource"):
        with pytest.raises(Refused, match=r"dataSourceId:\[99\] is invalid"):
            call(action, DataSourceId=99)


def test_a_secret_does_not_go_to_another_place(call: Call) -> None:
    source_id = data_source(call, "s")
    shown = listed(call)[0]["Content"]
    for change in (shown.replace(":1", ":2"), shown.replace('"a"', '"b"')):
        with pytest.raises(Refused, match="give the secret anew"):
            call("UpdateDataSource", DataSourceId=source_id, Content=change)
    call("UpdateDataSource", DataSourceId=source_id, Content=shown.replace(":1", ":2").replace("***", "new"))
    assert ":2" in listed(call)[0]["Content"]


@pytest.mark.parametrize("content", ["null", "{", '{"a":' * 500 + "1" + "}" * 500])
def test_a_row_that_cannot_be_shown_hides_no_other(services: Services, store: Store, call: Call, content: str) -> None:
    """Rows as an earlier version may have taken them."""
    source_id = data_source(call, "a")
    data_source(call, "b")
    with store.write() as db:
        vault = services.data_sources._vault
        rows.change(db, source_id, content=vault.seal(content.encode(), "data_source", 10000, 1, "a"))
    assert [each["Content"] == "***" for each in listed(call)] == [True, False]
    with store.write() as db:
        rows.change(db, source_id, content=b"not sealed")
    assert [each["Content"] == "***" for each in listed(call)] == [True, False]


def test_deep_or_impossible_content_is_refused(call: Call) -> None:
    deep = CONTENT.replace("}", ', "x": ' + "[" * 64 + "]" * 64 + "}")
    broken = ((deep, "more deeply than 64"), (CONTENT.replace('"a"', '"a\\r\\nb"'), "accessId"))
    for content, said in (*broken, (CONTENT.replace("127.0.0.1", "u:x@h"), "endpoint")):
        with pytest.raises(Refused, match=said):
            data_source(call, "s", Content=content)


def test_one_name_may_stand_for_each_environment(services: Services, store: Store, call: Call) -> None:
    development = data_source(call, "s", EnvType=0, Content=CONTENT.replace('"p"', '"dev"'))
    with store.read() as db:
        assert services.data_sources.contents(db, 10000, ["s"])["s"]["project"] == "dev"
    data_source(call, "s", Content=CONTENT.replace('"p"', '"prod"'))
    with store.read() as db:
        assert services.data_sources.contents(db, 10000, ["s"])["s"]["project"] == "prod"
    with pytest.raises(Refused, match="already"):
        call("UpdateDataSource", DataSourceId=development, EnvType=1)


def test_data_sources_are_listed_by_filter(call: Call) -> None:
    data_source(call, "a", EnvType=0)
    data_source(call, "b", DataSourceType="rds", SubType="mysql", Content="{}", Description="d")
    assert [each["Name"] for each in listed(call)] == ["a", "b"]
    for wanted, names in (
        ({"EnvType": 0}, ["a"]),
        ({"DataSourceType": "rds"}, ["b"]),
        ({"SubType": "mysql"}, ["b"]),
        ({"Name": "b"}, ["b"]),
        ({"Status": "ENABLED"}, ["a", "b"]),
        ({"Status": "DISABLED"}, []),
        ({"PageSize": 1, "PageNumber": 2}, ["b"]),
    ):
        assert [each["Name"] for each in listed(call, **wanted)] == names
    shown = listed(call, Name="b")[0]
    assert (shown["SubType"], shown["Description"], shown["Operator"], shown["Status"]) == ("mysql", "d", "root", 1)
    assert time.strptime(shown["GmtCreate"], "%b %d, %Y %I:%M:%S %p").tm_year >= 2026
    with pytest.raises(ParamInvalid, match="Status"):
        listed(call, Status="MAYBE")


def test_a_data_source_in_use_stays(call: Call) -> None:
    source, target = both_data_sources(call)
    file_id = create(call, TaskName="t")["FileId"]
    call("DeployDISyncTask", **task(file_id))
    for used in (source, target):
        with pytest.raises(Refused, match=rf"used by deployed tasks: t \(fileId {file_id}\)"):
            call("DeleteDataSource", DataSourceId=used)
    spare = data_source(call, "datahub_uric_test", EnvType=0)
    assert call("DeleteDataSource", DataSourceId=spare) == {"Data": True}
    call("DeleteDISyncTask", **task(file_id))
    assert call("DeleteDataSource", DataSourceId=source) == {"Data": True}


def test_tasks_are_found_by_their_data_sources(call: Call) -> None:
    ids = [create(call, TaskName=f"t{i}")["FileId"] for i in range(3)]
    asked = {**PROJECT, "TaskType": "DI_REALTIME", "DatasourceName": "datahub_uric_test"}
    found = call("ListRefDISyncTasks", **asked, RefType="from", PageSize=2, PageNumber=2)["Data"]["DISyncTasks"]
    assert found == [
        {
            "NodeId": ids[2],
            "NodeName": "t2",
            "TaskType": "DI_REALTIME",
            "DiSourceDatasource": "datahub_uric_test",
            "DiDestinationDatasource": "datahub_cloud_dev_test",
        }
    ]
    assert call("ListRefDISyncTasks", **asked, RefType="to")["Data"]["DISyncTasks"] == []
    offline = {**asked, "TaskType": "DI_OFFLINE"}
    assert call("ListRefDISyncTasks", **offline, RefType="from")["Data"]["DISyncTasks"] == []
    with pytest.raises(ParamInvalid, match="RefType"):
        call("ListRefDISyncTasks", **asked, RefType="both")


def test_a_connection_is_tried_for_real(call: Call, hub: LocalDataHub) -> None:
    data_source(call, "good", Content=content_of(hub))
    assert tried(call, "good") == {"ConnectStatus": True, "ConnectMessage": ""}
    data_source(call, "wrong", Content=content_of(hub, accessKey="other"))
    data_source(call, "missing", Content=content_of(hub, project="no_such"))
    for name in ("wrong", "missing"):
        failed = tried(call, name)
        assert failed["ConnectStatus"] is False
        assert 0 < len(failed["ConnectMessage"]) <= 200
    data_source(call, "other", DataSourceType="unheard_of", Content="{}")
    assert tried(call, "other")["ConnectMessage"] == "Data sources of the type unheard_of cannot be tested yet."
    assert "no data source none" in tried(call, "none")["ConnectMessage"]
    assert "no data source good" in tried(call, "good", "0")["ConnectMessage"]
    with pytest.raises(ParamInvalid, match="EnvType"):
        tried(call, "good", "7")


def test_whoever_does_not_answer_is_not_waited_for_and_not_described(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        ports = [silent.getsockname()[1], closed.getsockname()[1]]
        messages = set()
        for port in ports:
            data_source(call, f"s{port}", Content=CONTENT.replace(":1", f":{port}"))
            began = time.monotonic()
            messages.add(tried(call, f"s{port}")["ConnectMessage"])
            assert time.monotonic() - began < 4
    data_source(call, "unknown", Content=CONTENT.replace("127.0.0.1", "no-such-host.invalid"))
    messages.add(tried(call, "unknown")["ConnectMessage"])
    assert messages == {"The data source cannot be reached: check its address, and whether it is running."}


@pytest.mark.parametrize("host", ["169.254.169.254", "100.100.100.200", "[fe80::1]", "0.0.0.0"])
def test_addresses_that_no_data_source_has_are_refused(call: Call, host: str) -> None:
    data_source(call, "s", Content=CONTENT.replace("127.0.0.1", host))
    message = f"Task have SSRF attacks: {host.strip('[]')} leads where no data source can be. Correct the data source."
    assert tried(call, "s") == {"ConnectStatus": False, "ConnectMessage": message}
    with pytest.raises(Refused, match="Task have SSRF attacks"):
        call("GetDataSourceMeta", **PROJECT, DatasourceName="s", EnvType="1")


def test_the_policy_holds_for_every_type(call: Call) -> None:
    content = {"jdbcUrl": "jdbc:mysql://0.0.0.0:1/d", "username": "u", "password": "p"}
    data_source(call, "s", DataSourceType="mysql", Content=json.dumps(content))
    assert tried(call, "s")["ConnectMessage"].startswith("Task have SSRF attacks")


def test_the_tables_of_a_data_source_come_in_pages(call: Call, hub: LocalDataHub) -> None:
    data_source(call, "s", Content=content_of(hub))

    def tables(**more: Any) -> list[str]:
        answer = call("GetDataSourceMeta", **PROJECT, DatasourceName="s", **more)["Data"]
        assert (answer["Status"], answer["Message"]) == ("success", None)
        found = json.loads(answer["Meta"])["dbTables"]
        assert {database["dbName"] for database in found} <= {"project_1"}
        return [each["table"] for db in found for schema in db["schema"] for each in schema["tableInfos"]]

    assert tables() == ["topic_0", "topic_1", "topic_2"]
    assert tables(PageSize=2, EnvType="1") == ["topic_0", "topic_1"]
    assert tables(PageSize=2, PageNumber=2) == ["topic_2"]
    assert tables(PageSize=2, PageNumber=3) == []
    data_source(call, "closed")
    with pytest.raises(Refused, match="cannot be reached"):
        call("GetDataSourceMeta", **PROJECT, DatasourceName="closed")


def test_a_new_key_file_reseals_data_sources_too(store: Store, call: Call, tmp_path: Path) -> None:
    data_source(call, "s")
    new = b64encode(bytes(range(32))) + b"\n"
    (tmp_path / "key").write_bytes(new + (tmp_path / "key").read_bytes())
    assert open_services(store, open_vault(tmp_path)).reseal() == 2
    (tmp_path / "key").write_bytes(new)
    with store.read() as db:
        found = open_services(store, open_vault(tmp_path)).data_sources.contents(db, 10000, ["s"])
    assert found["s"]["accessKey"] == CANARY


def unsaved(call: Call, kind: str, content: str) -> tuple[str, str | None]:
    answer = call("TestDataSource", **PROJECT, DataSourceType=kind, Content=content)
    assert wrong("TestDataSource", answer) == []
    return answer["Data"]["Status"], answer["Data"]["Message"]


def test_a_content_is_tried_before_it_is_saved(call: Call, hub: LocalDataHub) -> None:
    data_source(call, "saved", Content=content_of(hub, accessKey="wrong"))
    assert unsaved(call, "datahub", content_of(hub)) == ("success", None)
    same = tried(call, "saved")["ConnectMessage"]
    assert unsaved(call, "datahub", content_of(hub, accessKey="wrong")) == ("fail", same)
    assert unsaved(call, "datahub", CONTENT)[0] == "fail", "nothing listens there"
    assert [row["Name"] for row in listed(call)] == ["saved"]


def test_a_content_that_could_not_be_saved_is_told_in_one_line(call: Call, hub: LocalDataHub) -> None:
    for kind, content, said in (
        ("datahub", "{", "Content: this is not JSON"),
        ("datahub", "{}", "Content: Object missing required field"),
        ("datahub", content_of(hub, accessKey="***"), "Content: there is no stored secret for a ***"),
        ("abc", "{}", "Data sources of the type abc cannot be tested yet."),
    ):
        status, message = unsaved(call, kind, content)
        assert status == "fail" and message is not None and message.startswith(said)
        assert len(message.splitlines()) == 1


def test_the_secret_of_a_content_that_is_only_tried_is_kept_nowhere(
    call: Call, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert unsaved(call, "datahub", CONTENT)[0] == "fail"
    (event,) = call("ListAuditEvents", AuditAction="TestDataSource")["Data"]["Events"]
    assert event["Code"] == "Invalid.Operation" and CANARY not in json.dumps(event)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in caplog.text


def test_who_may_not_write_may_not_try_either(services: Services, root: Caller, call: Call) -> None:
    for role in (Role.VISITOR, None):
        who = member(services, root, f"one-{role}", role)
        for content in (CONTENT, "{"):
            with pytest.raises(ForbiddenAccess):
                unsaved(who, "datahub", content)


def test_the_tables_of_a_data_source_are_found_by_a_part_of_their_names(
    services: Services, root: Caller, call: Call, hub: LocalDataHub
) -> None:
    data_source(call, "d", Content=content_of(hub))

    def tables(who: Call = call, **more: Any) -> Any:
        answer = who("ListDataSourceTables", **PROJECT, DatasourceName="d", **more)
        assert wrong("ListDataSourceTables", answer) == []
        return answer["Data"]

    unknown = {"Rows": None, "Bytes": None, "Keys": []}
    every = [{"Database": "project_1", "Table": f"topic_{i}", **unknown} for i in range(3)]
    assert tables()["Tables"] == every
    page = tables(PageNumber=2, PageSize=2)
    assert (page["Tables"], page["TotalCount"], page["PageNumber"], page["PageSize"]) == (every[2:], 3, 2, 2)
    assert tables(Keyword="1.TOPIC_1")["Tables"] == every[1:2]
    assert tables(Keyword="%")["TotalCount"] == 0
    assert tables(member(services, root, "vic", Role.VISITOR))["Tables"] == every
    with pytest.raises(ForbiddenAccess):
        tables(member(services, root, "eve", None))
    with pytest.raises(Refused, match="no data source none"):
        call("ListDataSourceTables", **PROJECT, DatasourceName="none")
