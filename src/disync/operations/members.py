"""Members of workspaces, and their roles: three of the vendor's."""

from __future__ import annotations

from typing import Any

from disync.model.errors import ParamInvalid
from disync.operations.parameters import Parameters, Payload, asked, counted
from disync.services import Caller, Services
from disync.services.access import Place, Role

CODES = {Role.OWNER: "role_project_owner", Role.DEVELOPER: "role_project_dev", Role.VISITOR: "role_project_guest"}
_ROLES = {code: role for role, code in CODES.items()}
_NAMES = {Role.OWNER: "Workspace Owner", Role.DEVELOPER: "Development", Role.VISITOR: "Visitor"}


def list_project_members(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Each member has one role, which holds what the lesser ones may do."""
    page = services.members.list(caller, parameters["ProjectId"], asked(parameters))
    return {"Data": {"ProjectMemberList": [_shown(row) for row in page.entries], **counted(page)}}


def create_project_member(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For owners. `RoleCode` is role_project_owner, role_project_dev or role_project_guest; without it, the last."""
    token = parameters.get("ClientToken") or ""
    role = _role(parameters.get("RoleCode") or CODES[Role.VISITOR])
    services.members.add(caller, parameters["ProjectId"], parameters["UserId"], role, token)
    return {}


def delete_project_member(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For owners; the last owner stays."""
    services.members.remove(caller, parameters["ProjectId"], parameters["UserId"])
    return {}


def list_project_roles(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The roles that DISync knows, in every workspace the same."""
    services.workspaces.get(caller, Place(parameters["ProjectId"]))
    return {"ProjectRoleList": [_shown_role(role) for role in CODES]}


def add_project_member_to_role(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For owners. A member has one role, so this one takes the place of the other."""
    services.members.give(caller, parameters["ProjectId"], parameters["UserId"], _role(parameters["RoleCode"]))
    return {}


def remove_project_member_from_role(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For owners. The member is a visitor then; the last owner stays one."""
    services.members.take(caller, parameters["ProjectId"], parameters["UserId"], _role(parameters["RoleCode"]))
    return {}


def _role(code: str) -> Role:
    if code not in _ROLES:
        raise ParamInvalid("RoleCode", f"{', '.join(_ROLES)}.")
    return _ROLES[code]


def _shown(row: Any) -> Payload:
    return {
        "ProjectMemberId": row.user_id,
        "ProjectMemberName": row.user_id,
        "Nick": row.name,
        "ProjectMemberType": "USER_ALIYUN" if row.root else "USER_UBACCOUNT",
        "ProjectRoleList": [_shown_role(Role(row.role))],
        "Status": "NORMAL",
    }


def _shown_role(role: Role) -> Payload:
    number = list(CODES).index(role) + 1
    return {
        "ProjectRoleId": number,
        "ProjectRoleCode": CODES[role],
        "ProjectRoleName": _NAMES[role],
        "ProjectRoleType": "SYSTEM",
    }
