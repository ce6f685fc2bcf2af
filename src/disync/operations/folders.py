"""Folders of a business flow."""

from __future__ import annotations

from disync.operations.parameters import Parameters, Payload, asked, counted, place
from disync.services import Caller, Services


def list_folders(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The children of a folder; `Business Flow`, `业务流程` and `Business_process` are the same root."""
    page = services.folders.list(caller, place(parameters), parameters["ParentFolderPath"], asked(parameters))
    folders = [{"FolderId": row.id, "FolderPath": row.path} for row in page.entries]
    return {"Data": {"Folders": folders, **counted(page)}}


def create_folder(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """With the folders above it, in a business flow that exists; an existing folder's id is returned."""
    return {"Data": services.folders.create(caller, place(parameters), parameters["FolderPath"])}
