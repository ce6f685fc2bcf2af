"""Driver of the vendor's first Python SDK (aliyun-python-sdk-*); the commands are those of tea.py."""

import importlib
import json
import os
import sys

from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

REGION = "cn-shanghai"


def typed(action, params):
    module = importlib.import_module(f"aliyunsdkdataworks_public.request.v20200518.{action}Request")
    request = getattr(module, action + "Request")()
    for name, value in params.items():
        getattr(request, "set_" + name)(value)
    return request


def generic(action, params):
    request = CommonRequest(domain=os.environ["DISYNC_ENDPOINT"], version="2020-05-18", action_name=action)
    for name, value in params.items():
        request.add_query_param(name, value)
    return request


def call(command):
    key = command.get("key") or (os.environ["DISYNC_ACCESS_KEY_ID"], os.environ["DISYNC_ACCESS_KEY_SECRET"])
    client = AcsClient(key[0], key[1], REGION)
    client.add_endpoint(REGION, "dataworks-public", os.environ["DISYNC_ENDPOINT"])
    try:
        request = typed(command["action"], command["params"])
    except ImportError:
        request = generic(command["action"], command["params"])
    return json.loads(client.do_action_with_exception(request))


def failure(error):
    return {
        "ok": False,
        "class": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "code": getattr(error, "error_code", None),
        "status": getattr(error, "http_status", None),
        "message": getattr(error, "message", None) or str(error),
        "request_id": getattr(error, "request_id", None),
    }


for line in sys.stdin:
    try:
        answer = {"ok": True, "body": call(json.loads(line))}
    except Exception as error:
        answer = failure(error)
    print(json.dumps(answer), flush=True)
