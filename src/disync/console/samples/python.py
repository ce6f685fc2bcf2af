"""Python: `pip install alibabacloud-dataworks-public20200518`."""

from __future__ import annotations

from disync.console.samples.call import ID, REGION, SECRET, VERSION, Call, Value, snake


def sample(call: Call) -> str:
    return (_typed if call.typed else _generic)(call)


def _config(call: Call) -> str:
    return f"""    Config(
        access_key_id=os.environ[{ID!r}],
        access_key_secret=os.environ[{SECRET!r}],
        endpoint={call.address!r},
        protocol={call.scheme!r},
        region_id={REGION!r},
    )
"""


def _typed(call: Call) -> str:
    lines = "".join(f"    {snake(value.name)}={value.plain!r},\n" for value in call.values)
    arguments = f"\n{lines}" if lines else ""
    return f"""# pip install alibabacloud-dataworks-public20200518
import json
import os

from alibabacloud_dataworks_public20200518 import models
from alibabacloud_dataworks_public20200518.client import Client
from alibabacloud_tea_openapi.models import Config

client = Client(
{_config(call)})
request = models.{call.action}Request({arguments})
response = client.{snake(call.action)}(request)
print(json.dumps(response.body.to_map(), indent=2, ensure_ascii=False))
"""


def _generic(call: Call) -> str:
    return f"""# pip install alibabacloud-tea-openapi
import json
import os

from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

client = Client(
{_config(call)})
params = Params(
    action={call.action!r},
    version={VERSION!r},
    protocol={call.scheme.upper()!r},
    method={call.operation.method!r},
    auth_type="AK",
    style="RPC",
    pathname="/",
    req_body_type="formData",
    body_type="json",
)
request = OpenApiRequest(
    query={_dict(call.of("query"))},
    body={_dict(call.of("form"))},
)
response = client.call_api(params, request, RuntimeOptions())
print(json.dumps(response["body"], indent=2, ensure_ascii=False))
"""


def _dict(values: list[Value]) -> str:
    if not values:
        return "None"
    lines = "".join(f"        {value.name!r}: {value.text!r},\n" for value in values)
    return f"{{\n{lines}    }}"
