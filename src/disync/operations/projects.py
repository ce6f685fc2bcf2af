"""Workspaces."""

from __future__ import annotations

from typing import Any

from disync.operations.parameters import Parameters, Payload, asked, counted, place, tags
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.resource_groups import DEFAULT
from disync.services.tags import kept
from disync.services.workspaces import Wanted

_AVAILABLE = 0
_STANDARD = 3


def list_projects(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The workspaces that the caller is a member of."""
    page = services.workspaces.list(caller, tags(parameters), asked(parameters))
    return {"PageResult": {"ProjectList": [_listed(row) for row in page.entries], **counted(page)}}


def get_project(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A workspace by id or identifier."""
    row = services.workspaces.get(caller, place(parameters))
    shown = {
        "ProjectId": row.id,
        "ProjectIdentifier": row.identifier,
        "ProjectName": row.name,
        "ProjectDescription": row.description,
        "ProjectOwnerBaseId": row.owner_id,
        "ProjectMode": row.mode,
        "EnvTypes": ["DEV", "PROD"] if row.mode == _STANDARD else ["PROD"],
        "Status": _AVAILABLE,
        "IsAllowDownload": int(row.download),
        "DisableDevelopment": not row.development,
        "DefaultDiResourceGroupIdentifier": DEFAULT,
        "DevelopmentType": 4,
        "IsDefault": _is_default(row),
        "GmtCreate": spelled(row.created_ms),
        "GmtModified": spelled(row.modified_ms),
        "Tags": kept(row.tags),
        "TenantId": 1,
    }
    return {"Data": shown}


def create_project(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The caller owns it; it comes with a business flow named `default`."""
    wanted = Wanted(
        identifier=parameters["ProjectIdentifier"],
        name=parameters["ProjectName"],
        description=parameters.get("ProjectDescription") or "",
        mode=parameters.get("ProjectMode") or 2,
        download=parameters.get("IsAllowDownload") != 0,
        development=not parameters.get("DisableDevelopment"),
        tags=tags(parameters),
    )
    return {"Data": services.workspaces.create(caller, wanted, parameters.get("ClientToken") or "")}


def _listed(row: Any) -> Payload:
    return {
        "ProjectId": row.id,
        "ProjectIdentifier": row.identifier,
        "ProjectName": row.name,
        "ProjectDescription": row.description,
        "ProjectOwnerBaseId": row.owner_id,
        "ProjectStatus": _AVAILABLE,
        "ProjectStatusCode": "AVAILABLE",
        "DisableDevelopment": not row.development,
        "IsDefault": _is_default(row),
        "Tags": kept(row.tags),
    }


def _is_default(row: Any) -> int:
    return int(row.identifier == "default")
