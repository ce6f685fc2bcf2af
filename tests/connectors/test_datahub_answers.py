"""What strangers may answer when an endpoint leads to them, and which endpoints are not even asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from disync.connectors import find, network
from disync.connectors.datahub import connection
from disync.connectors.datahub.client import Client
from disync.connectors.datahub.config import content_of
from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.wire.schema import Field, Schema
from disync.connectors.endpoint import endpoint_of
from disync.model.errors import BadConfig, TaskError, Unreachable

if TYPE_CHECKING:
    from conftest import Service

CANARY = "canary-7c1f"
HEAD = b"HTTP/1.1 %s x\r\nConnection: close\r\n"
Talk = Callable[[socket.socket], None]


@contextmanager
def stranger(talk: Talk) -> Iterator[str]:
    """A server that says what `talk` sends to every caller; its endpoint."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer, suppress(OSError):
                    peer.settimeout(10)
                    peer.recv(65536)
                    talk(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(data: bytes) -> Talk:
    return lambda peer: peer.sendall(data)


def client_of(endpoint: str) -> Client:
    content = {"endpoint": endpoint, "project": "p", "accessId": "i", "accessKey": "k"}
    return Client(content_of(content), retry_seconds=0.0, read_seconds=5.0)


def told(endpoint: str, call: Callable[[Client], Any] = Client.topics) -> TaskError:
    client = client_of(endpoint)
    with pytest.raises(TaskError) as error:
        call(client)
    client.close()
    return error.value


def answer(body: bytes, status: bytes = b"200", more: bytes = b"") -> bytes:
    return HEAD % status + b"Content-Length: %d\r\n%s\r\n" % (len(body), more) + body


WORD = CANARY.encode()
SHARD = {"ShardId": "0", "State": "ACTIVE", "BeginHashKey": CANARY, "EndHashKey": "F"}


@pytest.mark.parametrize(
    "data",
    [
        WORD + b"-OpenSSH_9.2\r\n",
        answer(WORD, b"404"),
        answer(WORD, b"503"),
        answer(WORD),
        answer(b'["' + WORD + b'"]'),
        answer(b'{"TopicNames": "' + WORD + b'"}'),
        answer(b"[" * 100_000),
        answer(b'{"x":' * 100_000, b"400"),
        answer(b'{"secret": "' + WORD + b'"}', b"400"),
        answer(b'{"ErrorCode": {"a": "' + WORD + b'"}, "ErrorMessage": "' + WORD + b'"}', b"400"),
        answer(b'{"ErrorCode": "", "ErrorMessage": "' + WORD + b'"}', b"400"),
        answer(b'{"ErrorCode": "<b>' + WORD + b'", "ErrorMessage": "' + WORD + b'"}', b"500"),
        answer(b"x", b"200", b"Content-Encoding: " + WORD + b"\r\n"),
        answer(b"x", b"400", b"x-datahub-content-raw-size: " + WORD + b"\r\n"),
        HEAD % b"302" + b"Location: http://127.0.0.1/" + WORD + b"\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_a_stranger_answers_is_not_passed_on(data: bytes) -> None:
    with stranger(saying(data)) as endpoint:
        error = told(endpoint)
    assert CANARY not in str(error)
    assert endpoint in str(error)


def test_shards_that_make_no_sense_are_not_passed_on_either() -> None:
    body = json.dumps({"Shards": [SHARD]}).encode()
    with stranger(saying(answer(body))) as endpoint:
        error = told(endpoint, lambda client: client.shards("t"))
    assert isinstance(error, Unreachable)
    assert CANARY not in str(error)


def test_what_a_datahub_says_about_an_error_is_passed_on_short_and_printable() -> None:
    body = json.dumps({"ErrorCode": "NoSuchProject", "ErrorMessage": "gone\r\n\x1b[2J" + "x" * 9000}).encode()
    with stranger(saying(answer(body, b"404"))) as endpoint:
        error = told(endpoint)
    assert isinstance(error, Rejected)
    assert error.reason == "NoSuchProject"
    assert error.detail.startswith("gone   [2Jx")
    assert len(error.detail) == 200


@pytest.mark.parametrize("status", [b"200", b"400"])
def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch, status: bytes) -> None:
    monkeypatch.setattr(connection, "MAX_ANSWER", 1 << 20)
    sent = []

    def talk(peer: socket.socket) -> None:
        peer.sendall(HEAD % status + b"Transfer-Encoding: chunked\r\n\r\n")
        while len(sent) < 64:
            peer.sendall(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
            sent.append(1)

    with stranger(talk) as endpoint:
        error = told(endpoint)
    assert isinstance(error, Unreachable)
    assert "too long" in str(error)
    assert len(sent) < 64


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("http://h", "http://h:80"),
        ("HTTPS://dh-cn-hangzhou.aliyuncs.com/", "https://dh-cn-hangzhou.aliyuncs.com:443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:1/a/b.c//", "http://[::1]:1/a/b.c"),
    ],
)
def test_an_endpoint_is_taken_apart(text: str, meant: str) -> None:
    assert str(endpoint_of(text)) == meant


@pytest.mark.parametrize(
    "text",
    [
        "host:80",
        "ftp://h",
        "http://",
        "http://u:hush-hush@h",
        "http://h@127.0.0.1",
        "http://127.0.0.1\\@h",
        "http://h\\x",
        "http://h/ x",
        " http://h",
        "http://h\n",
        "http://h\r\nX: y",
        "http://h\0",
        "http://h/#f",
        "http://h?q=hush-hush",
        "http://h:0",
        "http://h:65536",
        "http://h:８０",
        "http://[::1%25eth0]",
        "http://h/../x",
        "http://h/%2e%2e",
        "http://é",
    ],
)
def test_an_endpoint_that_two_parsers_might_read_differently_is_none(text: str) -> None:
    with pytest.raises(BadConfig, match="endpoint") as error:
        content_of({"endpoint": text, "project": "p", "accessId": "i", "accessKey": "k"})
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("accessId", "a\r\nX-Y: z"),
        ("accessId", "数据"),
        ("accessId", ""),
        ("accessKey", "a\r\nb"),
        ("accessKey", "\udc80"),
        ("project", ""),
        ("project", "a/b"),
        ("project", "a\n"),
    ],
)
def test_a_key_or_a_project_that_cannot_be_is_named(member: str, value: str) -> None:
    content = {"endpoint": "http://h", "project": "p", "accessId": "i", "accessKey": "k", member: value}
    with pytest.raises(BadConfig, match=member):
        content_of(content)


def test_every_connection_goes_by_the_policy(service: Service) -> None:
    topic = service.topic(Schema((Field("id", "bigint"),)))
    everywhere = service.local.endpoint.replace("127.0.0.1", "0.0.0.0")  # the system would lead it to the service
    with pytest.raises(BadConfig, match=network.DENIED):
        topic.reader(everywhere).streams()
    with pytest.raises(BadConfig, match=network.DENIED):
        topic.writer(everywhere).check()
    connector = find("datahub")
    assert connector is not None and connector.probe is not None
    with pytest.raises(BadConfig, match=network.DENIED):
        connector.probe(service.content(everywhere))


def test_a_host_is_reached_by_name_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        peer.sendall(answer(b'{"TopicNames": ["t"]}'))

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                heard.append(peer.recv(65536))
                talk(peer)

        thread = threading.Thread(target=serve)
        thread.start()
        monkeypatch.setattr(network, "_resolve", lambda host, port: ["127.0.0.2", "127.0.0.1"])
        client = client_of(f"http://here.example:{port}")
        assert client.topics() == ["t"]
        thread.join()
        client.close()
    assert f"Host: here.example:{port}\r\n".encode() in heard[0]
