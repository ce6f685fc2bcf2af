"""What a service or a network may do to the connector: each with the error, or the repetition, that it deserves."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from http_proxy import LOSE, Answer, Proxy, Request, proxy_to
from test_datahub_copy import PAIR, copy, values

from contract.source import rows_in
from disync.connectors import find
from disync.connectors.datahub import lanes
from disync.connectors.datahub.client import Client
from disync.connectors.datahub.config import content_of
from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.types import table_of
from disync.connectors.datahub.wire import batch, frame, protobuf
from disync.connectors.datahub.wire import json as wire_json
from disync.connectors.datahub.wire.entry import Entry, Failed
from disync.model.connector import Connector, Database, Site
from disync.model.data import Batch, Position, record_batch
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Checkpoint, Split, Start

if TYPE_CHECKING:
    from conftest import Service


@pytest.fixture
def proxy(service: Service) -> Iterator[Proxy]:
    with proxy_to(service.local.endpoint) as made:
        yield made


def _connector() -> Connector:
    connector = find("datahub")
    assert connector is not None
    return connector


@pytest.mark.parametrize(
    ("refused", "used"),
    [
        ({"application/x-binary"}, "application/x-protobuf"),
        ({"application/x-binary", "application/x-protobuf"}, "application/json"),
    ],
)
def test_a_service_that_lacks_a_format_is_spoken_to_in_another(
    service: Service, proxy: Proxy, refused: set[str], used: str
) -> None:
    source, target = service.topic(PAIR, 2), service.topic(PAIR)
    source.put(0, [*values(0, 150), (150, None)], {"a": "b"})
    proxy.rule = lambda request: Answer(400, "InvalidOperation") if request.content_type in refused else None
    assert copy(source.reader(proxy.endpoint, batchSize=40), target.writer(proxy.endpoint, batchSize=60)) == []
    assert target.rows(0)[:150] == values(0, 150) and len(target.rows(0)) == 151
    assert target.records(0)[0].attributes == {"a": "b"}
    tries = [request for request in proxy.seen if request.content_type in refused]
    assert len(tries) == 2 * len(refused)  # once to get, once to put, and never again
    assert any(request.content_type == used for request in proxy.seen)


def test_blobs_in_every_format(service: Service, proxy: Proxy) -> None:
    data = [b"x", bytes(range(256)), b"123456789"]
    for refused in (set(), {"application/x-binary"}, {"application/x-binary", "application/x-protobuf"}):
        source, target = service.topic(None), service.topic(None)
        source.put(0, data)
        proxy.rule = lambda r, no=refused: Answer(400, "InvalidOperation") if r.content_type in no else None
        assert copy(source.reader(proxy.endpoint), target.writer(proxy.endpoint)) == []
        assert target.rows(0) == data


def test_a_busy_service_is_asked_again(service: Service, proxy: Proxy) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    source.put(0, values(0, 5))
    answers = [Answer(429, "LimitExceeded"), Answer(503), Answer(500, "InternalServerError")]

    def rule(request: Request) -> Answer | None:
        return answers.pop() if request.action == "pub" and answers else None

    proxy.rule = rule
    assert copy(source.reader(), target.writer(proxy.endpoint)) == []
    assert not answers and target.rows(0) == values(0, 5)


def test_a_put_whose_answer_is_lost_is_repeated(service: Service, proxy: Proxy) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    source.put(0, values(0, 5))
    lost = [LOSE]
    proxy.rule = lambda request: lost.pop() if request.action == "pub" and lost else None
    assert copy(source.reader(), target.writer(proxy.endpoint)) == []
    assert target.rows(0) == values(0, 5) * 2  # at least once, and in order


def _ids(request: Request) -> list[int]:
    """The ids of the records in a put, whatever its format."""
    if request.content_type == "application/json":
        entries = [entry for entry in wire_json.decode_put(request.body, False) if isinstance(entry, Entry)]
    else:
        blocks = protobuf.decode_binary_put(frame.unwrap(request.body))
        entries = [entry for block in blocks for entry in batch.decode(block, PAIR)]
    return [int(entry.data[0] or b"-1") for entry in entries]


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4, 99}, set(range(100))])
def test_records_that_the_service_refuses_are_found_and_the_others_written_in_order(
    service: Service, proxy: Proxy, bad: set[int]
) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    for part in range(4):
        source.put(0, values(part * 25, 25))

    def rule(request: Request) -> Answer | None:
        return Answer(400, "MalformedRecord") if request.action == "pub" and bad & set(_ids(request)) else None

    proxy.rule = rule
    dirty = copy(source.reader(), target.writer(proxy.endpoint))
    assert target.rows(0) == [row for row in values(0, 100) if row[0] not in bad]
    assert [int(json.loads(one.row)["id"]) for one in dirty] == sorted(bad)
    assert {one.reason for one in dirty} == {"the proxy says so"}


@pytest.mark.parametrize(("code", "written"), [("MalformedRecord", [0, 1, 4]), ("LimitExceeded", [0, 1, 4, 2, 3])])
def test_records_that_a_json_answer_names_as_failed(
    service: Service, proxy: Proxy, code: str, written: list[int]
) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    source.put(0, values(0, 5))
    first = [True]

    def rule(request: Request) -> Answer | None:
        if "json" not in request.content_type:
            return Answer(400, "InvalidOperation")
        if b'"pub"' not in request.body or not first:
            return None
        first.clear()
        target.put(0, values(0, 2) + values(4, 1))  # what the service took
        return Answer(200, body=wire_json.encode_put_reply([Failed(2, code, "no"), Failed(3, code, "no")]))

    proxy.rule = rule
    dirty = copy(source.reader(), target.writer(proxy.endpoint))
    assert [row[0] for row in target.rows(0)] == written
    assert [int(json.loads(one.row)["id"]) for one in dirty] == ([2, 3] if code == "MalformedRecord" else [])


def test_a_shard_that_only_says_it_is_closed_ends_the_run(service: Service, proxy: Proxy) -> None:
    source, target = service.topic(PAIR), service.topic(PAIR)
    source.put(0, values(0, 5))
    proxy.rule = lambda request: Answer(400, "InvalidShardOperation") if request.action == "pub" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "PAUSES", (0.0, 0.01, 0.02))
        with pytest.raises(Unreachable, match="does not take"):
            copy(source.reader(), target.writer(proxy.endpoint))
    assert target.rows(0) == []


def test_a_record_larger_than_a_put_is_dirty(service: Service) -> None:
    target = service.topic(PAIR)
    table = table_of("elsewhere", PAIR)
    writer = target.writer()
    writer.prepare([table])
    split = Split("elsewhere/0", table)
    sink = writer.open(split)
    rows = [(1, "a"), (2, "x" * 4_100_000), (3, "b")]
    sink.write(Batch(table, record_batch(table, rows), None, Position("3")))
    (dirty,) = sink.flush(Checkpoint(split.id, Position("3"), 1))
    assert target.rows(0) == [(1, "a"), (3, "b")]
    assert json.loads(dirty.row)["id"] == "2" and "4100" in dirty.reason
    writer.close()


def test_a_redirect_is_not_followed(service: Service, proxy: Proxy) -> None:
    proxy.rule = lambda request: Answer(302, headers={"Location": service.local.endpoint})
    with pytest.raises(BadConfig, match="302"):
        _connector().probe(service.content(proxy.endpoint))  # type: ignore[misc]
    assert len(proxy.seen) == 1


def test_probe_and_catalog(service: Service) -> None:
    topic = service.topic(PAIR)
    connector = _connector()
    assert connector.probe is not None and connector.catalog is not None
    connector.probe(service.content())
    (database,) = connector.catalog(service.content())
    assert isinstance(database, Database) and topic.name in database.tables


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"accessKey": "hush-hush"}, "accessKey"),
        ({"accessId": "nobody"}, "accessId"),
        ({"project": "nowhere"}, "NoSuchProject"),
    ],
)
def test_a_wrong_data_source_is_named(service: Service, members: dict[str, str], told: str) -> None:
    connector = _connector()
    assert connector.probe is not None
    with pytest.raises(BadConfig, match=told) as error:
        connector.probe(service.content(**members))
    assert "hush-hush" not in str(error.value)


def test_nobody_there() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused at once
        content = {"endpoint": f"http://127.0.0.1:{held.getsockname()[1]}", "project": "p", "accessId": "i"}
        connector = _connector()
        assert connector.probe is not None
        with pytest.raises(Unreachable, match="does not answer"):
            connector.probe({**content, "accessKey": "k"})


def test_somebody_who_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        begun = time.monotonic()
        connector = _connector()
        assert connector.probe is not None
        with pytest.raises(Unreachable):
            connector.probe({"endpoint": endpoint, "project": "p", "accessId": "i", "accessKey": "k"})
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("content", "parameter", "told"),
    [
        ({"endpoint": "host:80"}, {}, "http://"),
        ({"project": None}, {}, "project"),
        ({}, {"topic": None}, "topic"),
        ({}, {"batchSize": 0}, "batchSize"),
        ({}, {"batchSize": 10_001}, "batchSize"),
        ({}, {"datasource": "other"}, "other"),
    ],
)
def test_a_wrong_step_is_named(
    content: dict[str, object], parameter: dict[str, object], told: str, service: Service
) -> None:
    site = Site(
        {"datasource": "here", "topic": "t", "unknown": 1, **parameter}, {"here": {**service.content(), **content}}
    )
    connector = _connector()
    assert connector.reader is not None and connector.writer is not None
    for open_it in (connector.reader, connector.writer):
        with pytest.raises(BadConfig, match=told):
            open_it(site)


def test_a_topic_that_is_not_there(service: Service) -> None:
    topic = service.topic(PAIR)
    topic.name = "nowhere"
    for open_it in (topic.reader, topic.writer):
        with pytest.raises(BadConfig, match=r"NoSuchTopic.*Create it"):
            open_it().check()


def test_a_server_that_restarts_while_it_is_read(service: Service) -> None:
    source = service.topic(PAIR)
    source.put(0, values(0, 3))
    reader = source.reader()
    stream = reader.streams()[0]
    events = reader.changes(stream, reader.seek(stream, Start()))
    assert rows_in([next(events)]) == values(0, 3)
    service.local.kill()
    service.local.start()
    source.put(0, values(3, 2))
    found = []
    while len(found) < 2:
        found += rows_in([next(events)])
    assert found == values(3, 2)
    reader.close()


def test_control_calls_that_may_not_be_repeated_are_not(service: Service, proxy: Proxy) -> None:
    topic = service.topic(PAIR)
    client = Client(content_of(service.content(proxy.endpoint)))
    proxy.rule = lambda request: LOSE
    field = PAIR.fields[1].__class__("more", "string")
    with pytest.raises(Unreachable):
        client.append_field(topic.name, field)
    assert len(proxy.seen) == 1
    proxy.rule = lambda request: None
    with pytest.raises(Rejected):
        client.append_field(topic.name, field)  # it was carried out the first time
    client.close()
