"""The API as data: what the spec says, and that the generator reads it right."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from disync.gateway.signature import PROTOCOL
from disync.gateway.spec import Operation, Parameter, Spec
from disync.operations import OPERATIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec.load()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    found = importlib.util.spec_from_file_location("generate_spec", ROOT / "scripts" / "generate_spec.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def parameter(operation: Operation, name: str) -> Parameter:
    return next(p for p in operation.parameters if p.name == name)


def test_all_operations_are_there(spec: Spec) -> None:
    assert spec.version == "2020-05-18"
    assert Counter(o.method for o in spec.operations.values() if not o.own) == {"POST": 278, "GET": 33, "PUT": 2}


def test_the_seed_operation(spec: Spec) -> None:
    operation = spec.operations["GetDISyncTask"]
    assert {p.name: (p.place, p.type, p.required) for p in operation.parameters} == {
        "FileId": ("query", "integer", True),
        "ProjectId": ("query", "integer", True),
        "TaskType": ("query", "string", True),
    }
    assert parameter(operation, "TaskType").values == {"DI_REALTIME", "DI_SOLUTION"}
    assert operation.response["Success"] == "boolean"
    data = operation.response["Data"]
    assert isinstance(data, dict)
    assert data["SolutionDetail"]["Id"] == "integer"


@pytest.mark.parametrize(
    ("action", "values"),
    [
        ("CreateDISyncTask", {"DI_OFFLINE", "DI_REALTIME", "DI_SOLUTION"}),
        ("UpdateDISyncTask", {"DI_OFFLINE", "DI_REALTIME", "DI_SOLUTION"}),
        ("DeleteDISyncTask", {"DI_REALTIME", "DI_SOLUTION"}),
        ("StopDISyncInstance", {"DI_REALTIME", "DI_SOLUTION"}),
        ("TerminateDISyncInstance", {"DI_REALTIME", "DI_SOLUTION"}),
        ("StartDISyncInstance", {"DI_REALTIME", "DI_SOLUTION"}),
        ("ListRefDISyncTasks", {"DI_OFFLINE", "DI_REALTIME", "DI_SOLUTION"}),
    ],
)
def test_each_operation_has_its_own_task_types(spec: Spec, action: str, values: set[str]) -> None:
    assert parameter(spec.operations[action], "TaskType").values == values


def test_places_json_and_bounds(spec: Spec) -> None:
    assert parameter(spec.operations["CreateDISyncTask"], "TaskContent").place == "form"
    assert parameter(spec.operations["UpdateDISyncTask"], "TaskContent").place == "query"
    assert parameter(spec.operations["CreateDIJob"], "JobSettings").json
    assert parameter(spec.operations["ListFiles"], "PageSize").maximum == 100
    assert parameter(spec.operations["SetDataSourceShare"], "UserPermissions").values is None, "a JSON text"


def test_no_operation_has_a_parameter_of_the_protocol(spec: Spec) -> None:
    names = {p.name for o in spec.operations.values() for p in o.parameters}
    assert not names & PROTOCOL


def test_no_answer_has_a_top_level_code(spec: Spec) -> None:
    """One official client takes any answer with a top-level Code for an error."""
    assert not [o.name for o in spec.operations.values() if "Code" in o.response]


CLIENT = """
class Client:
    def touch_with_options(self, tmp_req: main_models.TouchThingRequest, runtime) -> main_models.TouchThingResponse:
        request = main_models.TouchThingShrinkRequest()
        if not DaraCore.is_null(tmp_req.tags):
            request.tags_shrink = Utils.array_to_string_with_specified_style(tmp_req.tags, 'Tags', 'json')
        query = {}
        if not DaraCore.is_null(request.kind):
            query['Kind'] = request.kind
        body = {}
        if not DaraCore.is_null(request.count):
            body['Count'] = request.count
        if not DaraCore.is_null(request.tags_shrink):
            body['Tags'] = request.tags_shrink
        params = open_api_util_models.Params(action = 'TouchThing', version = '2020-05-18', method = 'PUT')
