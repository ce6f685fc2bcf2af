"""What a caller gets who was authenticated elsewhere is what a signed request of his gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from calling import GET_TASK, TASK, Caller

from disync.model.errors import ApiError, ForbiddenAccess, Refused


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("action", "given", "outcome"),
    [
        ("GetDISyncTask", GET_TASK, {"Data": TASK}),
        ("GetDISyncTask", {}, {"Data": TASK}),
        ("GetDISyncTask", GET_TASK | {"FileId": "x"}, {"Data": TASK}),
        ("GetDISyncTask", GET_TASK, Refused("not so")),
        ("ListFiles", {"ProjectId": "1"}, Refused("not so", "Invalid.This")),
        ("GetDISyncTask", GET_TASK, ForbiddenAccess()),
        ("GetDISyncTask", GET_TASK, ApiError(429, "Throttling.User", "slower")),
        ("GetDISyncTask", GET_TASK, ValueError("a fault")),
        ("GetDISyncTask", GET_TASK, {"Data": object()}),
        ("NoSuchAction", {}, {}),
        ("DeleteFile", {}, {}),
    ],
)
def test_the_answer_is_that_of_the_api(caller: Caller, action: str, given: dict[str, str], outcome: Any) -> None:
    caller.operations.outcome = outcome
    signed = caller.rpc(action, given)
    performed = caller.gateway.perform("the caller", action, given)
    assert performed.status == signed.status
    theirs, ours = json.loads(signed.body), json.loads(performed.body)
    assert ours["RequestId"] == performed.request_id != theirs["RequestId"]
    assert ours | {"RequestId": ""} == theirs | {"RequestId": ""}
    assert caller.operations.calls[::2] == caller.operations.calls[1::2]
    assert [seen[:2] for seen in caller.observed][:1] == [seen[:2] for seen in caller.observed][1:]


def test_parameters_may_be_json_values(caller: Caller) -> None:
    texts = {"ProjectId": "10000", "TaskType": "DI_REALTIME", "TaskContent": '{"a":[1,2.5,null]}'}
    values = {"ProjectId": 10000, "TaskType": "DI_REALTIME", "TaskContent": {"a": [1, 2.5, None]}, "TaskName": None}
    for given in (texts, values):
        caller.gateway.perform("the caller", "CreateDISyncTask", given)
    caller.gateway.perform("the caller", "ListFiles", {"ProjectId": 1, "NeedContent": True, "Tags": "undeclared"})
    (_, first), (_, second), (_, third) = caller.operations.calls
    assert first == second
    assert third == {"ProjectId": 1, "NeedContent": True}
