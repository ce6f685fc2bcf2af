"""The gateway behind uvicorn, started with UVICORN_OPTIONS: what only a real connection shows."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from calling import GET_TASK, TASK
from listening import Listening
from signing import acs3_headers, rpc_query

from disync.gateway.protocol import MAX_HEADERS, MAX_LINE


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 59_000, 66_000, 600_000, 1_500_000])
def test_a_task_in_the_query_arrives_whole_on_one_connection(listening: Listening, size: int) -> None:
    content = "x" * size
    params = {**GET_TASK, "TaskContent": content}
    connection = listening.connect()
    for _ in range(2):
        connection.request("GET", "/?" + rpc_query("GetDISyncTask", params))
        response = connection.getresponse()
        assert (response.status, json.load(response)["Data"]) == (200, TASK)
    headers = acs3_headers("GetDISyncTask", params, host=f"127.0.0.1:{listening.port}")
    connection.request("POST", "/?" + urlencode(params), headers=headers)
    response = connection.getresponse()
    assert (response.status, json.load(response)["Data"]) == (200, TASK)
    connection.close()


def test_a_strange_host_is_signed_but_never_parsed(listening: Listening) -> None:
    headers = acs3_headers("GetDISyncTask", GET_TASK, host=f"http://127.0.0.1:{listening.port}/")
    connection = listening.connect()
    connection.request("POST", "/?" + urlencode(GET_TASK), headers=headers)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE\r\n\r\n",
        b"GET http://x:99999999/?a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?" + b"x" * (MAX_LINE + 1) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * (MAX_HEADERS + 1) + b"\r\n\r\n",
    ],
    ids=["nonsense", "target", "line", "headers"],
)
def test_what_is_no_request_is_answered_in_json_too(listening: Listening, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", listening.port), timeout=20) as connection:
        received: list[bytes] = []
        reader = threading.Thread(target=lambda: received.append(_all(connection)))
        reader.start()
        try:
            connection.sendall(raw)
        except OSError:
            assert len(raw) > MAX_HEADERS, "closed early: only what is too long may be cut off"
        reader.join()
    head, _, body = received[0].partition(b"\r\n\r\n")
    if len(raw) <= MAX_HEADERS:
        assert head.startswith(b"HTTP/1.1 400 ")
    if body:
        envelope = json.loads(body)
        assert envelope["Code"] == "InvalidRequest"
        assert f"x-acs-request-id: {envelope['RequestId']}".encode() in head


def _all(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except OSError:
        return b"".join(parts)
    return b"".join(parts)


def test_requests_in_parallel_each_get_their_own_answer(listening: Listening) -> None:
    statuses: list[int] = []

    def call() -> None:
        connection = listening.connect()
        for _ in range(20):
            connection.request("GET", "/?" + rpc_query("ListFiles", {"ProjectId": "1"}))
            response = connection.getresponse()
            assert json.load(response)["RequestId"] == response.headers["x-acs-request-id"]
            statuses.append(response.status)
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 160
