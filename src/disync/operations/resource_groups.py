"""Resource groups."""

from __future__ import annotations

from typing import Any

from disync.operations.parameters import Parameters, Payload, keyword, tags
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.resource_groups import DEFAULT, told
from disync.services.tags import kept

_NORMAL, _STOP = 0, 1


def list_resource_groups(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Groups of every type unless one is asked for: ours have no other use than data integration (type 4). On a
    cluster, one that no node offers has the status 1 (STOP)."""
    kind, part = parameters.get("ResourceGroupType"), keyword(parameters)
    shared = parameters.get("BizExtKey") in (None, "", "default")
    groups = services.resource_groups.list(caller, kind, part, tags(parameters)) if shared else []
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
            "Tags": kept(row.tags),
            "CreateTime": spelled(row.created_ms),
            "UpdateTime": spelled(row.created_ms),
            "Sequence": row.id,
            "EnableKp": False,
            "TenantId": 1,
        }
        for row in groups
    ]
    return {"Data": found}


def tag_resource_group(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For root: the group has these tags from now on, at most 20, instead of those that it had."""
    services.resource_groups.tag(caller, parameters["ResourceGroupIdentifier"], tags(parameters))
    return {}


def _specs(row: Any) -> Payload:
    """What a cluster has for the group, in all."""
    if not told(row):
        return {}
    return {"Specs": {"Nodes": row.nodes, "Cpus": row.cpus, "MemoryBytes": row.memory_bytes}}
