"""Solutions through the operations, on both stores: what is sent comes back, and the status is what runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from operating import PROJECT, Call, create, member, task
from solving import (
    FULL,
    NOWHERE,
    SEED,
    Driven,
    detail,
    digit,
    extra,
    info,
    listed,
    part,
    solution,
    solve,
    sources,
    steps,
    text,
)

import mysqld
from disync.model.errors import BadConfig, ForbiddenAccess, NeedsConfirmation, Refused, Unreachable
from disync.services import Services
from disync.services.access import Caller, Role
from disync.store import deployments, resource_groups, solutions
from disync.store.database import Store

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
TABLES = ("items", "orders", "people")


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run("CREATE DATABASE shop")
        for table in TABLES:
            server.run(f"CREATE TABLE shop.{table} (id INT PRIMARY KEY, name VARCHAR(20))")
        server.run("CREATE VIEW shop.seen AS SELECT * FROM shop.items")
        yield server


@pytest.fixture
def made(call: Call, source: mysqld.Server) -> int:
    """The seed's solution over three tables."""
    sources(call, source.content("shop"))
    return int(solve(call)["FileId"])


@pytest.fixture
def started(call: Call, made: int) -> int:
    for action in ("DeployDISyncTask", "StartDISyncInstance"):
        assert call(action, **solution(made))["Data"]["Status"] == "success"
    return made


def flows(call: Call) -> list[Any]:
    return list(call("ListBusiness", **PROJECT, PageNumber=1, PageSize=10)["Data"]["Business"])


def test_the_detail_has_the_types_and_forms_of_the_seed(call: Call, made: int) -> None:
    found = detail(call, made)
    members = "Status Type StartTime CreatorName ProjectId SourceType ProcessContent Name ProcessExtra SubmitTime Id"
    assert list(found) == members.split()
    assert found["ProcessContent"] == SEED
    assert found["ProcessExtra"] == '{"processType":"new","tableNum":3}'
    assert (found["Id"], found["ProjectId"], found["CreatorName"]) == (made, 10000, "root")
    assert (found["Type"], found["SourceType"], found["Status"]) == ("holo", "mysql", "1")
    assert re.fullmatch(r"holo_\d{14}", found["Name"])
    assert (found["StartTime"], found["SubmitTime"]) == (None, None)
    call("DeployDISyncTask", **solution(made))
    found = detail(call, made)
    assert TIME.fullmatch(found["SubmitTime"]) and found["StartTime"] is None
    call("StartDISyncInstance", **solution(made))
    assert TIME.fullmatch(detail(call, made)["StartTime"])


def test_a_text_comes_back_byte_for_byte(call: Call) -> None:
    oddly = SEED.replace('"setting":{"auto', '"unknown" : 1.50e0,\n "setting" : {"auto').replace(
        "oneclick_holo", "数据 \\u6570"
    )
    for content in (SEED, oddly, oddly + "\n ", FULL):
        file_id = solve(call, content, TaskName=f"s{len(listed(call, 24))}")["FileId"]
        assert detail(call, file_id)["ProcessContent"] == content


def test_what_is_not_there_is_only_warned_of_and_the_content_is_counted(call: Call) -> None:
    made = solve(call, text("orders", "items", colour="red"))
    assert made["Status"] == "success"
    assert made["Warnings"] == [
        "$.colour: this member is kept but has no effect.",
        '$.realtimeSyncConfig.content.steps[0].parameter.connection[0].datasource: there is no data source named "mm".',
        '$.realtimeSyncConfig.content.steps[1].parameter.datasource: there is no data source named "holo".',
        "$.realtimeSyncConfig.extend.resourceGroup: group_219193793999490 is not known here; group_default is used.",
        "$.offlineSyncConfig.resourceGroup: group_219193793999490 is not known here; group_default is used.",
    ]
    assert extra(call, made["FileId"])["tableNum"] == 2
    with pytest.raises(Refused, match=r"^\$\.realtimeSyncConfig\.content\.steps\[0\]\.parameter\.connection\[0\]"):
        call("DeployDISyncTask", **solution(made["FileId"]))
    assert digit(call, made["FileId"]) == "1"


