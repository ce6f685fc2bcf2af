"""Whatever a client sends, the operations do it or refuse it; nothing else comes out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operating import CONTENT, FOLDER, PROJECT, SEED, Call, both_data_sources, create, task
from shapes import SPEC

from disync.model.errors import ApiError, DISyncError, Refused
from disync.operations import OPERATIONS

FORMS = ["", "a", "t", "0", "1", "23,900", "DI_REALTIME", "DI_OFFLINE", "from", "root", "default", "***", "datahub"]
LONG = ["x" * 129, "中" * 600, "%" * 300, "\0", "a\\", "'", '"; DROP TABLE file; --', "\U0001f600", "_%\\"]
TEXTS = [SEED, CONTENT, FOLDER, "Business Flow", "Business Flow/default/x/y", "业务流程/default", "datahub_uric_test"]
JSON = ["{", "[]", "{}", "null", "1e999", '{"a":"\\u0000"}', SEED.replace("datahub_uric_test", "\\u0000"), "[" * 5000]
PARAMS = [{"FileFolderPath": FOLDER, "ResourceGroup": "\0"}, {"Cu": 10**400}, {"Cu": True}, {"FileFolderPath": "\0"}]

text = st.sampled_from([*FORMS, *LONG, *TEXTS, *JSON, *map(json.dumps, PARAMS)]) | st.text(max_size=20)
number = st.sampled_from([0, 1, 4, 10, 10000, 10001, 1000001, 1000002, -1, 2**31, 2**53, 2**63 - 1, -(2**63)])
TAGS = st.lists(st.fixed_dictionaries({}, optional={"Key": text, "Value": text}), max_size=2)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": text,
    "integer": number | st.integers(1, 100),
    "boolean": st.booleans(),
}


def parameters_of(action: str) -> st.SearchStrategy[dict[str, Any]]:
    declared = SPEC[action]["parameters"]
    made = {name: KINDS.get(str(parameter["type"]), TAGS) for name, parameter in declared.items()}
    for name, usual in (("ProjectId", 10000), ("FileId", 1000001), ("TaskType", "DI_REALTIME"), ("PageNumber", 1)):
        if name in made:
            made[name] = st.just(usual) | made[name]
    needed = {name: made[name] for name, parameter in declared.items() if parameter.get("required")}
    free = {name: made[name] for name in made if name not in needed}
    return st.fixed_dictionaries(needed, optional=free)


requests = st.sampled_from(sorted(OPERATIONS)).flatmap(lambda action: st.tuples(st.just(action), parameters_of(action)))


@pytest.fixture
def furnished(call: Call) -> Call:
    both_data_sources(call)
    call("DeployDISyncTask", **task(create(call, TaskName="t")["FileId"]))
    assert call("ListFiles", **PROJECT)["Data"]["TotalCount"] == 1
    return call


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests)
def test_no_parameters_make_an_operation_fail(furnished: Call, request_made: tuple[str, dict[str, Any]]) -> None:
    action, parameters = request_made
    try:
        answer = furnished(action, **parameters)
    except DISyncError as error:
        assert isinstance(error, Refused | ApiError)
        assert not isinstance(error, ApiError) or error.status < 500
        assert str(error)
    else:
        json.dumps(answer)
