"""The endpoint, called as an ASGI application: what it answers to what."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from calling import FORM, GET_TASK, KEYS, TASK, Caller, Remembered, Reply
from signing import SECRET, acs3_headers, rpc_query

from disync.gateway.body import MAX_BODY
from disync.gateway.rpc import NONCE_SECONDS, Gateway
from disync.gateway.signature import WINDOW
from disync.model.errors import ForbiddenAccess, Refused


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller()
    yield made
    made.close()


def error(reply: Reply, status: int, code: str) -> str:
    """The message of an error in the one envelope that every official client reads."""
    envelope = reply.json
    assert list(envelope) == ["RequestId", "HostId", "Code", "Message", "Recommend"]
    assert all(isinstance(value, str) and value for value in envelope.values())
    assert (reply.status, envelope["Code"]) == (status, code), envelope["Message"]
    message: str = envelope["Message"]
    return message


def test_parameters_come_from_anywhere_by_any_method(caller: Caller) -> None:
    caller.operations.outcome = {"Data": TASK}
    body = urlencode(GET_TASK).encode()
    whole = rpc_query("GetDISyncTask", GET_TASK, "POST").encode()
    split = rpc_query("GetDISyncTask", GET_TASK, "PUT").encode().split(b"&")
    form = [(b"content-type", FORM.encode() + b"; charset=utf-8")]
    replies = [
        caller.rpc("GetDISyncTask", GET_TASK),
        caller.rpc("GetDISyncTask", GET_TASK, "PUT"),
        caller.send("POST", b"", form, whole),
        caller.send("PUT", b"&".join(split[:9]), form, b"&".join(split[9:])),
        caller.acs3("GetDISyncTask", GET_TASK),
        caller.send("POST", b"", acs3_headers("GetDISyncTask", {}, body), body, chunk=7),
    ]
    for reply in replies:
        assert reply.status == 200
        assert next(iter(reply.json.items())) == ("Success", True)
        assert list(reply.json) == ["Success", "RequestId", "Data"]
        assert reply.json["Data"] == TASK
        assert " " not in reply.body.decode().replace(json.dumps(TASK["Code"], ensure_ascii=False), "")
    assert "中".encode() in replies[0].body, "raw UTF-8"
    assert caller.operations.calls == [
        ("the caller", {"FileId": 100, "ProjectId": 10000, "TaskType": "DI_REALTIME"})
    ] * len(replies)


def test_envelopes_are_as_each_operation_declares(caller: Caller) -> None:
    caller.operations.outcome = {"Data": {"Files": []}}
    listed = caller.rpc("ListFiles", {"ProjectId": "1"}).json
    request_id = listed.pop("RequestId")
    assert listed == {
        "Success": True,
        "HttpStatusCode": 200,
        "ErrorCode": None,
        "ErrorMessage": None,
        "Data": {"Files": []},
    }
    assert request_id
    caller.operations.outcome = {"Data": 5}
    source = {"ProjectId": "1", "Name": "a", "DataSourceType": "mysql", "Content": "{}", "EnvType": "1"}
    assert caller.rpc("CreateDataSource", source).json["HttpStatusCode"] == "200", "a string, for this operation"
    caller.operations.outcome = {"PageResult": {}}
    assert list(caller.rpc("ListProjects", {}).json) == ["RequestId", "PageResult"]


def test_a_business_failure_is_told_where_the_answer_has_a_place_for_it(caller: Caller) -> None:
    caller.operations.outcome = Refused("fileId:[100] is invalid.", "Invalid.File")
    reply = caller.acs3("GetDISyncTask", GET_TASK)
    assert (reply.status, reply.json["Success"]) == (200, True)
    assert reply.json["Data"] == {
        "Code": None,
        "Status": "fail",
        "Message": "fileId:[100] is invalid.",
        "SolutionDetail": None,
    }
    reply = caller.rpc("GetFile", {"ProjectId": "1"})
    assert (reply.status, reply.json["Success"], reply.json["Data"]) == (200, False, None)
    assert (reply.json["ErrorCode"], reply.json["ErrorMessage"]) == ("Invalid.File", "fileId:[100] is invalid.")
    network = {"ProjectId": "1", "DatasourceName": "a", "EnvType": "1", "ResourceGroup": "g"}
    reply = caller.rpc("TestNetworkConnection", network)
    assert reply.status == 200
    assert reply.json["TaskList"] == {"ConnectStatus": False, "ConnectMessage": "fileId:[100] is invalid."}
    reply = caller.rpc("ListProjects", {})
    assert error(reply, 400, "Invalid.File") == "fileId:[100] is invalid."


def test_errors_of_operations_keep_status_and_code(caller: Caller) -> None:
    caller.operations.outcome = ForbiddenAccess()
    assert error(caller.rpc("GetDISyncTask", GET_TASK), 403, "Forbidden.Access") == "Access is forbidden."


@pytest.mark.parametrize("action", ["GetDISyncTask", "ListFiles"])
@pytest.mark.parametrize("outcome", [RuntimeError("boom"), {"Data": object()}])
def test_a_fault_of_ours_is_in_the_log_under_its_request_id(
    caller: Caller, caplog: pytest.LogCaptureFixture, action: str, outcome: Any
) -> None:
    caller.operations.outcome = outcome
    with caplog.at_level(logging.ERROR):
        reply = caller.rpc(action, GET_TASK)
    assert error(reply, 500, "InternalError.System") == "An internal error occurred."
    assert reply.json["RequestId"] in caplog.text
    assert "Traceback" in caplog.text
    assert SECRET not in caplog.text
    assert caller.observed[-1][:2] == (action, 500)


def test_a_nonce_is_good_once_and_only_the_right_signature_uses_it_up(caller: Caller) -> None:
    caller.operations.outcome = {"Data": TASK}
    query = rpc_query("GetDISyncTask", GET_TASK)
    wrong = query.replace("FileId=100", "FileId=101")
    message = error(caller.send("GET", wrong), 400, "SignatureDoesNotMatch")
    assert message.startswith("Specified signature is not matched with our calculation. server string to sign is:GET&")
    assert caller.send("GET", query).status == 200
    message = error(caller.send("GET", query), 400, "SignatureNonceUsed")
    assert message == "Specified signature nonce was used already."


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"AccessKeyId": ""}, 400, "MissingAccessKeyId"),
        ({"Version": ""}, 400, "MissingVersion"),
        ({"Version": "2024-05-18"}, 400, "InvalidVersion"),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, 400, "InvalidTimeStamp.Expired"),
        ({"Timestamp": "now"}, 400, "InvalidTimeStamp.Format"),
        ({"AccessKeyId": "unknown"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": "a\0b"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"AccessKeyId": "disabled"}, 400, "InvalidAccessKeyId.Inactive"),
        ({"SecurityToken": "some"}, 400, "InvalidSecurityToken.Malformed"),
        ({"SignatureMethod": "HMAC-SHA256"}, 400, "InvalidSignatureMethod"),
        ({"SignatureNonce": "n" * 129}, 400, "Param.Invalid"),
        ({"FileId": "x"}, 400, "Param.Invalid"),
        ({"TaskType": "DI_OFFLINE"}, 400, "Param.Invalid"),
        ({"FileId": ""}, 400, "MissingFileId"),
    ],
)
def test_what_is_wrong_with_a_request_is_told(caller: Caller, changes: dict[str, str], status: int, code: str) -> None:
    message = error(caller.rpc("GetDISyncTask", GET_TASK, **changes), status, code)
    if code == "Param.Invalid":
        assert next(iter(changes)) in message
    assert not caller.operations.calls


def test_actions(caller: Caller) -> None:
    words = "Specified api is not found, please check your url and method."
    assert error(caller.rpc("GetNothing", {}), 404, "InvalidAction.NotFound") == words
    assert "GetNode" in error(caller.rpc("GetNode", {}), 400, "UnsupportedOperation")
    assert error(caller.send("GET"), 400, "MissingAccessKeyId")
    assert error(caller.send("GET", path="/x"), 404, "InvalidAction.NotFound") == words
    assert error(caller.send("DELETE"), 403, "UnsupportedHTTPMethod")


def test_the_action_header_of_an_rpc_request_counts_for_nothing(caller: Caller) -> None:
    caller.operations.outcome = {"Data": TASK}
    query = rpc_query("GetDISyncTask", GET_TASK)
    assert caller.send("GET", query, {"x-acs-action": "DeleteDISyncTask"}).json["Data"] == TASK


def test_repeated_and_broken_parameters_name_themselves(caller: Caller) -> None:
    assert "FileId" in error(
        caller.send("GET", rpc_query("GetDISyncTask", GET_TASK) + "&FileId=1"), 400, "Param.Invalid"
    )
    form = {"content-type": FORM}
    assert "FileId" in error(caller.send("POST", "FileId=1", form, b"FileId=1"), 400, "Param.Invalid")
    assert "TaskType" in error(caller.send("GET", "TaskType=%zz"), 400, "Param.Invalid")
    assert "TaskType" in error(caller.send("GET", b"TaskType=\xff"), 400, "Param.Invalid")


@pytest.mark.parametrize("size", [MAX_BODY + 1, 5 * MAX_BODY])
def test_a_body_too_large_is_refused_in_json(caller: Caller, size: int) -> None:
    reply = caller.send("POST", b"", {"content-type": FORM}, bytes(size))
    assert str(MAX_BODY) in error(reply, 413, "InvalidParameter")
    assert reply.headers["connection"] == "close"


def test_a_large_task_arrives_whole_and_is_worked_on_in_a_thread(caller: Caller) -> None:
    params = {"ProjectId": "1", "TaskType": "DI_REALTIME"}
    content = "中文 %&=+" * 100_000
    body = urlencode({"TaskContent": content}).encode()
    assert len(body) > MAX_BODY // 4
    caller.operations.outcome = {"Data": {"Status": "success"}}
    reply = caller.send("POST", urlencode(params), acs3_headers("CreateDISyncTask", params, body), body)
    assert reply.status == 200
    assert caller.operations.calls[0][1]["TaskContent"] == content
    assert caller.operations.threads == ["gateway_0"]


def test_quick_reads_run_on_the_loop_and_all_else_in_threads(caller: Caller) -> None:
    here = threading.current_thread().name
    caller.operations.outcome = {"Data": TASK}
    caller.rpc("GetDISyncTask", GET_TASK)
    caller.rpc("ListFiles", {"ProjectId": "1"})
    assert caller.operations.threads == [here, "gateway_0"]
    slow = Caller(inline=False)
    slow.operations.outcome = {"Data": TASK}
    slow.rpc("GetDISyncTask", GET_TASK)
    slow.close()
    assert slow.operations.threads == ["gateway_0"]


def test_lists_arrive_flattened(caller: Caller) -> None:
    flat = {"BaselineName": "b", "OvertimeSettings.1.Cycle": "1", "OvertimeSettings.1.Time": "00:00"}
    others = {"ProjectId": "1", "Owner": "1", "BaselineType": "DAILY", "NodeIds": "1,2", "Priority": "1"}
    assert caller.acs3("CreateBaseline", {**flat, **others}).status == 200
    assert caller.operations.calls[0][1]["OvertimeSettings"] == [{"Cycle": 1, "Time": "00:00"}]


def test_xml_when_asked_for(caller: Caller) -> None:
    caller.operations.outcome = {"Data": {"Files": [{"A": "<1>"}, {"A": "\0&", "B": None}], "Ok": True, "1x": 2}}
    reply = caller.rpc("ListFiles", {"ProjectId": "1"}, Format="xml")
    assert reply.headers["content-type"] == "text/xml;charset=utf-8"
    root = ElementTree.fromstring(reply.body)
    assert root.tag == "ListFilesResponse"
    assert [e.text for e in root.findall("Data/Files/A")] == ["<1>", "�&"]
    assert (root.findtext("Success"), root.findtext("Data/Ok"), root.findtext("Data/entry")) == ("true", "true", "2")
    refused = ElementTree.fromstring(caller.send("GET", "Format=XML&Action=X").body)
    assert (refused.tag, refused.findtext("Code")) == ("Error", "MissingAccessKeyId")
    for other in ("None", "JSON", "yaml", ""):
        assert caller.rpc("ListFiles", {"ProjectId": "1"}, Format=other).json["Success"] is True


def test_an_acs3_request_with_a_wrong_secret(caller: Caller) -> None:
    headers = acs3_headers("GetDISyncTask", GET_TASK)
    headers["authorization"] = headers["authorization"][:-1] + "x"
    message = error(caller.send("POST", urlencode(GET_TASK), headers), 400, "SignatureDoesNotMatch")
    assert message.startswith("Specified signature does not match our calculation. server StringToSign is [ACS3-HMAC")
    assert "x-acs-action:GetDISyncTask" in message


def test_every_request_is_observed(caller: Caller) -> None:
    caller.operations.outcome = {"Data": TASK}
    caller.rpc("GetDISyncTask", GET_TASK)
    caller.rpc("GetNothing", {})
    assert [seen[:2] for seen in caller.observed] == [("GetDISyncTask", 200), ("", 404)]
    assert all(0 <= seen[2] < 10 for seen in caller.observed)


def test_an_operation_that_the_api_does_not_have_cannot_be_served() -> None:
    with pytest.raises(ValueError, match="GetNothing"):
        Gateway(KEYS.get, Remembered(), {"GetNothing": lambda caller, params: {}})


def test_a_client_that_goes_away_gets_no_answer(caller: Caller) -> None:
    events = iter([{"type": "http.request", "body": b"a", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(events)

    async def send(event: Any) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": []}
    caller.loop.run_until_complete(caller.gateway(scope, receive, send))
    assert sent == []


def test_a_nonce_is_remembered_for_as_long_as_its_timestamp_is_good() -> None:
    assert NONCE_SECONDS >= 2 * WINDOW