def test_a_broken_text_is_refused_and_leaves_nothing(call: Call, made: int) -> None:
    before = call("ListFiles", **PROJECT)["Data"]["TotalCount"]
    for broken, said in (
        (FULL.replace("}", "", 1), "not JSON"),
        (SEED.replace('"srcType":"mysql"', '"srcType":"x"'), "srcType"),
    ):
        with pytest.raises(Refused, match=said):
            solve(call, broken)
        with pytest.raises(Refused, match=said):
            call("UpdateDISyncTask", **solution(made, TaskContent=broken))
    assert call("ListFiles", **PROJECT)["Data"]["TotalCount"] == before


def test_its_files_are_listed_and_read_in_a_flow_of_their_own(call: Call, made: int) -> None:
    name = detail(call, made)["Name"]
    (own,), (realtime,) = listed(call, 24), listed(call, 900, NeedAbsoluteFolderPath=True)
    assert (own["FileId"], own["FileName"]) == (made, name)
    assert realtime["FileName"] == f"oneclick_{name}"
    assert realtime["AbsoluteFolderPath"] == f"Business Flow/{name}/Data Integration"
    assert [flow["BusinessName"] for flow in flows(call)] == ["default", name]
    code = call("GetDISyncTask", **task(realtime["FileId"]))["Data"]["Code"]
    begin = SEED.index('"content":') + len('"content":')
    assert code == SEED[begin : SEED.index(',"extend":{"mode"')]
    assert call("GetDISyncInstanceInfo", **task(realtime["FileId"]))["Data"]["Status"] == "NORUN"


def test_without_its_own_flow_the_files_lie_beside_it(call: Call) -> None:
    solve(call, FULL)
    (realtime,) = listed(call, 900, NeedAbsoluteFolderPath=True)
    assert realtime["FileName"] == "realtime_h"
    assert realtime["AbsoluteFolderPath"] == "Business Flow/default/Data Integration"


def test_names_are_chosen_and_never_twice(call: Call) -> None:
    first, second = (solve(call)["FileId"] for _ in range(2))
    assert detail(call, first)["Name"] != detail(call, second)["Name"]
    solve(call, TaskName="任务")
    with pytest.raises(Refused, match="there is a file named 任务 already"):
        solve(call, TaskName="任务")
    with pytest.raises(Refused, match="TaskName: letters"):
        solve(call, TaskName="a b")


def test_a_client_token_takes_effect_once(call: Call) -> None:
    first = solve(call, ClientToken="t")
    assert solve(call, ClientToken="t")["FileId"] == first["FileId"]
    assert len(listed(call, 900)) == 1


@pytest.mark.parametrize("kind", ["DI_REALTIME", "DI_SOLUTION"])
def test_an_id_of_the_other_kind_is_invalid(call: Call, kind: str) -> None:
    of = {"DI_SOLUTION": create(call)["FileId"], "DI_REALTIME": solve(call)["FileId"]}
    for file_id in (100, 2**63 - 1, of[kind]):
        for action in (
            "GetDISyncTask",
            "GetDISyncInstanceInfo",
            "DeployDISyncTask",
            "StartDISyncInstance",
            "StopDISyncInstance",
            "TerminateDISyncInstance",
            "DeleteDISyncTask",
            "UpdateDISyncTask",
        ):
            with pytest.raises(Refused, match=rf"^fileId:\[{file_id}\] is invalid\.$"):
                call(action, **{**solution(file_id), "TaskType": kind})


def test_strangers_are_kept_out_and_visitors_only_read(call: Call, made: int, services: Services, root: Caller) -> None:
    stranger, visitor = (member(services, root, name, role) for name, role in (("s", None), ("v", Role.VISITOR)))
    with pytest.raises(ForbiddenAccess):
        stranger("GetDISyncTask", **solution(made))
    assert visitor("GetDISyncTask", **solution(made))["Data"]["SolutionDetail"]["Id"] == made
    with pytest.raises(ForbiddenAccess):
        visitor("DeployDISyncTask", **solution(made))
    other = call("CreateProject", ProjectIdentifier="other", ProjectName="other")["Data"]
    with pytest.raises(ForbiddenAccess):
        call("GetDISyncTask", **{**solution(made), "ProjectId": other})


