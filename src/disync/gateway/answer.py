"""What goes back: the envelope of an operation, or the one envelope of errors, as JSON or XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

import msgspec

from disync.gateway.spec import Operation
from disync.model.errors import ApiError, Refused

HOST_ID = "disync"
JSON_TYPE = b"application/json;charset=utf-8"
XML_TYPE = b"text/xml;charset=utf-8"
"""Exactly so: some clients parse an XML error under this very value only."""

_ENVELOPE = ("HttpStatusCode", "ErrorCode", "ErrorMessage")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Answer(msgspec.Struct, frozen=True):
    """`document` is rendered at last, when the form that the client reads is known."""

    status: int
    root: str
    document: Mapping[str, Any]


class Reply(msgspec.Struct, frozen=True):
    """An answer in the form that the client reads, ready to be sent."""

    status: int
    media_type: bytes
    request_id: str
    body: bytes


def complete(request_id: str, answer: Answer, xml: bool = False) -> Reply:
    return Reply(answer.status, XML_TYPE if xml else JSON_TYPE, request_id, render(answer, xml))


def succeeded(operation: Operation, request_id: str, payload: Mapping[str, Any]) -> Answer:
    """The payload under the members that the spec declares for this operation's envelope."""
    document = _envelope(operation, request_id, success=True)
    document.update(payload)
    return _answer(operation, document)


def refused(operation: Operation, request_id: str, refusal: Refused) -> Answer:
    """A business failure where the operation's own answer has a place for its text; elsewhere a 400."""
    text, shape = str(refusal), operation.response
    data = shape.get("Data")
    if "ErrorCode" in shape or "ErrorMessage" in shape:
        document = _envelope(operation, request_id, success=False)
        told = {"ErrorCode": refusal.code, "ErrorMessage": text}
        document.update({name: value for name, value in told.items() if name in shape})
        if isinstance(data, dict):
            document["Data"] = None
        return _answer(operation, document)
    if isinstance(data, dict) and {"Status", "Message"} <= data.keys():
        document = _envelope(operation, request_id, success=True)
        status = False if data["Status"] == "boolean" else "fail"
        nothing = {name: None for name, tree in data.items() if not isinstance(tree, list)}
        document["Data"] = {**nothing, "Status": status, "Message": text}
        return _answer(operation, document)
    tasks = shape.get("TaskList")
    if isinstance(tasks, dict) and {"ConnectStatus", "ConnectMessage"} <= tasks.keys():
        document = _envelope(operation, request_id, success=True)
        document["TaskList"] = {"ConnectStatus": False, "ConnectMessage": text}
        return _answer(operation, document)
    return failed(ApiError(400, refusal.code, text), request_id)


def failed(error: ApiError, request_id: str) -> Answer:
    """All strings, and capitalised: what every official client reads."""
    document = {
        "RequestId": request_id,
        "HostId": HOST_ID,
        "Code": error.code,
        "Message": str(error),
        "Recommend": f"docs/errors.md says what to do about {error.code}.",
    }
    return Answer(error.status, "Error", document)


def render(answer: Answer, xml: bool) -> bytes:
    if xml:
        body = _element(answer.root, answer.document)
        return f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()
    return msgspec.json.encode(answer.document)


def _answer(operation: Operation, document: Mapping[str, Any]) -> Answer:
    return Answer(200, f"{operation.name}Response", document)


def _envelope(operation: Operation, request_id: str, success: bool) -> dict[str, Any]:
    shape = operation.response
    document: dict[str, Any] = {}
    if "Success" in shape:
        document["Success"] = success if shape["Success"] == "boolean" else str(success).lower()
    document["RequestId"] = request_id
    for name in _ENVELOPE:
        if name in shape:
            document[name] = None
    if "HttpStatusCode" in shape:
        document["HttpStatusCode"] = 200 if shape["HttpStatusCode"] == "integer" else "200"
    return document


def _element(name: str, value: Any) -> str:
    """A list is its element repeated; what is null is left out."""
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "".join(_element(name, item) for item in value)
    if isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(_NOT_XML.sub("�", str(value)))
    tag = name if _NAME.fullmatch(name) else "entry"
    return f"<{tag}>{inner}</{tag}>"
