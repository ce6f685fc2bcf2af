"""A fault in the console is a 500 in JSON for that request alone; the API beside it never notices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from calling import GET_TASK, KEYS, TASK, Caller
from signing import rpc_query

from disync.console.attempts import Attempts
from disync.console.door import Door
from disync.console.files import Files
from disync.console.names import Names
from disync.console.routes import Console
from disync.probes import Probes, Requests

SECRET = "what-the-fault-holds"


class Broken:
    """Sessions whose store does not work."""

    def find(self, token: str) -> Any:
        raise OSError(f"the store: {SECRET}")

    def open(self, access_key_id: str, access_key_secret: str) -> Any:
        raise OSError(f"the store: {SECRET}")


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Callable[..., httpx.Response]]:
    """Asks an application with a broken console and a gateway that works."""
    caller = Caller()
    caller.operations.outcome = {"Data": TASK}
    console: Any = Console(caller.gateway, Broken(), Attempts(), KEYS.get)  # type: ignore[arg-type]
    door = Door(console, Names.of("127.0.0.1"), Files(tmp_path))
    app = Probes(caller.gateway, door, SimpleNamespace(), Requests(), lambda: True)  # type: ignore[arg-type]

    def asked(method: str, path: str, **more: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
                return await client.request(method, path, **more)

        return asyncio.run(exchange())

    yield asked
    door.close()
    caller.close()


def test_a_fault_is_a_500_that_tells_nothing(
    ask: Callable[..., httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    key = {"AccessKeyId": "a", "AccessKeySecret": "b"}
    ours = {"Origin": "http://127.0.0.1:8080"}
    for answer in (
        ask("GET", "/console"),
        ask("GET", "/console/session", headers={"Cookie": "disync_session=x"}),
        ask("POST", "/console/session", json=key, headers=ours),
        ask("POST", "/console/call", json={"Action": "ListFiles"}, headers=ours | {"Cookie": "disync_session=x"}),
    ):
        document = json.loads(answer.content)
        assert (answer.status_code, document["Code"]) == (500, "InternalError.System")
        assert SECRET not in answer.text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert f"the console failed, RequestId {document['RequestId']}" in caplog.text
    alive = ask("GET", f"/?{rpc_query('GetDISyncTask', GET_TASK)}")
    assert (alive.status_code, alive.json()["Data"]) == (200, TASK)
    assert ask("GET", "/healthz").text == "ok\n"


def test_a_client_that_goes_away_gets_nothing() -> None:
    caller = Caller()
    door = Door(Console(caller.gateway, Broken(), Attempts(), KEYS.get), Names.of("127.0.0.1"))  # type: ignore[arg-type]
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "http", "method": "POST", "path": "/console/call", "headers": headers}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(event: Any) -> None:
        sent.append(event)

    caller.loop.run_until_complete(door(scope, receive, send))
    assert sent == []
    door.close()
    caller.close()