def test_what_it_owns_is_changed_through_it(call: Call, started: int, services: Services) -> None:
    driven = Driven.claim(services)
    driven.begins(part("orders"))
    name = detail(call, started)["Name"]
    (realtime,), (node,) = listed(call, 900), listed(call, 23)
    said = rf"belongs to the solution {name} \(fileId {started}\)"
    actions = ("DeployDISyncTask", "StartDISyncInstance", "StopDISyncInstance", "TerminateDISyncInstance")
    for action in (*actions, "DeleteDISyncTask", "UpdateDISyncTask"):
        with pytest.raises(Refused, match=said):
            call(action, **task(realtime["FileId"]))
    for file in (realtime, node):
        with pytest.raises(Refused, match=said):
            call("DeleteFile", **PROJECT, FileId=file["FileId"])


def test_each_digit_from_create_to_delete(call: Call, made: int, services: Services) -> None:
    assert (digit(call, made), steps(call, made)) == ("1", ["wait"] * 4)
    call("DeployDISyncTask", **solution(made))
    assert (digit(call, made), info(call, made)["SolutionInfo"]["Status"]) == ("4", "commit")
    call("StartDISyncInstance", **solution(made))
    assert (digit(call, made), info(call, made)["SolutionInfo"]["Status"]) == ("8", "wait")
    driven = Driven.claim(services, running=False)
    assert (digit(call, made), steps(call, made)) == ("2", ["success", "run", "wait", "wait"])
    orders, items = part("orders"), part("items")
    driven.begins(orders, items)
    driven.runs()
    assert (digit(call, made), info(call, made)["SolutionInfo"]["Status"]) == ("2", "run")
    driven.wrote(orders, 10, done=True)
    assert (digit(call, made), steps(call, made)) == ("2", ["success", "success", "run", "wait"])
    driven.wrote(items, 5, done=True)
    assert (digit(call, made), steps(call, made)) == ("0", ["success", "success", "success", "run"])
    call("StopDISyncInstance", **solution(made))
    assert digit(call, made) == "7"
    driven.ends()
    assert (digit(call, made), steps(call, made)) == ("1", ["success", "success", "success", "stop"])
    call("TerminateDISyncInstance", **solution(made))
    assert digit(call, made) == "7"
    call("DeleteDISyncTask", **solution(made))
    assert (digit(call, made), detail(call, made)["ProcessContent"]) == ("9", SEED)
    with pytest.raises(Refused, match="is invalid"):
        call("GetDISyncInstanceInfo", **solution(made))


def test_a_failure_is_told_and_started_again_goes_on(call: Call, started: int, services: Services) -> None:
    orders, items = part("orders"), part("items")
    driven = Driven.claim(services)
    driven.begins(orders, items)
    driven.wrote(orders, 10, done=True)
    driven.ends(Unreachable("The target is away."))
    assert (digit(call, started), info(call, started)["Message"]) == ("8", "Unreachable: The target is away.")
    with services.store.write() as db:
        db.exec_driver_sql("UPDATE instance SET lease_until_ms = 0")
    again = Driven.claim(services)
    again.ends(BadConfig("The target does not fit."))
    assert (digit(call, started), info(call, started)["Message"]) == ("3", "BadConfig: The target does not fit.")
    assert steps(call, started) == ["success", "success", "fail", "wait"]
    answer = call("StartDISyncInstance", **solution(started, StartParam='{"errorLimit":{"record":0}}'))["Data"]
    assert "StartParam: it only has an effect for DI_REALTIME" in answer["Warnings"][0]
    rerun = Driven.claim(services)
    assert rerun.ledger.checkpoints()[orders.id].done, "what was loaded is not loaded again"
    rerun.wrote(items, 5, done=True)
    assert digit(call, started) == "0"


def test_a_target_that_differs_is_confirmed_by_a_start(call: Call, started: int, services: Services) -> None:
    driven = Driven.claim(services)
    assert not driven.task.confirmed
    driven.ends(NeedsConfirmation("Table public.orders has a column more."))
    assert (digit(call, started), info(call, started)["SolutionInfo"]["Status"]) == ("5", "confirm")
    assert steps(call, started) == ["success", "confirm", "wait", "wait"]
    call("StartDISyncInstance", **solution(started))
    assert (digit(call, started), info(call, started)["SolutionInfo"]["Status"]) == ("6", "confirmed")
    again = Driven.claim(services, running=False)
    assert again.task.confirmed
    assert digit(call, started) == "6"
    again.begins(part("orders"))
    again.runs()
    assert digit(call, started) == "2"
    call("UpdateDISyncTask", **solution(started, TaskContent=text("orders", "items")))
    again.ends()
    once_more = Driven.claim(services)
    assert once_more.task.confirmed, "a table more does not stop those that were confirmed"
    once_more.ends(Unreachable("away"))
    assert digit(call, started) == "8"
    call("StopDISyncInstance", **solution(started))
    call("TerminateDISyncInstance", **solution(started))
    call("DeployDISyncTask", **solution(started))
    call("StartDISyncInstance", **solution(started))
    assert not Driven.claim(services).task.confirmed, "what begins anew asks anew"


