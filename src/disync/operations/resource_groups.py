"""Resource groups."""

from __future__ import annotations

from typing import Any

from disync.operations.parameters import Parameters, Payload, keyword
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.resource_groups import DEFAULT, told

_NORMAL, _STOP = 0, 1


def list_resource_groups(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Groups of every type unless one is asked for: ours have no other use than data integration (type 4). On a
    cluster, one that no node offers has the status 1 (STOP)."""
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
            "Status": _STOP if told(row) and row.nodes == 0 else _NORMAL,
            **_specs(row),
            "CreateTime": spelled(row.created_ms),
            "UpdateTime": spelled(row.created_ms),
            "Sequence": row.id,
            "EnableKp": False,
            "TenantId": 1,
        }
        for row in groups
    ]
    return {"Data": found}


def _specs(row: Any) -> Payload:
    """What a cluster has for the group, in all."""
    if not told(row):
        return {}
    return {"Specs": {"Nodes": row.nodes, "Cpus": row.cpus, "MemoryBytes": row.memory_bytes}}
