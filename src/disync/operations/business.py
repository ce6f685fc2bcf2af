"""Business flows (workflows)."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload, asked, counted, keyword, place
from disync.services import Caller, Services

_MEMBERS = {"Description": "description", "Owner": "owner_id", "UseType": "use_type"}


def create_business(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Comes with its folder `Data Integration`."""
    wanted = {ours: parameters[theirs] for theirs, ours in _MEMBERS.items() if parameters.get(theirs)}
    wanted["name"] = parameters["BusinessName"]
    return {"BusinessId": services.folders.create_business(caller, place(parameters), wanted)}


def list_business(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Business flows by a part of their names."""
    page = services.folders.list_business(caller, place(parameters), keyword(parameters), asked(parameters))
    flows = [
        {
            "BusinessId": row.id,
            "BusinessName": row.name,
            "Description": row.description,
            "Owner": row.owner_id,
            "ProjectId": row.workspace_id,
            "UseType": row.use_type,
        }
        for row in page.entries
    ]
    return {"Data": {"Business": flows, **counted(page)}}