def test_nodes_are_made_when_the_load_begins(call: Call, started: int, services: Services) -> None:
    assert listed(call, 23) == []
    driven = Driven.claim(services)
    driven.begins(part("orders", 0), part("orders", 1), part("items"))
    found = listed(call, 23, NeedContent=True, NeedAbsoluteFolderPath=True)
    names = [f"oneclick_holo_di_{table}_to_{table}" for table in ("orders", "items")]
    assert [file["FileName"] for file in found] == names
    assert {file["AbsoluteFolderPath"] for file in found} == {
        f"Business Flow/{detail(call, started)['Name']}/Data Integration"
    }
    script = json.loads(found[0]["Content"])
    assert script["steps"][0]["parameter"] == {
        "datasource": "mm",
        "column": ["id", "name"],
        "connection": [{"datasource": "mm", "table": ["orders"]}],
        "where": "",
        "splitPk": "id",
    }
    assert script["steps"][1]["parameter"]["table"] == "public.orders"
    assert script["extend"]["resourceGroup"] == "group_219193793999490"
    assert call("GetFile", **PROJECT, FileId=found[0]["FileId"])["Data"]["File"]["FileType"] == 23
    assert extra(call, started) == {"processType": "new", "tableNum": 2}
    driven.wrote(part("orders", 0), 4)
    loads = json.loads(info(call, started)["SolutionInfo"]["StepDetail"][2]["Info"])
    rows = [
        (r["tableName"], r["fileName"], r["rows"], r["progress"], r["status"])
        for r in loads["fusionProps"]["dataSource"]
    ]
    assert rows == [("items", names[1], 0, "0/1", "WAIT"), ("orders", names[0], 4, "0/2", "RUN")]


def test_nodes_of_two_solutions_over_one_table_have_two_names(call: Call, started: int, services: Services) -> None:
    Driven.claim(services).begins(part("orders"))
    second = solve(call, TaskName="second")["FileId"]
    call("DeployDISyncTask", **solution(second))
    call("StartDISyncInstance", **solution(second))
    Driven.claim(services).begins(part("orders"))
    name = "oneclick_holo_di_orders_to_orders"
    assert [file["FileName"] for file in listed(call, 23)] == [name, f"{name}_2"]
    call("StopDISyncInstance", **solution(second))
    call("TerminateDISyncInstance", **solution(second))
    call("DeleteDISyncTask", **solution(second))
    assert [file["FileName"] for file in listed(call, 23)] == [name]


def test_five_thousand_tables_are_told_in_little(call: Call, started: int, services: Services) -> None:
    driven = Driven.claim(services)
    driven.begins(*(part(f"t{number}") for number in range(5000)))
    driven.wrote(part("t7"), 3)
    data = info(call, started)
    assert len(json.dumps(data)) < 100_000
    loads = json.loads(data["SolutionInfo"]["StepDetail"][2]["Info"])
    assert len(loads["fusionProps"]["dataSource"]) == 100
    assert loads["customProps"]["summary"] == {"tables": 5000, "shown": 100, "rows": 3, "progress": "0/5000"}
    assert extra(call, started)["tableNum"] == 5000
    assert call("ListFiles", **PROJECT, FileTypes="23")["Data"]["TotalCount"] == 5000


def test_a_table_that_is_left_behind_is_told_and_taken_up_again(call: Call, started: int, services: Services) -> None:
    orders, items = part("orders"), part("items")
    driven = Driven.claim(services)
    assert driven.task.isolates
    driven.begins(orders, items)
    for each in (orders, items):
        driven.wrote(each, 1, done=True)
    assert digit(call, started) == "0"
    driven.ledger.fail({"items"}, "DdlRefused: DROPCOLUMN of items")
    assert (digit(call, started), extra(call, started)["tableNum"]) == ("2", 2)
    data = info(call, started)
    assert data["Message"].startswith("items is left behind")
    loads = json.loads(data["SolutionInfo"]["StepDetail"][2]["Info"])
    rows = [(r["tableName"], r["status"], r["message"]) for r in loads["fusionProps"]["dataSource"]]
    assert rows == [("items", "FAIL", "DdlRefused: DROPCOLUMN of items"), ("orders", "SUCCESS", "")]
    assert len(listed(call, 23)) == 2
    call("StopDISyncInstance", **solution(started))
    driven.ends()
    call("StartDISyncInstance", **solution(started))
    assert info(call, started)["Message"] is None
    again = Driven.claim(services)
    assert again.ledger.left() == {"items"}, "it comes back as one that was taken out"


