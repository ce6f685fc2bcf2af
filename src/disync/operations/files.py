"""Files: how clients find a task's FileId, and read offline tasks."""

from __future__ import annotations

from typing import Any

from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload, asked, counted, keyword, numbers, place
from disync.services import Caller, Services
from disync.services.files import Filter


def list_files(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Filters by id, type, folder, name, keyword, owner, editor and node."""
    wanted = Filter(
        ids=numbers("FileIdIn", parameters.get("FileIdIn"), 50),
        types=numbers("FileTypes", parameters.get("FileTypes"), 50),
        folder=parameters.get("FileFolderPath"),
        keyword=keyword(parameters),
        name=parameters.get("ExactFileName"),
        owner=parameters.get("Owner"),
        last_editor=parameters.get("LastEditUser"),
        node_id=parameters.get("NodeId"),
        use_type=parameters.get("UseType"),
    )
    page = services.files.list(caller, place(parameters), wanted, asked(parameters))
    files = [_listed(row, parameters) for row in page.entries]
    return {"Data": {"Files": files, **counted(page)}}


def get_file(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A file by FileId or NodeId, which are one number here."""
    file_id = parameters.get("FileId") or parameters.get("NodeId")
    if file_id is None:
        raise ParamInvalid("FileId", "give the FileId, or the NodeId.")
    row = services.files.get(caller, place(parameters), file_id)
    shown = {**_shown(row), "Content": row.content, "DeletedStatus": "NORMAL"}
    node = {"SchedulerType": "NORMAL", "RerunMode": "ALL_ALLOWED", "Stop": False, "ParaValue": ""}
    return {"Data": {"File": shown, "NodeConfiguration": node}}


def delete_file(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """A stopped task. It is gone at once, so there is no DeploymentId to ask about."""
    services.files.delete(caller, place(parameters), parameters["FileId"])
    return {"DeploymentId": None}


def _listed(row: Any, parameters: Parameters) -> Payload:
    shown = _shown(row)
    if parameters.get("NeedContent"):
        shown["Content"] = row.content
    if parameters.get("NeedAbsoluteFolderPath"):
        shown["AbsoluteFolderPath"] = row.folder_path
    return shown


def _shown(row: Any) -> Payload:
    shown = {
        "FileId": row.id,
        "FileName": row.name,
        "FileType": row.file_type,
        "FileFolderId": row.folder_id,
        "BusinessId": row.business_id,
        "BizId": row.business_id,
        "Owner": row.owner_id,
        "CreateUser": row.owner_id,
        "CreateTime": row.created_ms,
        "LastEditUser": row.last_editor_id,
        "LastEditTime": row.edited_ms,
        "CurrentVersion": row.version,
        "CommitStatus": row.commit_status,
        "UseType": "NORMAL",
        "AutoParsing": False,
        "IsMaxCompute": False,
        "ParentId": -1,
        "FileDescription": "",
    }
    return shown if row.deployed_ms is None else {**shown, "NodeId": row.id}
