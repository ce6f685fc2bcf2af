"""Users, their access keys, and the members of workspaces: who may do what to them."""

from __future__ import annotations

import pytest
from operating import PROJECT, Call, caller_of, member
from shapes import wrong

from disync.model.errors import ForbiddenAccess, ParamInvalid, Refused
from disync.services import Services
from disync.services.access import Caller, Role


def keys(call: Call, **parameters: str) -> list[tuple[str, str, str]]:
    answer = call("ListAccessKeys", **parameters)
    assert wrong("ListAccessKeys", answer) == []
    return [(key["UserId"], key["Hint"], key["Status"]) for key in answer["Data"]["AccessKeys"]]


def by_key(services: Services, access_key_id: str) -> tuple[Call, str]:
    """Calls as whoever has this key, and the key's hash."""
    key = services.keys.find(access_key_id)
    assert key is not None and key.active
    return caller_of(services, key.caller), key.caller.key


def roles(call: Call) -> dict[str, list[str]]:
    answer = call("ListProjectMembers", **PROJECT)
    assert wrong("ListProjectMembers", answer) == []
    listed = answer["Data"]["ProjectMemberList"]
    return {one["ProjectMemberId"]: [role["ProjectRoleCode"] for role in one["ProjectRoleList"]] for one in listed}


def test_root_makes_users_and_keys_that_work(services: Services, call: Call) -> None:
    made = call("CreateUser", UserId="ann", Name="Ann")
    assert wrong("CreateUser", made) == []
    assert made["Data"] == {"UserId": "ann", "Name": "Ann", "Root": False}
    key = call("CreateAccessKey", UserId="ann")
    assert wrong("CreateAccessKey", key) == []
    found = services.keys.find(key["Data"]["AccessKeyId"])
    assert found is not None
    assert (found.secret, found.caller) == (key["Data"]["AccessKeySecret"], Caller("ann", "Ann"))
    users = call("ListUsers")
    assert wrong("ListUsers", users) == []
    root = {"UserId": "root", "Name": "root", "Root": True}
    assert users["Data"]["Users"] == [made["Data"], root]
    assert keys(call, UserId="ann") == [("ann", key["Data"]["AccessKeyId"][:4] + "***" + found_end(key), "Active")]
    assert key["Data"]["AccessKeySecret"] not in str([users, keys(call)])
    with pytest.raises(Refused, match="already"):
        call("CreateUser", UserId="ann")
    with pytest.raises(Refused, match="no user"):
        call("CreateAccessKey", UserId="eve")


def found_end(key: dict[str, dict[str, str]]) -> str:
    return key["Data"]["AccessKeyId"][-4:]


def test_others_see_and_switch_their_own_keys_alone(services: Services, call: Call) -> None:
    call("CreateUser", UserId="ann")
    first, second = (call("CreateAccessKey", UserId="ann")["Data"]["AccessKeyId"] for _ in range(2))
    ann, ann_hash = by_key(services, first)
    _, second_hash = by_key(services, second)
    _, root_hash = by_key(services, "rootKeyId")
    assert {user for user, _, _ in keys(ann)} == {"ann"} and len(keys(ann)) == 2
    assert keys(ann, UserId="ann") == keys(ann)
    for action, parameters in (
        ("ListUsers", {}),
        ("CreateUser", {"UserId": "eve"}),
        ("CreateAccessKey", {"UserId": "ann"}),
        ("CreateAccessKey", {"UserId": "root"}),
        ("ListAccessKeys", {"UserId": "root"}),
        ("ListAccessKeys", {"UserId": "nobody"}),
        ("UpdateAccessKey", {"KeyHash": root_hash, "Status": "Inactive"}),
        ("UpdateAccessKey", {"KeyHash": "0" * 64, "Status": "Inactive"}),
    ):
        with pytest.raises(ForbiddenAccess):
            ann(action, **parameters)
    off = ann("UpdateAccessKey", KeyHash=second_hash, Status="Inactive")
    assert wrong("UpdateAccessKey", off) == []
    assert off["Data"] == {"KeyHash": second_hash, "Status": "Inactive"}
    key = services.keys.find(second)
    assert key is not None and not key.active
    with pytest.raises(Refused, match="you are using"):
        ann("UpdateAccessKey", KeyHash=ann_hash, Status="Inactive")
    ann("UpdateAccessKey", KeyHash=second_hash, Status="Active")
    by_key(services, second)