def test_deploy_gives_the_run_the_text_as_it_stands_in_the_solution(
    call: Call, started: int, services: Services
) -> None:
    code = Driven.claim(services).task.code
    assert code == call("GetDISyncTask", **task(listed(call, 900)[0]["FileId"]))["Data"]["Code"]


def test_a_concurrency_beside_the_task_counts_where_it_has_none(
    call: Call, source: mysqld.Server, services: Services
) -> None:
    sources(call, source.content("shop"))
    root = json.loads(SEED)
    root["realtimeSyncConfig"]["content"]["setting"] = {}
    file_id = solve(call, json.dumps(root))["FileId"]
    call("DeployDISyncTask", **solution(file_id))
    call("StartDISyncInstance", **solution(file_id))
    assert json.loads(Driven.claim(services).task.code)["setting"] == {"speed": {"concurrent": 10}}


def test_deploy_asks_the_source_first(call: Call, made: int, source: mysqld.Server) -> None:
    source.run("SET GLOBAL binlog_format = 'MIXED'")
    try:
        with pytest.raises(Refused, match=r"^\$\.realtimeSyncConfig\.content\.steps\[0\]: binlog_format is MIXED"):
            call("DeployDISyncTask", **solution(made))
    finally:
        source.run("SET GLOBAL binlog_format = 'ROW'")
    assert digit(call, made) == "1"


def test_a_table_more_and_a_table_less_while_it_runs(call: Call, source: mysqld.Server, services: Services) -> None:
    sources(call, source.content("shop"))
    file_id = solve(call, text("orders", "items"))["FileId"]
    call("DeployDISyncTask", **solution(file_id))
    call("StartDISyncInstance", **solution(file_id))
    driven = Driven.claim(services)
    for table in ("orders", "items"):
        driven.begins(part(table))
        driven.wrote(part(table), 1, done=True)
    assert driven.runs()
    call("UpdateDISyncTask", **solution(file_id, TaskContent=text("orders", "people")))
    assert extra(call, file_id) == {"processType": "modify", "tableNum": 2}
    assert driven.runs() == set(), "the run is called back, so that the next one begins with the other tables"
    driven.ends()
    again = Driven.claim(services)
    assert '"people"' in again.task.code
    again.ledger.leave({"items"})
    assert [file["FileName"] for file in listed(call, 23)] == ["oneclick_holo_di_orders_to_orders"]
    again.begins(part("people"))
    assert digit(call, file_id) == "2"
    again.wrote(part("people"), 1, done=True)
    assert digit(call, file_id) == "0"
    assert len(listed(call, 23)) == 2
    call("UpdateDISyncTask", **solution(file_id, TaskContent=text("orders", "items")))
    assert extra(call, file_id)["tableNum"] == 2
    sources(call, source.content("shop"), ("mm2", "holo2"))
    elsewhere = text("orders", "people").replace('"datasourceSchema": "public"', '"datasourceSchema": "other"')
    with pytest.raises(
        Refused, match=r"orders is loaded into public\.orders, and its changes would go to other\.orders"
    ):
        call("UpdateDISyncTask", **solution(file_id, TaskContent=elsewhere))
    with pytest.raises(Refused, match="only its tables may change"):
        call("UpdateDISyncTask", **solution(file_id, TaskContent=text("orders").replace('"mm"', '"mm2"')))


def test_tables_are_not_changed_blindly(call: Call, started: int, services: Services) -> None:
    Driven.claim(services).begins(part("orders"), part("items"), part("people"))
    (source,) = [each["Id"] for each in call("ListDataSources", **PROJECT, Name="mm")["Data"]["DataSources"]]
    call("UpdateDataSource", DataSourceId=source, Content=json.dumps(NOWHERE))
    with pytest.raises(Refused, match="The source does not tell its tables just now"):
        call("UpdateDISyncTask", **solution(started, TaskContent=text("orders")))
    assert detail(call, started)["ProcessContent"] == SEED
    warnings = call("DeployDISyncTask", **solution(started))["Data"]["Warnings"]
    assert any("the source was not checked now" in warning for warning in warnings)


