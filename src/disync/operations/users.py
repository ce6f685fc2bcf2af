"""Who calls, who may call, and by which access keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services

_STATES = {True: "Active", False: "Inactive"}


def get_caller_identity(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The user whose access key signed the request. `Root`: may do everything in every workspace."""
    return {"Data": {"UserId": caller.user_id, "Name": caller.name, "Root": caller.root}}


def list_users(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """All users, for root."""
    users = services.users.list(caller)
    return {"Data": {"Users": [{"UserId": user["id"], "Name": user["name"], "Root": user["root"]} for user in users]}}


def create_user(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For root. A new user has no access key and is a member of no workspace."""
    user_id, name = parameters["UserId"], parameters.get("Name") or parameters["UserId"]
    services.users.create(caller, user_id, name)
    return {"Data": {"UserId": user_id, "Name": name, "Root": False}}


def list_access_keys(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """One's own keys; for root those of a user, or all. `KeyHash` names a key, `Hint` has the ends of its id."""
    keys = services.users.keys(caller, parameters.get("UserId") or None)
    return {"Data": {"AccessKeys": [_shown(key) for key in keys]}}


def create_access_key(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """For root: one more key of a user. Its secret is in this answer and in no other."""
    key = services.users.create_key(caller, parameters["UserId"])
    return {"Data": {"AccessKeyId": key.id, "AccessKeySecret": key.secret}}


def update_access_key(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Switches a key on or off: one's own, or as root any; never off the key that the request uses, nor root's last
    one. What was signed with it is refused within a second, a session that it has opened ends at once."""
    services.users.switch(caller, parameters["KeyHash"], parameters["Status"] == _STATES[True])
    return {"Data": {"KeyHash": parameters["KeyHash"], "Status": parameters["Status"]}}


def _shown(key: Mapping[str, Any]) -> Payload:
    return {
        "KeyHash": key["lookup"],
        "Hint": key["hint"],
        "UserId": key["user_id"],
        "Status": _STATES[key["active"]],
        "CreateTime": key["created_ms"],
    }
