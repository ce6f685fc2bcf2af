"""A plain request is answered in one write, all others by the general way: and nobody can tell which it was."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from calling import FORM, GET_TASK, TASK
from listening import Listening
from signing import rpc_query

from disync.gateway.answer import Reply
from disync.gateway.request import Request

CLOSE = "Connection: close"


@pytest.fixture
def listening() -> Iterator[Listening]:
    made = Listening()
    yield made
    made.close()


@pytest.fixture
def asked(listening: Listening) -> list[bool]:
    """For each request that was offered for an answer at once: whether it got one."""
    told: list[bool] = []
    answer_now = listening.caller.gateway.answer_now

    def tell(request: Request) -> Reply | None:
        reply = answer_now(request)
        told.append(reply is not None)
        return reply

    listening.caller.gateway.answer_now = tell  # type: ignore[method-assign]
    return told


@dataclass(frozen=True)
class Response:
    head: bytes
    body: bytes


def get(action: str = "GetDISyncTask", *lines: str, version: str = "1.1") -> bytes:
    head = [f"GET /?{rpc_query(action, GET_TASK)} HTTP/{version}", "Host: x", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def post(body: bytes, *lines: str) -> tuple[bytes, bytes]:
    head = ["POST / HTTP/1.1", "Host: x", f"Content-Type: {FORM}", *lines]
    return "\r\n".join([*head, "", ""]).encode(), body


def form() -> bytes:
    return rpc_query("GetDISyncTask", GET_TASK, "POST").encode()


def connect(listening: Listening) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listening.port), timeout=20)


def responses(connection: socket.socket, count: int) -> list[Response]:
    received = b""
    found: list[Response] = []
    while len(found) < count:
        head, end, rest = received.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if end and len(rest) >= length:
            found.append(Response(head, rest[:length]))
            received = rest[length:]
        else:
            part = connection.recv(65536)
            assert part, f"closed after {found} and {received!r}"
            received += part
    assert not received, "more than was asked for"
    return found


def check(response: Response) -> None:
    lines = response.head.split(b"\r\n")
    answer = json.loads(response.body)
    assert lines[0] == b"HTTP/1.1 200 OK"
    names = [line.partition(b":")[0] for line in lines[1:]]
    assert sorted(set(names) - {b"connection"}) == [b"content-length", b"content-type", b"date", b"x-acs-request-id"]
    assert f"x-acs-request-id: {answer['RequestId']}".encode() in lines
    assert answer["Data"] == TASK


def test_plain_requests_on_one_connection(listening: Listening, asked: list[bool]) -> None:
    body = form()
    with connect(listening) as connection:
        for request in (get(), b"".join(post(body, f"Content-Length: {len(body)}")), get()):
            connection.sendall(request)
            check(*responses(connection, 1))
        # One more answer after those that are counted: the server counts when it has written.
        connection.sendall(get("GetDISyncTask", CLOSE))
        check(*responses(connection, 1))
    assert asked == [True] * 3
    assert listening.server.server_state.total_requests >= 3
    assert [seen[:2] for seen in listening.caller.observed] == [("GetDISyncTask", 200)] * 4


def test_one_that_needs_a_thread_goes_the_general_way(listening: Listening, asked: list[bool]) -> None:
    with connect(listening) as connection:
        for action in ("ListFiles", "GetDISyncTask", "ListFiles"):
            connection.sendall(get(action))
            check(*responses(connection, 1))
    assert asked == [False, True, False]
    assert [seen[0] for seen in listening.caller.observed] == ["ListFiles", "GetDISyncTask", "ListFiles"]


@pytest.mark.parametrize(
    ("made", "closes"),
    [  # made when it is sent: what was signed when the tests were collected may be out of date by then
        (lambda: get("GetDISyncTask", CLOSE), True),
        (lambda: get(version="1.0"), True),
        (lambda: get("GetDISyncTask", "Connection: Upgrade", "Upgrade: h2c"), False),
    ],
    ids=["close", "version", "upgrade"],
)
def test_what_is_not_plain_is_not_even_offered(
    listening: Listening, asked: list[bool], made: Callable[[], bytes], closes: bool
) -> None:
    with connect(listening) as connection:
        connection.sendall(made())
        check(*responses(connection, 1))
        if closes:
            assert connection.recv(1) == b""
    assert asked == []


def test_other_methods_and_targets_are_the_applications(listening: Listening, asked: list[bool]) -> None:
    target = f"/?{rpc_query('GetDISyncTask', GET_TASK)}"
    with connect(listening) as connection:
        for line, status in (("DELETE /", 403), ("GET /healthz", 404), (f"GET {target}#part", 200)):
            connection.sendall(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            (response,) = responses(connection, 1)
            assert response.head.startswith(b"HTTP/1.1 %d " % status)
    assert asked == []


def test_of_many_in_one_read_one_is_answered_at_once(listening: Listening, asked: list[bool]) -> None:
    actions = ["GetDISyncTask", "ListFiles", "GetDISyncTask", "GetDISyncTask", "ListFiles"]
    with connect(listening) as connection:
        connection.sendall(b"".join(get(action) for action in actions))
        found = responses(connection, len(actions))
    for response in found:
        check(response)
    told = ["ListFiles" if "ErrorCode" in json.loads(response.body) else "GetDISyncTask" for response in found]
    assert told == actions, "in the order in which they were asked"
    assert asked == [True], "so that other connections get their turn"


def test_a_body_that_comes_later_is_waited_for(listening: Listening, asked: list[bool]) -> None:
    whole = form()
    head, body = post(whole, f"Content-Length: {len(whole)}")
    with connect(listening) as connection:
        for begin in (b"", body[:7]):
            _until_under_way(listening, 0)
            connection.sendall(head + begin)
            _until_under_way(listening, 1)
            connection.sendall(body[len(begin) :])
            (response,) = responses(connection, 1)
            # The second is a replay: refused, which only a body that was read whole can be.
            assert (b"SignatureNonceUsed" in response.body) == bool(begin)
    assert asked == []


def _until_under_way(listening: Listening, count: int) -> None:
    """So many requests were handed on to the application, and wait for the rest of their body."""
    deadline = time.monotonic() + 20
    while len(listening.server.server_state.tasks) != count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_client_may_ask_whether_to_go_on(listening: Listening, asked: list[bool]) -> None:
    whole = form()
    head, body = post(whole, f"Content-Length: {len(whole)}", "Expect: 100-continue")
    with connect(listening) as connection:
        connection.sendall(head)
        assert responses(connection, 1) == [Response(b"HTTP/1.1 100 Continue", b"")]
        connection.sendall(body)
        check(*responses(connection, 1))
    assert asked == []


def test_a_body_in_chunks_may_be_plain_and_a_broken_one_is_refused_once(
    listening: Listening, asked: list[bool]
) -> None:
    whole = form()
    head, body = post(whole, "Transfer-Encoding: chunked")
    with connect(listening) as connection:
        connection.sendall(head + b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]))
        check(*responses(connection, 1))
        connection.sendall(head + b"broken\r\n\r\n")
        (response,) = responses(connection, 1)
        assert json.loads(response.body)["Code"] == "InvalidRequest"
        assert connection.recv(1) == b""
    assert asked == [True]
    assert not listening.server.server_state.tasks


def test_a_stop_does_not_wait_for_idle_connections(listening: Listening, asked: list[bool]) -> None:
    with connect(listening) as connection:
        connection.sendall(get())
        check(*responses(connection, 1))
        began = time.monotonic()
        listening.server.should_exit = True
        assert connection.recv(1) == b"", "closed by the server"
        listening.thread.join(20)
    assert time.monotonic() - began < 5
    assert asked == [True]
