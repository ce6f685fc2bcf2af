"""Workspaces, business flows, folders, files and resource groups."""

from __future__ import annotations

import json
from typing import Any

import pytest
from operating import (
    FOLDER,
    PROJECT,
    SEED,
    Call,
    both_data_sources,
    create,
    member,
    task,
)

from disync.engine.placement import GIB, Offer, Size, Staff
from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services
from disync.services.access import Caller, Role
from disync.services.placement import StoreBoard


def test_files_are_found_by_whatever_is_known_of_them(services: Services, root: Caller, call: Call) -> None:
    both_data_sources(call)
    other = member(services, root, "ann", Role.DEVELOPER)
    call("CreateFolder", **PROJECT, FolderPath=f"{FOLDER}/deep")
    ids = [
        create(call, TaskName="Alpha_1")["FileId"],
        create(call, TaskName="alpha%2".replace("%", "."), TaskParam=json.dumps({"FileFolderPath": f"{FOLDER}/deep"}))[
            "FileId"
        ],
        create(other, TaskName="beta")["FileId"],
    ]
    call("DeployDISyncTask", **task(ids[2]))

    def found(**parameters: Any) -> list[int]:
        return [file["FileId"] for file in call("ListFiles", **PROJECT, **parameters)["Data"]["Files"]]

    assert found() == ids
    assert found(FileTypes="23,900") == ids
    assert found(FileTypes="23") == []
    assert found(Keyword="ALPHA") == ids[:2]
    assert found(Keyword="_") == ids[:1]
    assert found(Keyword="%") == []
    assert found(ExactFileName="beta") == ids[2:]
    assert found(FileIdIn=f"{ids[2]}, {ids[0]},7") == [ids[0], ids[2]]
    assert found(FileFolderPath="业务流程/default/数据集成/deep") == ids[1:2]
    assert found(Owner="ann") == ids[2:]
    assert found(LastEditUser="root") == ids[:2]
    assert found(NodeId=ids[2]) == ids[2:]
    assert found(NodeId=ids[0]) == []
    assert found(UseType="NORMAL") == ids
    assert found(UseType="MANUAL") == []
    assert found(PageSize=2, PageNumber=2) == ids[2:]
    page = call("ListFiles", **PROJECT, PageSize=2)["Data"]
    assert (page["PageNumber"], page["PageSize"], page["TotalCount"]) == (1, 2, 3)
    assert "Content" not in page["Files"][0]
    assert call("ListFiles", **PROJECT, NeedContent=True)["Data"]["Files"][0]["Content"] == SEED


def test_lists_refuse_what_is_no_page_and_no_list(call: Call) -> None:
    for wrong in (
        {"PageSize": 101},
        {"PageNumber": 0},
        {"FileIdIn": "1,x"},
        {"FileIdIn": ",".join("1" * 51)},
        {"Keyword": "x" * 257},
    ):
        with pytest.raises(ParamInvalid):
            call("ListFiles", **PROJECT, **wrong)
    with pytest.raises(ParamInvalid, match="ProjectId"):
        call("ListFiles")


def test_a_file_has_what_its_task_has(call: Call) -> None:
    file_id = create(call, TaskName="t")["FileId"]
    answer = call("GetFile", ProjectIdentifier="default", FileId=file_id)["Data"]
    shown = {name: answer["File"][name] for name in ("FileName", "FileType", "Content", "Owner", "DeletedStatus")}
    assert shown == {"FileName": "t", "FileType": 900, "Content": SEED, "Owner": "root", "DeletedStatus": "NORMAL"}
    assert isinstance(answer["File"]["FileFolderId"], str)
    assert answer["File"]["CreateTime"] > 1_700_000_000_000
    assert answer["NodeConfiguration"]["SchedulerType"] == "NORMAL"
    assert call("DeleteFile", **PROJECT, FileId=file_id) == {"DeploymentId": None}
    with pytest.raises(Refused, match="is invalid"):
        call("GetFile", **PROJECT, FileId=file_id)
    with pytest.raises(ParamInvalid, match="FileId"):
        call("GetFile", **PROJECT)


def test_folders_live_in_business_flows(call: Call) -> None:
    flow = call("CreateBusiness", **PROJECT, BusinessName="流程", Description="d")["BusinessId"]
    listed = call("ListBusiness", **PROJECT, PageNumber=1, PageSize=10, Keyword="流")["Data"]
    assert listed["Business"] == [
        {
            "BusinessId": flow,
            "BusinessName": "流程",
            "Description": "d",
            "Owner": "root",
            "ProjectId": 10000,
            "UseType": "NORMAL",
        }
    ]
    folder = call("CreateFolder", **PROJECT, FolderPath="业务流程/流程/数据集成/a/b")["Data"]
    assert call("CreateFolder", **PROJECT, FolderPath="Business Flow/流程/Data Integration/a/b")["Data"] == folder

    def children(path: str, **page: int) -> list[str]:
        asked = {"PageNumber": 1, "PageSize": 10, **page}
        answer = call("ListFolders", **PROJECT, ParentFolderPath=path, **asked)["Data"]
        return [each["FolderPath"] for each in answer["Folders"]]

    assert children("Business Flow") == ["Business Flow/default", "Business Flow/流程"]
    assert children("Business_process", PageSize=1, PageNumber=2) == ["Business Flow/流程"]
    assert children("业务流程/流程/数据集成") == ["Business Flow/流程/Data Integration/a"]
    assert children("业务流程/流程/数据集成/a") == ["Business Flow/流程/Data Integration/a/b"]
    with pytest.raises(Refused, match="Invalid path"):
        children("Business Flow/nothing")
    with pytest.raises(Refused, match="no such business flow"):
        call("CreateFolder", **PROJECT, FolderPath="Business Flow/nothing/x")
    with pytest.raises(Refused, match="already"):
        call("CreateBusiness", **PROJECT, BusinessName="流程")
    with pytest.raises(Refused, match="no user"):
        call("CreateBusiness", **PROJECT, BusinessName="x", Owner="nobody")
    for name in ("a/b", "", ".", "x" * 129):
        with pytest.raises(Refused):
            call("CreateBusiness", **PROJECT, BusinessName=name)


