"""Resource groups."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload, keyword
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.resource_groups import DEFAULT

_NORMAL = 0


def list_resource_groups(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Groups of every type unless one is asked for: ours have no other use than data integration (type 4)."""
    kind, part = parameters.get("ResourceGroupType"), keyword(parameters)
    shared = parameters.get("BizExtKey") in (None, "", "default")
    groups = services.resource_groups.list(caller, kind, part) if shared else []
    found = [
        {
            "Id": row.id,
            "Identifier": row.identifier,
            "Name": row.name,
            "ResourceGroupType": str(row.type),
            "IsDefault": row.identifier == DEFAULT,
            "BizExtKey": "default",
            "Mode": "SHARE",
            "Status": _NORMAL,
            "CreateTime": spelled(row.created_ms),
            "UpdateTime": spelled(row.created_ms),
            "Sequence": row.id,
            "EnableKp": False,
            "TenantId": 1,
        }
        for row in groups
    ]
    return {"Data": found}