"""

REQUEST = """
class TouchThingRequest(DaraModel):
    def __init__(self, count: int = None, kind: str = None, tags: List[main_models.TouchThingRequestTags] = None):
        # How many. Minimum value: 1. Maximum value: 1,000.
        self.count = count
        # The kind. Valid values:
        #
        # - BIG: large
        # - SMALL
        #
        # This parameter is required.
        self.kind = kind
        self.tags = tags

    def to_map(self):
        result = dict()
        if self.count is not None:
            result['Count'] = self.count
        if self.kind is not None:
            result['Kind'] = self.kind
        result['Tags'] = []
        if self.tags is not None:
            for k1 in self.tags:
                result['Tags'].append(k1.to_map() if k1 else None)
        return result

class TouchThingRequestTags(DaraModel):
    def __init__(self, key: str = None):
        self.key = key

    def to_map(self):
        result = dict()
        if self.key is not None:
            result['Key'] = self.key
        return result
"""

RESPONSE = """
class TouchThingResponseBody(DaraModel):
    def __init__(self, data: Dict[str, str] = None, request_id: str = None):
        self.data = data
        self.request_id = request_id

    def to_map(self):
        result = dict()
        if self.data is not None:
            result['Data'] = self.data
        if self.request_id is not None:
            result['RequestId'] = self.request_id
        return result
"""


def test_the_generator_reads_an_sdk(generator: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / generator.PACKAGE
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1.2.3'")
    (package / "client.py").write_text(CLIENT)
    (package / "models" / "_touch_thing_request.py").write_text(REQUEST)
    (package / "models" / "_touch_thing_response_body.py").write_text(RESPONSE)
    assert generator.generate(tmp_path)["operations"] == {
        "TouchThing": {
            "method": "PUT",
            "parameters": {
                "Count": {"in": "form", "type": "integer", "minimum": 1, "maximum": 1000},
                "Kind": {"in": "query", "type": "string", "required": True, "values": ["BIG", "SMALL"]},
                "Tags": {"in": "form", "type": [{"Key": "string"}], "json": True},
            },
            "response": {"Data": "object", "RequestId": "string"},
        }
    }


@pytest.mark.parametrize(
    ("comment", "values"),
    [
        (
            "The type. Valid values: DI_OFFLINE, DI_REALTIME, and DI_SOLUTION.",
            ["DI_OFFLINE", "DI_REALTIME", "DI_SOLUTION"],
        ),
        ("Valid values: PROD (production environment) and DEV (development).", ["PROD", "DEV"]),
        ("The type. Set the value to DI_REALTIME, which indicates a task.", ["DI_REALTIME"]),
        ("Valid values: 6 (Shell), 10 (ODPS SQL).", None),
        ("Valid values: ERROR and SAFE. Separate multiple values with commas (,).", None),
        ("Valid values: one thing or another.", None),
    ],
)
def test_only_plain_enumerations_are_read(generator: ModuleType, comment: str, values: list[str] | None) -> None:
    assert generator.enumeration(comment).get("values") == values


def test_operations_are_grouped_by_what_they_are_about(spec: Spec) -> None:
    expected = {
        "tasks": (
            "CreateDISyncTask",
            "GenerateDISyncTaskConfigForCreating",
            "ListRefDISyncTasks",
            "UpdateDIProjectConfig",
        ),
        "runs": ("StartDISyncInstance", "UpdateDISyncCheckpoint"),
        "quality": ("ReplayDISyncDirtyRows",),
        "sources": ("ListDataSourceTables", "TestNetworkConnection"),
        "files": ("ListFiles", "CreateBusiness", "CreateFolder"),
        "members": ("CreateProjectMember", "ListProjectRoles"),
        "workspaces": ("CreateProject", "ListProjects"),
        "people": ("GetCallerIdentity", "ListAuditEvents", "CreateAccessKey", "ListUsers"),
    }
    assert {key: {spec.group(action).key for action in actions} for key, actions in expected.items()} == {
        key: {key} for key in expected
    }
    assert spec.group("Whatever").key == "other"
    assert [action for action in OPERATIONS if spec.group(action).key == "other"] == []
    assert len({group.key for group in spec.groups}) == len(spec.groups)
