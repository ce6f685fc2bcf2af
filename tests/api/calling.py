"""Calls the gateway as a server would, with handlers that tell what reached them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from signing import KEY, SECRET, acs3_headers, rpc_query

from disync.gateway.rpc import Gateway

GET_TASK = {"FileId": "100", "ProjectId": "10000", "TaskType": "DI_REALTIME"}
TASK = {"Code": '{"y": 160.5, "z": "中"}', "Status": "success", "Message": None, "SolutionDetail": None}
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class AccessKey:
    secret: str
    active: bool
    caller: Any


KEYS = {
    KEY: AccessKey(SECRET, True, "the caller"),
    "disabled": AccessKey(SECRET, False, "nobody"),
}


class Remembered:
    """Nonces in memory: what one process without a store would keep."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def claim(self, access_key_id: str, nonce: str, now: float, /) -> bool:
        known = (access_key_id, nonce) in self.seen
        self.seen.add((access_key_id, nonce))
        return not known


class Operations:
    """Handlers that tell what reached them, and where they ran."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []
        self.threads: list[str] = []
        self.outcome: Any = {}

    def handler(self, inline: bool) -> Callable[[Any, dict[str, Any], str], dict[str, Any]]:
        def handle(caller: Any, params: dict[str, Any], request_id: str) -> dict[str, Any]:
            self.calls.append((caller, params))
            self.threads.append(threading.current_thread().name)
            if isinstance(self.outcome, Exception):
                raise self.outcome
            assert isinstance(self.outcome, dict)
            return self.outcome

        handle.inline = inline  # type: ignore[attr-defined]
        return handle


SERVED = (
    *("GetDISyncTask", "CreateDISyncTask", "ListFiles", "GetFile", "TestNetworkConnection"),
    *("CreateDataSource", "UpdateDataSource", "CreateBaseline", "ListProjects"),
)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json;charset=utf-8"
        return json.loads(self.body)


class Caller:
    """Drives the application as a server would, one request at a time."""

    def __init__(self, inline: bool = True) -> None:
        self.operations = Operations()
        self.observed: list[tuple[str, int, float]] = []
        handlers = {name: self.operations.handler(inline=name.startswith("Get")) for name in SERVED}
        self.gateway = Gateway(
            KEYS.get,
            Remembered(),
            handlers,
            inline=inline,
            observe=lambda *seen: self.observed.append(seen),
        )
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        self.gateway.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def send(
        self,
        method: str = "POST",
        query: str | bytes = b"",
        headers: Mapping[str, str] | list[tuple[bytes, bytes]] = (),  # type: ignore[assignment]
        body: bytes = b"",
        path: str = "/",
        chunk: int = 1 << 20,
    ) -> Reply:
        raw = headers if isinstance(headers, list) else [(k.encode(), v.encode()) for k, v in dict(headers).items()]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode() if isinstance(query, str) else query,
            "headers": raw,
        }
        pieces = [body[i : i + chunk] for i in range(0, len(body), chunk)] or [b""]
        events = iter(
            {"type": "http.request", "body": piece, "more_body": i + 1 < len(pieces)} for i, piece in enumerate(pieces)
        )
        sent: list[Any] = []

        async def receive() -> Any:
            return next(events)

        async def send(event: Any) -> None:
            sent.append(event)

        self.loop.run_until_complete(self.gateway(scope, receive, send))
        start, end = sent
        reply = Reply(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, end["body"])
        assert int(reply.headers["content-length"]) == len(reply.body)
        assert reply.headers["x-acs-request-id"].encode() in reply.body
        return reply

    def rpc(self, action: str, params: Mapping[str, str], method: str = "GET", **changes: str) -> Reply:
        return self.send(method, rpc_query(action, params, method, **changes))

    def acs3(self, action: str, params: Mapping[str, str], **changes: str) -> Reply:
        return self.send("POST", urlencode(params), acs3_headers(action, params, **changes))
