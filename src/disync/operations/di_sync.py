"""Real-time tasks and solutions, and their runs."""

from __future__ import annotations

import msgspec

from disync.model.errors import ParamInvalid, Refused
from disync.operations import solutions
from disync.operations.parameters import Parameters, Payload, asked
from disync.services import Caller, Services
from disync.services.realtime import REALTIME, unknown
from disync.services.solutions.solution import SOLUTION
from disync.services.solutions.solutions import Solutions
from disync.services.tasks import Tasks, Wanted


def get_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The JSON of a real-time task, or the detail of a solution; both texts byte for byte as they were sent."""
    if solutions.is_solution(parameters):
        return solutions.read(services, caller, parameters)
    file_id = _realtime(parameters)
    code = services.tasks.code(caller, parameters["ProjectId"], file_id)
    return {"Data": {"Code": code, "Status": "success", "Message": None, "SolutionDetail": None}}


def create_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Real-time tasks and solutions. `Data.Warnings`, a list of texts, is an addition of ours."""
    wanted = Wanted(
        parameters["TaskType"],
        parameters["TaskContent"],
        parameters.get("TaskName"),
        parameters.get("TaskParam"),
        parameters.get("ClientToken") or "",
    )
    use_cases = services.solutions if solutions.is_solution(parameters) else services.tasks
    created = use_cases.create(caller, parameters["ProjectId"], wanted)
    return {"Data": {"FileId": created.file_id, **_success(created.warnings)}}


def update_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Text or resource group. What is deployed stays until DeployDISyncTask, but for a solution that is started: its
    new text is deployed at once, and its run goes on with it."""
    content, param, use_cases = parameters.get("TaskContent"), parameters.get("TaskParam"), _tasks(services, parameters)
    warnings = use_cases.update(caller, parameters["ProjectId"], _file(parameters), content, param)
    return {"Data": _success(warnings)}


def delete_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A stopped real-time task, with its deployed copy and its positions; a stopped solution, with all that it made but
    the tables of the target."""
    _tasks(services, parameters).delete(caller, parameters["ProjectId"], _file(parameters))
    return {"Data": _success()}


def deploy_di_sync_task(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Checks the task against its data sources and makes it the copy that runs from the next start on."""
    return {"Data": _success(_tasks(services, parameters).deploy(caller, parameters["ProjectId"], _file(parameters)))}


def start_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Of `StartParam`: `failoverLimit`, `errorLimit`, and our addition `startTime`; for a solution it has no effect. A
    solution that failed goes on with what is not done; one that waits for confirmation (5) is confirmed."""
    file_id, param = _file(parameters), parameters.get("StartParam")
    if solutions.is_solution(parameters):
        return {"Data": _success(services.solutions.start(caller, parameters["ProjectId"], file_id, param))}
    services.instances.start(caller, parameters["ProjectId"], file_id, param)
    return {"Data": _success()}


def stop_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The task keeps its position, and goes on from there at its next start."""
    use_cases = services.solutions if solutions.is_solution(parameters) else services.instances
    use_cases.stop(caller, parameters["ProjectId"], _file(parameters))
    return {"Data": _success()}


def terminate_di_sync_instance(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Takes the task offline; its positions are forgotten."""
    use_cases = services.solutions if solutions.is_solution(parameters) else services.instances
    use_cases.terminate(caller, parameters["ProjectId"], _file(parameters))
    return {"Data": _success()}


def get_di_sync_instance_info(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """State as it is in the store, written by what runs; `Message` has the error that stopped it. For a solution also
    its steps, each with a table in `Info`: what is written of each table, at most 100 of them, those not done first."""
    if solutions.is_solution(parameters):
        return solutions.info(services, caller, parameters)
    state, name, message = services.instances.info(caller, parameters["ProjectId"], _realtime(parameters))
    return {"Data": {"Status": str(state), "Name": name, "Message": message, "SolutionInfo": None}}


def list_ref_di_sync_tasks(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Real-time tasks or solutions by the data source they read from or write to."""
    if parameters["RefType"] not in ("from", "to"):
        raise ParamInvalid("RefType", "from or to.")
    page = asked(parameters)
    kind = parameters["TaskType"]
    if kind not in (REALTIME, SOLUTION):
        return {"Data": {"DISyncTasks": []}}
    name, reads = parameters["DatasourceName"], parameters["RefType"] == "from"
    found = services.tasks.references(caller, parameters["ProjectId"], name, reads, page, kind)
    tasks = [
        {
            "NodeId": task.file_id,
            "NodeName": task.name,
            "TaskType": kind,
            "DiSourceDatasource": _names(task.sources),
            "DiDestinationDatasource": _names(task.targets),
        }
        for task in found.entries
    ]
    return {"Data": {"DISyncTasks": tasks}}


def _tasks(services: Services, parameters: Parameters) -> Tasks | Solutions:
    return services.solutions if solutions.is_solution(parameters) else services.tasks


def _file(parameters: Parameters) -> int:
    """The FileId of a real-time task or a solution."""
    file_id: int = parameters["FileId"]
    return file_id if solutions.is_solution(parameters) else _realtime(parameters)


def _realtime(parameters: Parameters) -> int:
    """The FileId, if the type says that it is one of a real-time task."""
    file_id: int = parameters["FileId"]
    if parameters["TaskType"] == "DI_OFFLINE":
        raise Refused("DI_OFFLINE tasks are not served yet; DI_REALTIME and DI_SOLUTION are.")
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
