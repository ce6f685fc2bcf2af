"""What the operations on tasks do where the TaskType is DI_SOLUTION."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload
from disync.operations.times import stamped
from disync.services import Caller, Services
from disync.services.solutions.solution import SOLUTION


def is_solution(parameters: Parameters) -> bool:
    return bool(parameters["TaskType"] == SOLUTION)


def read(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """`SolutionDetail` in the seed's types: the status a digit as text, JSON as text, times without a zone."""
    found = services.solutions.detail(caller, parameters["ProjectId"], parameters["FileId"])
    detail = {
        "Status": str(found.status),
        "Type": found.type,
        "StartTime": stamped(found.started_ms),
        "CreatorName": found.creator,
        "ProjectId": found.project_id,
        "SourceType": found.source_type,
        "ProcessContent": found.content,
        "Name": found.name,
        "ProcessExtra": found.extra,
        "SubmitTime": stamped(found.submitted_ms),
        "Id": found.id,
    }
    return {"Data": {"Code": None, "Status": "success", "Message": None, "SolutionDetail": detail}}


def info(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """`SolutionInfo` and its steps; `Message` has the error that stopped it, or for which it waits."""
    found = services.solutions.info(caller, parameters["ProjectId"], parameters["FileId"])
    steps = [{"StepId": s.id, "StepName": s.name, "Status": s.status, "Info": s.info} for s in found.steps]
    solution = {"Id": found.id, "CreatorName": found.creator, "Status": found.status, "StepDetail": steps}
    return {"Data": {"Status": "success", "Name": None, "Message": found.message, "SolutionInfo": solution}}
