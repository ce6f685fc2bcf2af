"""The audit log."""

from __future__ import annotations

from typing import Any

from disync.operations.parameters import Parameters, Payload, asked, counted
from disync.services import Caller, Services
from disync.services.audit import Filter


def list_audit_events(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Every write that was asked for in a workspace, the newest first: for its owners, and without ProjectId for root.

    `Parameters` is JSON in which secrets are `***` and long texts are cut. `Code` is `OK`, the code of the refusal, or
    empty while the operation runs; it stays empty where the server died meanwhile.
    """
    wanted = Filter(
        project_id=parameters.get("ProjectId"),
        user_id=parameters.get("UserId") or None,
        action=parameters.get("AuditAction") or None,
        file_id=parameters.get("FileId"),
        start_ms=parameters.get("StartTime"),
        end_ms=parameters.get("EndTime"),
    )
    page = services.audit.list(caller, wanted, asked(parameters))
    return {"Data": {"Events": [_shown(row) for row in page.entries], **counted(page)}}


def _shown(row: Any) -> Payload:
    return {
        "Id": row.id,
        "Time": row.at_ms,
        "UserId": row.user_id,
        "UserName": row.user_name,
        "Door": row.door,
        "Action": row.action,
        "ProjectId": row.workspace_id,
        "FileId": row.file_id,
        "Parameters": row.parameters,
        "Code": row.code,
        "Message": row.message,
        "RequestId": row.request_id,
    }
