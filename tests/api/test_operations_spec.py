"""What the operations answer has the members and types that the vendor's spec declares; additions of ours are named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from operating import PROJECT, Call, both_data_sources, create, data_source, task
from shapes import OWN, VENDOR, wrong

from disync.operations import OPERATIONS
from waiting import until

ROOT = Path(__file__).parents[2]
SHORT = [
    {"category": "reader", "stepType": "mysql", "parameter": {"connection": [{"datasource": "m", "table": ["t"]}]}},
    {"category": "writer", "stepType": "holo", "parameter": {"datasource": "h"}},
]


def test_every_answer_has_the_shape_of_the_spec(call: Call) -> None:
    answers: dict[str, Any] = {}

    def ask(action: str, **parameters: Any) -> Any:
        answers[action] = call(action, **parameters)
        return answers[action]

    asked = {"PageNumber": 1, "PageSize": 10}
    both_data_sources(call)
    file_id = create(call, TaskName="t")["FileId"]
    spare = data_source(call, "spare")
    ask("CreateDISyncTask", **task(0, TaskContent=call("GetDISyncTask", **task(file_id))["Data"]["Code"]))
    ask("CreateDataSource", **PROJECT, Name="n", DataSourceType="x", Content="{}", EnvType=1)
    ask("CreateBusiness", **PROJECT, BusinessName="b")
    ask("CreateFolder", **PROJECT, FolderPath="Business Flow/b/x")
    ask("CreateProject", ProjectIdentifier="p", ProjectName="P", Tags=[{"Key": "k", "Value": "v"}])
    for action in ("UpdateDISyncTask", "GetDISyncTask", "DeployDISyncTask", "StartDISyncInstance"):
        ask(action, **task(file_id))
    for action in ("GetDISyncInstanceInfo", "StopDISyncInstance", "TerminateDISyncInstance"):
        ask(action, **task(file_id))
    call("DeployDISyncTask", **task(file_id))
    ask("ListFiles", **PROJECT, NeedContent=True, NeedAbsoluteFolderPath=True)
    ask("GetFile", **PROJECT, FileId=file_id)
    ask("ListFolders", **PROJECT, **asked, ParentFolderPath="Business Flow")
    ask("ListBusiness", **PROJECT, **asked)
    ask("ListProjects")
    ask("GetProject", **PROJECT)
    ask("ListResourceGroups")
    ask("ListDataSources", **PROJECT)
    ask("UpdateDataSource", DataSourceId=spare, Description="d")
    ask("TestNetworkConnection", **PROJECT, DatasourceName="spare", EnvType="1", ResourceGroup="g")
    ask("ListRefDISyncTasks", **PROJECT, TaskType="DI_REALTIME", RefType="from", DatasourceName="datahub_uric_test")
    ask("UpdateDIProjectConfig", **PROJECT, DestinationType="holo", ProjectConfig='{"ADDCOLUMN":"WARNING"}')
    ask("ListDIProjectConfig", **PROJECT, DestinationType="holo", SourceType="mysql")
    short = {"setting": {"taskType": "oneclick_to_holo"}, "steps": SHORT}
    made = {**PROJECT, "TaskType": "DI_SOLUTION", "TaskParam": json.dumps(short)}
    process_id = ask("GenerateDISyncTaskConfigForCreating", **made)["Data"]["ProcessId"]
    asked_for = {**PROJECT, "TaskType": "DI_SOLUTION", "AsyncProcessId": process_id}
    until(lambda: ask("QueryDISyncTaskConfigProcessResult", **asked_for)["Data"]["Status"] != "run")
    made |= asked_for | {"TaskType": "DI_REALTIME"}
    made["AsyncProcessId"] = ask("GenerateDISyncTaskConfigForUpdating", **made, TaskId=file_id)["Data"]["ProcessId"]
    until(lambda: call("QueryDISyncTaskConfigProcessResult", **made)["Data"]["Status"] != "run")
    ask("ListProjectRoles", **PROJECT)
    call("CreateUser", UserId="ann")
    ann = {**PROJECT, "UserId": "ann"}
    ask("CreateProjectMember", **ann)
    ask("AddProjectMemberToRole", **ann, RoleCode="role_project_dev")
    ask("ListProjectMembers", **PROJECT)
    ask("RemoveProjectMemberFromRole", **ann, RoleCode="role_project_dev")
    ask("DeleteProjectMember", **ann)
    ask("DeleteDataSource", DataSourceId=spare)
    ask("DeleteDISyncTask", **task(file_id))
    ask("DeleteFile", **PROJECT, FileId=file_id + 1)
    # Its shape is tested where there is a DataHub to ask.
    assert set(OPERATIONS) & set(VENDOR) - set(answers) == {"GetDataSourceMeta"}
    found = {action: wrong(action, answer) for action, answer in answers.items()}
    assert {action: text for action, text in found.items() if text} == {}


def test_our_own_operations_take_no_name_of_the_vendors_and_are_all_served() -> None:
    assert set(OWN) & set(VENDOR) == set()
    assert set(OWN) <= set(OPERATIONS)


def test_whoever_calls_can_ask_who_it_is(call: Call) -> None:
    answer = call("GetCallerIdentity")
    assert wrong("GetCallerIdentity", answer) == []
    assert answer["Data"] == {"UserId": "root", "Name": "root", "Root": True}


def test_the_page_about_the_operations_is_up_to_date() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stderr == ""
