"""Texts of tasks, made in the background of a short form."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services


def generate_di_sync_task_config_for_creating(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A full job for DI_REALTIME, a ProcessContent for DI_SOLUTION. `oneclick_to_holo` is served; `oneclick_to_odps`
    and `oneclick_to_kafka` are understood, and QueryDISyncTaskConfigProcessResult says that they are not."""
    asked = parameters["TaskType"], parameters["TaskParam"], parameters.get("ClientToken") or ""
    process_id = services.config_processes.for_creating(caller, parameters["ProjectId"], *asked)
    return {"Data": {"Status": "success", "Message": None, "ProcessId": process_id}}


def generate_di_sync_task_config_for_updating(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The text of the task with another list of tables; all else stays as it is in the task."""
    asked = parameters["TaskType"], parameters["TaskParam"], parameters.get("ClientToken") or ""
    process_id = services.config_processes.for_updating(caller, parameters["ProjectId"], parameters["TaskId"], *asked)
    return {"Data": {"Status": "success", "Message": None, "ProcessId": process_id}}


def query_di_sync_task_config_process_result(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """`Data.Status` is `run` while the text is being made, then `success` or `fail`."""
    asked = parameters["AsyncProcessId"], parameters["TaskType"]
    found = services.config_processes.result(caller, parameters["ProjectId"], *asked)
    return {"Data": {"Status": found.state, "Message": found.message, "TaskContent": found.content}}
