"""Driver of the vendor's Python SDK, 4.x to 10.x: a command a line in, an answer a line out.

    {"action": "GetDISyncTask", "params": {"ProjectId": 10000, …}}
    {"ok": true, "body": {…}}
    {"ok": false, "class": "ClientException", "bases": […], "code": …, "status": …, "message": …, "request_id": …}

A command may carry `"key": [id, secret]` to call as somebody else than the environment says.
It calls the SDK's typed method of the action; only an action that the SDK does not have goes through its generic call.
"""

import json
import os
import sys

from alibabacloud_dataworks_public20200518 import models
from alibabacloud_dataworks_public20200518.client import Client
from alibabacloud_tea_openapi import models as open_api
from alibabacloud_tea_util import models as util

METHODS = {name.replace("_", ""): name for name in dir(Client)}


def connect(key):
    return Client(
        open_api.Config(
            access_key_id=key[0],
            access_key_secret=key[1],
            endpoint=os.environ["DISYNC_ENDPOINT"],
            protocol="http",
            region_id="cn-shanghai",
        )
    )


def generic(client, action, params):
    place = open_api.Params(
        action=action,
        version="2020-05-18",
        protocol="HTTP",
        method="POST",
        auth_type="AK",
        style="RPC",
        pathname="/",
        req_body_type="formData",
        body_type="json",
    )
    query = {name: str(value) for name, value in params.items()}
    return client.call_api(place, open_api.OpenApiRequest(query=query), util.RuntimeOptions())["body"]


def call(command):
    client = connect(command.get("key") or (os.environ["DISYNC_ACCESS_KEY_ID"], os.environ["DISYNC_ACCESS_KEY_SECRET"]))
    action, params = command["action"], command["params"]
    method = METHODS.get(action.lower())
    if method is None:
        return generic(client, action, params)
    request = getattr(models, action + "Request")().from_map(params)
    return getattr(client, method)(request).body.to_map()


def failure(error):
    data = getattr(error, "data", None) or {}
    status = getattr(error, "status_code", None) or getattr(error, "statusCode", None) or data.get("statusCode")
    return {
        "ok": False,
        "class": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "code": getattr(error, "code", None),
        "status": status,
        "message": getattr(error, "message", None) or str(error),
        "request_id": getattr(error, "request_id", None) or data.get("RequestId"),
    }


for line in sys.stdin:
    try:
        answer = {"ok": True, "body": call(json.loads(line))}
    except Exception as error:
        answer = failure(error)
    print(json.dumps(answer), flush=True)