def test_an_update_of_one_that_does_not_run_waits_for_its_deployment(call: Call, made: int) -> None:
    call("DeployDISyncTask", **solution(made))
    assert listed(call, 24)[0]["CommitStatus"] == 1
    call("UpdateDISyncTask", **solution(made, TaskContent=text("orders")))
    assert (digit(call, made), listed(call, 24)[0]["CommitStatus"], listed(call, 24)[0]["CurrentVersion"]) == (
        "4",
        0,
        2,
    )
    call("UpdateDISyncTask", **solution(made, TaskContent="", TaskParam='{"ResourceGroup":"group_default"}'))
    call("DeployDISyncTask", **solution(made))
    assert extra(call, made) == {"processType": "modify", "tableNum": 1}
    assert json.loads(detail(call, made)["ProcessContent"]) == json.loads(text("orders"))


def test_a_running_solution_is_not_deleted(call: Call, started: int) -> None:
    for action, parameters in (("DeleteDISyncTask", solution(started)), ("DeleteFile", {**PROJECT, "FileId": started})):
        with pytest.raises(Refused, match="is not stopped"):
            call(action, **parameters)
    call("StopDISyncInstance", **solution(started))
    call("DeleteFile", **PROJECT, FileId=started)
    assert digit(call, started) == "9"
    assert [flow["BusinessName"] for flow in flows(call)] == ["default"]
    assert call("ListFiles", **PROJECT)["Data"]["TotalCount"] == 0
    with pytest.raises(Refused, match="is invalid"):
        call("DeleteDISyncTask", **solution(started))


def test_a_flow_that_others_use_stays(call: Call, made: int) -> None:
    flow = f"Business Flow/{detail(call, made)['Name']}/Data Integration"
    create(call, TaskParam=json.dumps({"FileFolderPath": flow}))
    call("DeleteDISyncTask", **solution(made))
    assert len(flows(call)) == 2


def test_a_solution_is_found_by_its_data_sources(call: Call, made: int) -> None:
    asked = {**PROJECT, "TaskType": "DI_SOLUTION", "DatasourceName": "mm"}
    (found,) = call("ListRefDISyncTasks", **asked, RefType="from")["Data"]["DISyncTasks"]
    assert (found["NodeId"], found["TaskType"], found["DiDestinationDatasource"]) == (made, "DI_SOLUTION", "holo")
    assert call("ListRefDISyncTasks", **asked, RefType="to")["Data"]["DISyncTasks"] == []


def test_c90_two_tables_that_would_become_one_are_refused(call: Call, source: mysqld.Server) -> None:
    sources(call, source.content("shop"))
    rules = [{"srcTable": table, "dstTable": "public.one"} for table in ("orders", "items")]
    root = json.loads(text("orders", "items"))
    writer = root["realtimeSyncConfig"]["content"]["steps"][1]["parameter"]
    writer["tableMappingRule"] = {"datasource": [{"srcDatasourceName": "mm", "tableRule": rules}]}
    with pytest.raises(
        Refused, match=r"steps\[1\]\.parameter: Several tables of the source would be written to public\.one"
    ):
        solve(call, json.dumps(root))
    assert listed(call, 24) == []


def test_a_group_that_is_known_is_no_warning(call: Call, store: Store) -> None:
    with store.write() as db:
        resource_groups.add(db, identifier="group_219193793999490", name="g", created_ms=0)
    warnings: list[Any] = solve(call)["Warnings"]
    assert not any("resourceGroup" in warning for warning in warnings)


def test_the_size_of_a_solution_is_that_of_its_real_time_task(call: Call, made: int, services: Services) -> None:
    call("UpdateDISyncTask", **solution(made, TaskContent="", TaskParam='{"Cu":"2.5"}'))
    call("UpdateDISyncTask", **solution(made, TaskContent=text("orders")))
    call("DeployDISyncTask", **solution(made))
    with services.store.read() as db:
        realtime = solutions.realtime_of(db, made)
        assert realtime is not None and deployments.get(db, realtime).cu == 2.5
