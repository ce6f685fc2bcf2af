"""Real-time tasks through the operations, on both stores."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from operating import (
    CONTENT,
    FOLDER,
    PROJECT,
    SEED,
    Call,
    both_data_sources,
    caller_of,
    create,
    data_source,
    task,
)

from disync.model.errors import ParamInvalid, Refused
from disync.services import Services, open_services
from disync.services.access import Caller
from disync.store import instances
from disync.store.database import Store, open_store
from disync.store.vault import open_vault


def test_a_task_comes_back_byte_for_byte(call: Call) -> None:
    oddly = SEED.replace('{"extend"', '{ "unknown" : 1.50, "extend"').replace("DataHub1", "数据 \\u6570 é")
    for code in (SEED, oddly, oddly + "\n "):
        made = create(call, TaskContent=code)
        assert (made["Status"], made["Message"]) == ("success", None)
        answer = call("GetDISyncTask", **task(made["FileId"]))
        assert answer == {"Data": {"Code": code, "Status": "success", "Message": None, "SolutionDetail": None}}
        assert list(answer["Data"]) == ["Code", "Status", "Message", "SolutionDetail"]
        assert "160.5" in answer["Data"]["Code"]


def test_ids_begin_where_clients_expect_them(call: Call) -> None:
    assert create(call)["FileId"] == 1000001


@pytest.mark.parametrize("file_id", [100, 0, -1, 2**63 - 1])
def test_an_id_that_nothing_has_is_invalid(call: Call, file_id: int) -> None:
    for action in (
        "GetDISyncTask",
        "DeployDISyncTask",
        "DeleteDISyncTask",
        "UpdateDISyncTask",
        "GetDISyncInstanceInfo",
    ):
        with pytest.raises(Refused) as refused:
            call(action, **task(file_id))
        assert str(refused.value) == f"fileId:[{file_id}] is invalid."


def test_there_are_no_offline_tasks_yet(call: Call) -> None:
    with pytest.raises(Refused, match="DI_OFFLINE tasks are not served yet"):
        create(call, TaskType="DI_OFFLINE")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("{", r"\$: this is not JSON"),
        (SEED.replace('"to":"datahub_CRHBAyGfhSaLmv2f"', '"to":"nowhere"'), r"\$\.order\.hops\[0\]\.to: no step"),
        (SEED.replace('"name":"datahub_8htXSsfiS2vtZCVG"', '"name":"other"'), r"\$\.order\.hops\[0\]\.from"),
    ],
)
def test_a_broken_task_is_refused_and_leaves_nothing(call: Call, code: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        create(call, TaskContent=code)
    file_id = create(call)["FileId"]
    with pytest.raises(Refused, match=said):
        call("UpdateDISyncTask", **task(file_id, TaskContent=code))
    assert call("ListFiles", **PROJECT)["Data"]["TotalCount"] == 1


def test_what_has_no_effect_is_warned_about(call: Call) -> None:
    both_data_sources(call)
    code = SEED.replace('"batchSize":1000', '"batchSize":1000,"colour":"red"', 1).replace('"nodeDef"', '"nodeDev"')
    warnings = create(call, TaskContent=code, TaskParam=json.dumps({"ResourceGroup": "g"}))["Warnings"]
    assert warnings == [
        "$.nodeDev: this member is kept but has no effect.",
        "$.steps[0].parameter.colour: this member is kept but has no effect.",
        "TaskParam.ResourceGroup: g is not known here; the task runs in group_default.",
        "$.extend.resourceGroup: S_res_group_287114642182658_1560324290517 is not known here;"
        " the task runs in group_default.",
    ]


def test_names_are_as_the_vendor_allows_them(call: Call) -> None:
    create(call, TaskName="任务_1.x")
    for name in ("a b", "a/b", "x" * 129, "é"):
        with pytest.raises(Refused, match="TaskName: letters"):
            create(call, TaskName=name)
    with pytest.raises(Refused, match=r"a file named 任务_1\.x already \(fileId 1000001\)"):
        create(call, TaskName="任务_1.x")
    made = [create(call)["FileId"] for _ in range(2)]
    names = [file["FileName"] for file in call("ListFiles", **PROJECT)["Data"]["Files"] if file["FileId"] in made]
    assert len(set(names)) == 2
    call("DeleteDISyncTask", **task(1000001))
    create(call, TaskName="任务_1.x")


def test_a_task_goes_into_a_folder_that_exists(call: Call) -> None:
    for path in (FOLDER, "业务流程/default/数据集成", "Business_process/default/data_integration", f"/{FOLDER}/"):
        file_id = create(call, TaskParam=json.dumps({"FileFolderPath": path}))["FileId"]
        listed = call("ListFiles", **PROJECT, FileIdIn=str(file_id), NeedAbsoluteFolderPath=True)["Data"]["Files"]
        assert [file["AbsoluteFolderPath"] for file in listed] == [FOLDER]
    for path in ("Business Flow/xxxx/Data Integration", "Elsewhere/default", "..", "Business Flow//x", "\u0000"):
        with pytest.raises(Refused):
            create(call, TaskParam=json.dumps({"FileFolderPath": path}))
    with pytest.raises(Refused, match=r"^Invalid path: Business Flow/xxxx/Data Integration$"):
        create(call, TaskParam=json.dumps({"FileFolderPath": "Business Flow/xxxx/Data Integration"}))


@pytest.mark.parametrize(
    "param",
    ["{", "[]", '{"FileFolderPath":1}', '{"Cu":0.3}', '{"Cu":"x"}', '{"Cu":[1]}', '{"ResourceGroup":"\\u0000"}'],
)
def test_a_task_param_that_makes_no_sense_is_refused(call: Call, param: str) -> None:
    with pytest.raises(Refused, match="TaskParam"):
        create(call, TaskParam=param)


@pytest.mark.parametrize("size", [0.5, "1.5", 2, "", None])
def test_compute_units_are_multiples_of_a_half(call: Call, size: Any) -> None:
    assert create(call, TaskParam=json.dumps({"Cu": size}))["Status"] == "success"


def test_names_in_a_task_that_no_database_could_hold_are_just_unknown(call: Call) -> None:
    code = SEED.replace('"datahub_uric_test"', '"\\u0000"').replace(
        "S_res_group_287114642182658_1560324290517", "\\u0000"
    )
    file_id = create(call, TaskContent=code)["FileId"]
    with pytest.raises(Refused, match=r"\$\.steps\[1\]\.parameter\.datasource: there is no data source"):
        call("DeployDISyncTask", **task(file_id))


def test_a_text_with_a_nul_names_its_parameter(call: Call) -> None:
    for action, parameters in (
        ("GetProject", {"ProjectIdentifier": "a\0"}),
        ("ListFiles", {**PROJECT, "Keyword": "\0"}),
        ("CreateDISyncTask", task(1, TaskContent="\0")),
    ):
        with pytest.raises(ParamInvalid, match="NUL"):
            call(action, **parameters)


def test_a_client_token_takes_effect_once(call: Call) -> None:
    first = create(call, ClientToken="t")
    assert create(call, ClientToken="t")["FileId"] == first["FileId"]
    again = create(call, ClientToken="t", TaskName="other")
    assert again["FileId"] == first["FileId"]
    assert "ClientToken" in again["Warnings"][-1]
    assert create(call, ClientToken="u")["FileId"] != first["FileId"]
    assert create(call, ClientToken="")["FileId"] != create(call, ClientToken="")["FileId"]
    with pytest.raises(ParamInvalid, match="ClientToken"):
        create(call, ClientToken="x" * 257)


def test_a_token_whose_task_is_gone_makes_a_new_one(call: Call) -> None:
    first = create(call, ClientToken="t")["FileId"]
    call("DeleteDISyncTask", **task(first))
    second = create(call, ClientToken="t", TaskName="other")
    assert second["FileId"] > first
    assert not any("ClientToken" in warning for warning in second["Warnings"])
    again = create(call, ClientToken="t", TaskName="other")
    assert again == second


def test_a_refused_request_leaves_its_token_unused(call: Call) -> None:
    with pytest.raises(Refused):
        create(call, ClientToken="t", TaskParam='{"FileFolderPath":"Business Flow/x"}')
    assert create(call, ClientToken="t")["FileId"] > 0


def test_a_client_token_takes_effect_once_also_at_the_same_moment(
    store_url: str | None, services: Services, root: Caller, tmp_path: Path
) -> None:
    stores = [open_store(tmp_path, store_url) for _ in range(2)]
    calls = [caller_of(open_services(store, open_vault(tmp_path)), root) for store in stores]
    barrier = threading.Barrier(6)
    made: list[int] = []

    def run(number: int) -> None:
        barrier.wait()
        made.append(create(calls[number % 2], ClientToken="same", TaskName="one")["FileId"])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 6
    assert len(set(made)) == 1
    for store in stores:
        store.close()


def test_an_update_changes_what_it_names(call: Call) -> None:
    file_id = create(call)["FileId"]
    code = SEED.replace("160.5", "161.5")
    assert call("UpdateDISyncTask", **task(file_id, TaskContent=code))["Data"]["Status"] == "success"
    assert call("GetDISyncTask", **task(file_id))["Data"]["Code"] == code
    call("UpdateDISyncTask", **task(file_id, TaskContent="", TaskParam='{"ResourceGroup":"group_default","Cu":1}'))
    assert call("GetDISyncTask", **task(file_id))["Data"]["Code"] == code
    assert call("GetFile", **PROJECT, FileId=file_id)["Data"]["File"]["CurrentVersion"] == 2
    with pytest.raises(Refused, match="FileFolderPath"):
        call("UpdateDISyncTask", **task(file_id, TaskParam=json.dumps({"FileFolderPath": FOLDER})))


def test_deploying_checks_the_task_against_its_surroundings(call: Call) -> None:
    file_id = create(call)["FileId"]
    with pytest.raises(Refused) as refused:
        call("DeployDISyncTask", **task(file_id))
    assert str(refused.value) == (
        '$.steps[1].parameter.datasource: there is no data source named "datahub_uric_test".; '
        '$.steps[0].parameter.datasource: there is no data source named "datahub_cloud_dev_test".'
    )
    both_data_sources(call)
    assert call("DeployDISyncTask", **task(file_id))["Data"]["Status"] == "success"
    assert call("GetFile", **PROJECT, FileId=file_id)["Data"]["File"]["CommitStatus"] == 1
    for wrong, said in (
        (
            SEED.replace('"stepType":"datahub"', '"stepType":"oracle9"', 1),
            r"\$\.steps\[0\]\.stepType: there is no conn",
        ),
        (SEED.replace('"batchSize":1000', '"batchSize":"x"', 1), r"\$\.steps\[0\]\.parameter\.batchSize: Expected"),
        (SEED.replace('"topic"', '"topik"', 1), r"\$\.steps\[0\]\.parameter: Object missing required field"),
        (SEED.replace('"stepType":"datahub"', '"stepType":"memory"', 1), "is of the type datahub, not memory"),
    ):
        call("UpdateDISyncTask", **task(file_id, TaskContent=wrong))
        with pytest.raises(Refused, match=said):
            call("DeployDISyncTask", **task(file_id))
    assert call("GetFile", **PROJECT, FileId=file_id)["Data"]["File"]["CommitStatus"] == 0


@pytest.mark.parametrize("topic", ["", "a b", "1a", "a/b", "a" * 129, "a\\n"])
def test_a_name_that_no_topic_has_is_refused_at_deploy(call: Call, topic: str) -> None:
    both_data_sources(call)
    code = SEED.replace('"topic":"dwd_tfc_opt_speed_rid_amap_rt"', f'"topic":"{topic}"')
    file_id = create(call, TaskContent=code)["FileId"]
    with pytest.raises(Refused, match=r"\$\.steps\[0\]\.parameter\.topic: Expected"):
        call("DeployDISyncTask", **task(file_id))


def test_a_task_does_not_write_where_it_reads(call: Call) -> None:
    both_data_sources(call)
    data_source(call, "there", Content=CONTENT.replace('"p"', '"q"'))
    same = SEED.replace("amap_rt_330000", "amap_rt")
    file_id = create(call, TaskContent=same)["FileId"]
    said = r"^\$\.steps\[0\]\.parameter: this is the place that \$\.steps\[1\] reads from; name another one\.$"
    with pytest.raises(Refused, match=said):
        call("DeployDISyncTask", **task(file_id))
    call("UpdateDISyncTask", **task(file_id, TaskContent=same.replace("datahub_uric_test", "there")))
    assert call("DeployDISyncTask", **task(file_id))["Data"]["Status"] == "success"


def test_what_a_task_says_fits_into_every_store(call: Call) -> None:
    both_data_sources(call)
    for group in ("a\\u0000b", "x" * 513):
        file_id = create(call, TaskContent=SEED.replace("S_res_group_287114642182658_1560324290517", group))["FileId"]
        with pytest.raises(Refused, match=r"\$\.extend\.resourceGroup: this must be text"):
            call("DeployDISyncTask", **task(file_id))


@pytest.mark.parametrize("depth", [64, 5000])
def test_depth_is_limited_in_a_task_too(call: Call, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    file_id = create(call)["FileId"]
    content, param = SEED.replace("160.5", deep), f'{{"x":{deep}}}'
    for change in ({"TaskContent": content}, {"TaskParam": param}):
        with pytest.raises(Refused, match="more deeply than 64"):
            create(call, **change)
        with pytest.raises(Refused, match="more deeply than 64"):
            call("UpdateDISyncTask", **task(file_id, **change))


def test_steps_between_source_and_target_are_not_served_yet(call: Call) -> None:
    steps = [{"name": name, "stepType": "memory", "parameter": {"table": "t"}} for name in "abc"]
    hops = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    file_id = create(call, TaskContent=json.dumps({"steps": steps, "order": {"hops": hops}}))["FileId"]
    with pytest.raises(Refused, match=r"\$\.steps\[1\]\.stepType: transform steps are not served yet"):
        call("DeployDISyncTask", **task(file_id))


def test_a_life_from_deploy_to_delete(call: Call, store: Store) -> None:
    both_data_sources(call)
    file_id = create(call, TaskName="t")["FileId"]
    with pytest.raises(Refused, match="not deployed"):
        call("StartDISyncInstance", **task(file_id))
    call("DeployDISyncTask", **task(file_id))
    unstarted = {"Status": "NORUN", "Name": "t", "Message": None, "SolutionInfo": None}
    assert call("GetDISyncInstanceInfo", **task(file_id)) == {"Data": unstarted}
    call("StartDISyncInstance", **task(file_id, StartParam='{"errorLimit":{"record":0}}'))
    assert call("GetDISyncInstanceInfo", **task(file_id))["Data"]["Status"] == "WAIT"
    for action, parameters in (("DeleteDISyncTask", task(file_id)), ("DeleteFile", {**PROJECT, "FileId": file_id})):
        with pytest.raises(Refused, match="its state is WAIT"):
            call(action, **parameters)
    with store.write() as db:
        assert instances.claim(db, file_id, "worker", 1, 2**50)
    call("StopDISyncInstance", **task(file_id))
    with pytest.raises(Refused, match="its state is KILLING"):
        call("DeleteDISyncTask", **task(file_id))
    with store.write() as db:
        assert instances.release(db, file_id, 1)
    assert call("GetDISyncInstanceInfo", **task(file_id))["Data"]["Status"] == "PAUSE"
    call("TerminateDISyncInstance", **task(file_id))
    call("DeployDISyncTask", **task(file_id))
    assert call("DeleteDISyncTask", **task(file_id)) == {"Data": {"Status": "success", "Message": None}}
    with pytest.raises(Refused, match="is invalid"):
        call("GetDISyncTask", **task(file_id))
    assert create(call)["FileId"] > file_id
