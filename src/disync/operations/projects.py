"""Workspaces."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload, asked, counted, place
from disync.operations.times import spelled
from disync.services import Caller, Services
from disync.services.resource_groups import DEFAULT
from disync.services.workspaces import Wanted

_AVAILABLE = 0
_STANDARD = 3


def list_projects(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The workspaces that the caller is a member of."""
    page = services.workspaces.list(caller, _tags(parameters), asked(parameters))
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
        "Tags": msgspec.json.decode(row.tags),
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
        tags=_tags(parameters),
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
        "Tags": msgspec.json.decode(row.tags),
    }


def _is_default(row: Any) -> int:
    return int(row.identifier == "default")


def _tags(parameters: Parameters) -> list[dict[str, str]]:
    tags = parameters.get("Tags") or []
    try:
        return msgspec.convert(tags, list[dict[Literal["Key", "Value"], str]])  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise ParamInvalid("Tags", "a list of objects with the texts Key and Value.") from error