def test_the_last_key_of_root_stays_on(services: Services) -> None:
    call = caller_of(services, Caller("root", "root", root=True))  # without a key, as at the command line
    _, first = by_key(services, "rootKeyId")
    with pytest.raises(Refused, match="last active key of root"):
        call("UpdateAccessKey", KeyHash=first, Status="Inactive")
    second = call("CreateAccessKey", UserId="root")["Data"]["AccessKeyId"]
    by_second, hash_of_second = by_key(services, second)
    with pytest.raises(Refused, match="you are using"):
        by_second("UpdateAccessKey", KeyHash=hash_of_second, Status="Inactive")
    by_second("UpdateAccessKey", KeyHash=first, Status="Inactive")
    with pytest.raises(Refused, match="last active key of root"):
        call("UpdateAccessKey", KeyHash=hash_of_second, Status="Inactive")
    with pytest.raises(Refused, match="no such access key"):
        call("UpdateAccessKey", KeyHash="0" * 64, Status="Inactive")


def test_owners_manage_members(services: Services, root: Caller, call: Call) -> None:
    owner = member(services, root, "olga", Role.OWNER)
    for name in ("ann", "bob"):
        call("CreateUser", UserId=name)
    assert owner("CreateProjectMember", **PROJECT, UserId="ann") == {}
    owner("CreateProjectMember", **PROJECT, UserId="bob", RoleCode="role_project_dev")
    everybody = {
        "root": ["role_project_owner"],
        "olga": ["role_project_owner"],
        "ann": ["role_project_guest"],
        "bob": ["role_project_dev"],
    }
    assert roles(owner) == everybody
    owner("AddProjectMemberToRole", **PROJECT, UserId="ann", RoleCode="role_project_owner")
    owner("RemoveProjectMemberFromRole", **PROJECT, UserId="bob", RoleCode="role_project_dev")
    assert roles(owner) == everybody | {"ann": ["role_project_owner"], "bob": ["role_project_guest"]}
    owner("DeleteProjectMember", **PROJECT, UserId="bob")
    assert "bob" not in roles(owner)
    known = owner("ListProjectRoles", **PROJECT)["ProjectRoleList"]
    assert [role["ProjectRoleCode"] for role in known] == [
        "role_project_owner",
        "role_project_dev",
        "role_project_guest",
    ]


def test_what_cannot_be_done_to_members_is_said(call: Call) -> None:
    call("CreateUser", UserId="ann")
    ann = {**PROJECT, "UserId": "ann"}
    for action, parameters, said in (
        ("CreateProjectMember", {**PROJECT, "UserId": "eve"}, "no user eve"),
        ("AddProjectMemberToRole", ann | {"RoleCode": "role_project_dev"}, "no member"),
        ("RemoveProjectMemberFromRole", ann | {"RoleCode": "role_project_dev"}, "no member"),
        ("DeleteProjectMember", ann, "no member"),
        ("DeleteProjectMember", {**PROJECT, "UserId": "root"}, "last owner"),
        ("AddProjectMemberToRole", {**PROJECT, "UserId": "root", "RoleCode": "role_project_dev"}, "last owner"),
        ("RemoveProjectMemberFromRole", {**PROJECT, "UserId": "root", "RoleCode": "role_project_owner"}, "last owner"),
        ("RemoveProjectMemberFromRole", {**PROJECT, "UserId": "root", "RoleCode": "role_project_dev"}, "no such role"),
    ):
        with pytest.raises(Refused, match=said) as refused:
            call(action, **parameters)
        assert refused.value.code == "Invalid.Member"
    with pytest.raises(ParamInvalid, match="role_project_guest"):
        call("CreateProjectMember", **ann, RoleCode="role_project_pe")
    call("CreateProjectMember", **ann)
    with pytest.raises(Refused, match="already"):
        call("CreateProjectMember", **ann)


def test_a_client_token_makes_a_member_once(call: Call) -> None:
    call("CreateUser", UserId="ann")
    for _ in range(2):
        call("CreateProjectMember", **PROJECT, UserId="ann", ClientToken="t")
    assert roles(call)["ann"] == ["role_project_guest"]


def test_only_owners_manage_members_and_all_see_them(services: Services, root: Caller, call: Call) -> None:
    call("CreateUser", UserId="ann")
    eve = member(services, root, "eve", None)
    ann = {**PROJECT, "UserId": "ann", "RoleCode": "role_project_dev"}
    for who in (member(services, root, "vic", Role.VISITOR), member(services, root, "dev", Role.DEVELOPER), eve):
        for action in (
            "CreateProjectMember",
            "AddProjectMemberToRole",
            "RemoveProjectMemberFromRole",
            "DeleteProjectMember",
        ):
            with pytest.raises(ForbiddenAccess):
                who(action, **ann)
        if who is eve:
            for action in ("ListProjectMembers", "ListProjectRoles"):
                with pytest.raises(ForbiddenAccess):
                    who(action, **PROJECT)
        else:
            assert "root" in roles(who)
