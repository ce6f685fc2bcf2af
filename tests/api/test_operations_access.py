"""Who may do what, and how often."""

from __future__ import annotations

import pytest
from operating import (
    CONTENT,
    FOLDER,
    PROJECT,
    SEED,
    Call,
    create,
    data_source,
    member,
    task,
)

from disync.model.errors import ApiError, ForbiddenAccess
from disync.operations import INLINE, OPERATIONS, bind
from disync.services import Services
from disync.services.access import Caller, Role


def test_another_workspaces_objects_are_forbidden(services: Services, root: Caller, call: Call) -> None:
    file_id, source_id = create(call)["FileId"], data_source(call, "s")
    stranger = member(services, root, "eve", None)
    theirs = stranger("CreateProject", ProjectIdentifier="eves", ProjectName="Eve's")["Data"]
    for action, parameters in (
        ("GetDISyncTask", task(file_id)),
        ("GetDISyncTask", task(file_id, ProjectId=theirs)),
        ("GetDISyncTask", task(file_id, ProjectId=99)),
        ("DeployDISyncTask", task(file_id, ProjectId=theirs)),
        ("DeleteDISyncTask", task(file_id, ProjectId=theirs)),
        ("UpdateDISyncTask", task(file_id, ProjectId=theirs)),
        ("CreateDISyncTask", task(0, TaskContent=SEED)),
        ("GetFile", {"ProjectId": theirs, "FileId": file_id}),
        ("DeleteFile", {"ProjectId": theirs, "FileId": file_id}),
        ("ListFiles", PROJECT),
        ("ListFiles", {"ProjectIdentifier": "default"}),
        ("ListFiles", {"ProjectIdentifier": "no_such"}),
        ("ListDataSources", PROJECT),
        ("UpdateDataSource", {"DataSourceId": source_id, "Description": "x"}),
        ("DeleteDataSource", {"DataSourceId": source_id}),
        ("GetProject", PROJECT),
    ):
        with pytest.raises(ForbiddenAccess):
            stranger(action, **parameters)
    mine = stranger("ListProjects")["PageResult"]["ProjectList"]
    assert [project["ProjectId"] for project in mine] == [theirs]
    assert call("GetDISyncTask", **task(file_id))["Data"]["Code"] == SEED


def test_visitors_read_and_developers_write(services: Services, root: Caller, call: Call) -> None:
    file_id, source_id = create(call)["FileId"], data_source(call, "s")
    visitor = member(services, root, "vic", Role.VISITOR)
    assert visitor("GetDISyncTask", **task(file_id))["Data"]["Code"] == SEED
    assert visitor("ListFiles", **PROJECT)["Data"]["TotalCount"] == 1
    assert visitor("GetDISyncInstanceInfo", **task(file_id))["Data"]["Status"] == "NORUN"
    writes = (
        ("CreateDISyncTask", task(0, TaskContent=SEED)),
        ("UpdateDISyncTask", task(file_id)),
        ("DeployDISyncTask", task(file_id)),
        ("StartDISyncInstance", task(file_id)),
        ("StopDISyncInstance", task(file_id)),
        ("TerminateDISyncInstance", task(file_id)),
        ("DeleteDISyncTask", task(file_id)),
        ("DeleteFile", {**PROJECT, "FileId": file_id}),
        ("CreateFolder", {**PROJECT, "FolderPath": f"{FOLDER}/x"}),
        ("CreateBusiness", {**PROJECT, "BusinessName": "x"}),
        ("CreateDataSource", {**PROJECT, "Name": "n", "DataSourceType": "x", "Content": "{}", "EnvType": 1}),
        ("UpdateDataSource", {"DataSourceId": source_id}),
        ("DeleteDataSource", {"DataSourceId": source_id}),
    )
    for action, parameters in writes:
        with pytest.raises(ForbiddenAccess):
            visitor(action, **parameters)
    developer = member(services, root, "dev", Role.DEVELOPER)
    assert create(developer)["Status"] == "success"
    developer("DeleteFile", **PROJECT, FileId=file_id)


def test_who_may_not_write_learns_nothing_about_what_he_sent(services: Services, root: Caller, call: Call) -> None:
    file_id, source_id = create(call)["FileId"], data_source(call, "s")
    source = {**PROJECT, "Name": "n", "DataSourceType": "datahub", "Content": CONTENT, "EnvType": 1}
    broken = (
        ("CreateDISyncTask", task(0, TaskContent="{")),
        ("CreateDISyncTask", task(0, TaskContent=SEED, TaskType="DI_OFFLINE")),
        ("CreateDISyncTask", task(0, TaskContent=SEED, TaskName="a b")),
        ("CreateDISyncTask", task(0, TaskContent=SEED, TaskParam="{")),
        ("UpdateDISyncTask", task(file_id, TaskContent="{")),
        ("UpdateDISyncTask", task(file_id, TaskParam='{"FileFolderPath":"x"}')),
        ("UpdateDISyncTask", task(99, TaskParam="{")),
        ("CreateDataSource", {**source, "Content": "{"}),
        ("CreateDataSource", {**source, "Name": "a b"}),
        ("CreateDataSource", {**source, "EnvType": 7}),
        ("UpdateDataSource", {"DataSourceId": source_id, "Content": "{"}),
        ("UpdateDataSource", {"DataSourceId": source_id, "EnvType": 7}),
        ("UpdateDataSource", {"DataSourceId": 99, "EnvType": 7}),
        ("DeleteDataSource", {"DataSourceId": 99}),
    )
    for who in (member(services, root, "vic", Role.VISITOR), member(services, root, "eve", None)):
        for action, parameters in broken:
            with pytest.raises(ForbiddenAccess):
                who(action, **parameters)


def test_the_registry_is_sorted_and_quick_reads_are_inline(services: Services) -> None:
    assert list(OPERATIONS) == sorted(OPERATIONS)
    handlers = bind(services)
    assert handlers["GetDISyncTask"].inline
    assert not handlers["TestNetworkConnection"].inline
    assert set(OPERATIONS) > INLINE


def test_throttling_has_the_vendors_code(services: Services, root: Caller, call: Call) -> None:
    data_source(call, "s", DataSourceType="unheard_of")
    data_source(call, "d", Content=CONTENT.replace("127.0.0.1", "169.254.169.254"))
    with pytest.raises(ApiError) as error:
        for _ in range(100):
            call("TestNetworkConnection", **PROJECT, DatasourceName="d", EnvType="1", ResourceGroup="g")
    assert (error.value.status, error.value.code) == (429, "Throttling.User")