def test_workspaces_are_made_once(call: Call) -> None:
    wanted = {"ProjectIdentifier": "w_1", "ProjectName": "W 1", "ProjectMode": 3, "ClientToken": "t"}
    made = call("CreateProject", **wanted, Tags=[{"Key": "k", "Value": "v"}])["Data"]
    assert made == 10001
    assert call("CreateProject", **wanted)["Data"] == made
    shown = call("GetProject", ProjectIdentifier="w_1")["Data"]
    assert (shown["ProjectId"], shown["ProjectName"], shown["EnvTypes"]) == (made, "W 1", ["DEV", "PROD"])
    assert call("GetProject", ProjectId=made)["Data"] == shown
    with pytest.raises(Refused, match="already"):
        call("CreateProject", ProjectIdentifier="w_1", ProjectName="x")
    for identifier in ("", "_a", "a-b", "é"):
        with pytest.raises(Refused, match="ProjectIdentifier"):
            call("CreateProject", ProjectIdentifier=identifier, ProjectName="x")
    with pytest.raises(Refused, match="ProjectMode"):
        call("CreateProject", ProjectIdentifier="x", ProjectName="x", ProjectMode=9)
    page = call("ListProjects", PageSize=1)["PageResult"]
    assert (page["TotalCount"], [each["ProjectIdentifier"] for each in page["ProjectList"]]) == (2, ["default"])
    tagged = call("ListProjects", Tags=[{"Key": "k"}])["PageResult"]
    assert (tagged["TotalCount"], tagged["ProjectList"][0]["ProjectId"]) == (1, made)
    assert call("ListProjects", Tags=[{"Key": "k", "Value": "w"}])["PageResult"]["TotalCount"] == 0
    with pytest.raises(ParamInvalid, match="Tags"):
        call("ListProjects", Tags=["k"])
    assert create(call, ProjectId=made)["Status"] == "success"


def test_the_default_resource_group_is_there(call: Call) -> None:
    groups = call("ListResourceGroups")["Data"]
    assert [(each["Identifier"], each["ResourceGroupType"], each["IsDefault"]) for each in groups] == [
        ("group_default", "4", True)
    ]
    assert call("ListResourceGroups", ResourceGroupType=4, Keyword="DEFAULT")["Data"] == groups
    assert call("ListResourceGroups", ResourceGroupType=2)["Data"] == []
    assert call("ListResourceGroups", BizExtKey="single")["Data"] == []


def test_resource_groups_are_listed_as_a_cluster_has_them(call: Call, services: Services) -> None:
    board = StoreBoard(services.store, Size())
    board.tell({"group_cdc": Offer(("a", "b"), 8, 32 * GIB)}, Staff())
    default, cdc = call("ListResourceGroups")["Data"]
    assert (default["Identifier"], default["Status"]) == ("group_default", 1), "STOP: no node offers it"
    assert (cdc["Identifier"], cdc["Status"]) == ("group_cdc", 0)
    assert cdc["Specs"] == {"Nodes": 2, "Cpus": 8.0, "MemoryBytes": 32 * GIB}
    board.tell({"group_default": Offer(("a",), 4, GIB)}, Staff())
    (default,) = call("ListResourceGroups")["Data"]
    assert (default["Status"], default["Specs"]["Nodes"]) == (0, 1)


def test_resource_groups_have_tags_and_are_found_by_them(call: Call, services: Services, root: Caller) -> None:
    services.resource_groups.create("group_cdc")
    tags = [{"Key": "team", "Value": "ads"}, {"Key": "gpu"}]
    call("TagResourceGroup", ResourceGroupIdentifier="group_cdc", Tags=tags)

    def found(*wanted: dict[str, str]) -> list[str]:
        return [each["Identifier"] for each in call("ListResourceGroups", Tags=list(wanted))["Data"]]

    assert call("ListResourceGroups", Keyword="cdc")["Data"][0]["Tags"] == tags
    assert found(*tags) == found({"Key": "team"}) == ["group_cdc"]
    assert found({"Key": "team", "Value": "other"}) == found({"Key": "Value"}) == []
    assert found() == ["group_default", "group_cdc"]
    call("TagResourceGroup", ResourceGroupIdentifier="group_cdc")
    assert found({"Key": "team"}) == []
    with pytest.raises(Refused, match="no resource group nothing"):
        call("TagResourceGroup", ResourceGroupIdentifier="nothing", Tags=tags)
    for bad in ([{"Key": "a"}, {"Key": "a", "Value": "b"}], [{"Value": "b"}], [{"Key": f"k{n}"} for n in range(21)]):
        with pytest.raises(Refused, match="Tags"):
            call("TagResourceGroup", ResourceGroupIdentifier="group_cdc", Tags=bad)
    with pytest.raises(ForbiddenAccess):
        member(services, root, "ann", Role.OWNER)("TagResourceGroup", ResourceGroupIdentifier="group_cdc", Tags=tags)
