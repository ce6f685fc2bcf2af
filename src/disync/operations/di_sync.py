"""Real-time tasks and their runs."""

from __future__ import annotations

import msgspec

from disync.model.errors import ParamInvalid, Refused
from disync.operations.parameters import Parameters, Payload, asked
from disync.services import Caller, Services
from disync.services.realtime import REALTIME, unknown
from disync.services.tasks import Wanted


def get_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The JSON of a real-time task, byte for byte as it was stored."""
    file_id = _realtime(parameters)
    code = services.tasks.code(caller, parameters["ProjectId"], file_id)
    return {"Data": {"Code": code, "Status": "success", "Message": None, "SolutionDetail": None}}


def create_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Real-time tasks. `Data.Warnings`, a list of texts, is an addition of ours."""
    wanted = Wanted(
        parameters["TaskType"],
        parameters["TaskContent"],
        parameters.get("TaskName"),
        parameters.get("TaskParam"),
        parameters.get("ClientToken") or "",
    )
    created = services.tasks.create(caller, parameters["ProjectId"], wanted)
    return {"Data": {"FileId": created.file_id, **_success(created.warnings)}}


def update_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Text or resource group of a real-time task; what is deployed stays until DeployDISyncTask."""
    content, param = parameters.get("TaskContent"), parameters.get("TaskParam")
    warnings = services.tasks.update(caller, parameters["ProjectId"], _realtime(parameters), content, param)
    return {"Data": _success(warnings)}


def delete_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A stopped real-time task, with its deployed copy and its positions."""
    services.tasks.delete(caller, parameters["ProjectId"], _realtime(parameters))
    return {"Data": _success()}


def deploy_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Checks the task against its data sources and makes it the copy that runs from the next start on."""
    return {"Data": _success(services.tasks.deploy(caller, parameters["ProjectId"], _realtime(parameters)))}


def start_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Of `StartParam`: `failoverLimit`, `errorLimit`, and our addition `startTime`."""
    file_id, param = _realtime(parameters), parameters.get("StartParam")
    services.instances.start(caller, parameters["ProjectId"], file_id, param)
    return {"Data": _success()}


def stop_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The task keeps its position, and goes on from there at its next start."""
    services.instances.stop(caller, parameters["ProjectId"], _realtime(parameters))
    return {"Data": _success()}


def terminate_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Takes the task offline; its positions are forgotten."""
    services.instances.terminate(caller, parameters["ProjectId"], _realtime(parameters))
    return {"Data": _success()}


def get_di_sync_instance_info(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """State as it is in the store, written by what runs; `Message` has the error that stopped the task."""
    state, name, message = services.instances.info(caller, parameters["ProjectId"], _realtime(parameters))
    return {"Data": {"Status": str(state), "Name": name, "Message": message, "SolutionInfo": None}}


def list_ref_di_sync_tasks(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Real-time tasks by the data source they read from or write to."""
    if parameters["RefType"] not in ("from", "to"):
        raise ParamInvalid("RefType", "from or to.")
    page = asked(parameters)
    if parameters["TaskType"] != REALTIME:
        return {"Data": {"DISyncTasks": []}}
    name, reads = parameters["DatasourceName"], parameters["RefType"] == "from"
    found = services.tasks.references(caller, parameters["ProjectId"], name, reads, page)
    tasks = [
        {
            "NodeId": task.file_id,
            "NodeName": task.name,
            "TaskType": REALTIME,
            "DiSourceDatasource": _names(task.sources),
            "DiDestinationDatasource": _names(task.targets),
        }
        for task in found.entries
    ]
    return {"Data": {"DISyncTasks": tasks}}


def _realtime(parameters: Parameters) -> int:
    """The FileId, if the type says that it is one of a real-time task: no solution has an id yet."""
    file_id: int = parameters["FileId"]
    if parameters["TaskType"] == "DI_OFFLINE":
        raise Refused("DI_OFFLINE tasks are not served yet; DI_REALTIME tasks are.")
    if parameters["TaskType"] != REALTIME:
        raise unknown(file_id)
    return file_id


def _success(warnings: list[str] | None = None) -> Payload:
    found: Payload = {"Status": "success", "Message": None}
    return {**found, "Warnings": warnings} if warnings else found


def _names(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return msgspec.json.encode(names).decode()
