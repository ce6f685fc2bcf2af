"""Lineage on both stores: which events a task's life makes, and what becomes of them when nobody takes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from catalogue import Catalogue, catalogue
from disync.engine.dispatch import Hold
from disync.model.data import Position
from disync.model.errors import BadConfig, Fenced, Unreachable
from disync.model.lineage import Dataset, Field, Flow
from disync.model.run import Checkpoint, Tally, Task
from disync.services import Services
from disync.services.access import Caller
from disync.services.dispatch import StoreDispatch
from disync.services.lineage import outbox as outboxes
from disync.services.lineage.outbox import Outbox, Receiver
from disync.services.lineage.receivers import Lines, Service
from disync.services.tasks import Wanted
from disync.store.database import Store
from waiting import until

JOB = """{"steps":[{"name":"r","stepType":"memory","parameter":{"table":"a"}},
{"name":"w","stepType":"memory","parameter":{"table":"b"}}],"order":{"hops":[{"from":"r","to":"w"}]}}"""
ID, NAME = Field("id", "bigint"), Field("name", "string", "of whom")
THERE = Dataset("postgres://pg:5432", "shop.public.people")
FLOWS = [
    Flow(
        Dataset("mysql://db:3306", "shop.a"),
        THERE,
        (ID, NAME),
        (ID, NAME, Field("src", "string")),
        {"id": "id", "name": "name"},
    ),
    Flow(Dataset("mysql://db:3306", "shop.b"), THERE, (ID,), (ID,), {"id": "id"}),
]


def _no_sources(_db: Connection, _workspace: int, _names: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
    return {}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TICK_SECONDS", 0.02), ("FIRST_PAUSE", 0.02), ("LONGEST_PAUSE", 0.1), ("SETTLED_MS", 0)):
        monkeypatch.setattr(outboxes, name, value)


@pytest.fixture
def receiver() -> Iterator[Catalogue]:
    with catalogue() as found:
        yield found


class Life:
    """A task as its user and its worker treat it."""

    def __init__(self, services: Services, root: Caller) -> None:
        self.services, self.root = services, root
        self.dispatch = StoreDispatch(services.store, _no_sources, traced=True)
        self.id = services.tasks.create(root, 10000, Wanted("DI_REALTIME", JOB, "copy")).file_id
        services.tasks.deploy(root, 10000, self.id)

    def start(self) -> None:
        self.services.instances.start(self.root, 10000, self.id, None)

    def stop(self) -> None:
        self.services.instances.stop(self.root, 10000, self.id)

    def run(self, flows: Sequence[Flow] = ()) -> Task:
        task = self.dispatch.claim("w")
        assert task is not None
        self.dispatch.ledger(task).routed(lambda: flows)
        self.dispatch.renew("w", {Hold(task.id, task.epoch)})
        return task


@pytest.fixture
def life(services: Services, root: Caller) -> Life:
    return Life(services, root)


@contextmanager
def telling(store: Store, receiver: Receiver, folder: Path) -> Iterator[Outbox]:
    outbox = Outbox(store, receiver, "here", folder / "position")
    outbox.start()
    try:
        yield outbox
    finally:
        outbox.stop()


def types(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["eventType"] for event in events]


def test_a_run_lasts_from_its_start_to_its_stop(store: Store, life: Life, receiver: Catalogue, tmp_path: Path) -> None:
    with telling(store, Service(f"{receiver.url}/in", "secret"), tmp_path) as outbox:
        life.start()
        task = life.run(FLOWS)
        life.dispatch.finish(task, Unreachable("the source is away"))
        life.stop()
        until(lambda: len(receiver.events) == 4)
        life.start()
        life.stop()
        until(lambda: outbox.sent == 6 and outbox.waiting == 0)
        assert (outbox.failed, outbox.refused) == (0, 0)
    assert types(receiver.events) == ["START", "RUNNING", "OTHER", "ABORT", "START", "ABORT"]
    assert len({event["run"]["runId"] for event in receiver.events[:4]}) == 1
    assert len({event["run"]["runId"] for event in receiver.events}) == 2
    assert {(event["job"]["namespace"], event["job"]["name"]) for event in receiver.events} == {
        ("here", "default.copy")
    }
    assert receiver.events[2]["run"]["facets"]["errorMessage"]["message"] == "Unreachable: the source is away"
    assert [len(event["inputs"]) for event in receiver.events] == [0, 2, 2, 2, 0, 0]
    path, headers = receiver.asked[0]
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/in", "Bearer secret", "application/json")


def test_tables_come_with_their_columns_and_where_those_come_from(
    store: Store, life: Life, receiver: Catalogue, tmp_path: Path
) -> None:
    with telling(store, Service(receiver.url), tmp_path):
        life.start()
        life.run(FLOWS)
        until(lambda: len(receiver.events) == 2)
    assert receiver.asked[0][0] == "/api/v1/lineage"
    event = receiver.events[1]
    first, second = event["inputs"]
    assert (first["namespace"], first["name"]) == ("mysql://db:3306", "shop.a")
    assert first["facets"]["schema"]["fields"] == [
        {"name": "id", "type": "bigint"},
        {"name": "name", "type": "string", "description": "of whom"},
    ]
    assert second["name"] == "shop.b"
    (output,) = event["outputs"]
    assert (output["namespace"], output["name"]) == ("postgres://pg:5432", "shop.public.people")
    assert [field["name"] for field in output["facets"]["schema"]["fields"]] == ["id", "name", "src"]
    origins = {
        column: [(origin["name"], origin["field"]) for origin in found["inputFields"]]
        for column, found in output["facets"]["columnLineage"]["fields"].items()
    }
    assert origins == {"id": [("shop.a", "id"), ("shop.b", "id")], "name": [("shop.a", "name")]}


def test_a_run_ends_once(store: Store, life: Life, receiver: Catalogue, tmp_path: Path) -> None:
    def completes() -> None:
        task = life.run()
        life.dispatch.ledger(task).save(Checkpoint("s", Position("1"), task.epoch, done=True), [], Tally())
        life.dispatch.finish(task, None)

    def fails() -> None:
        life.dispatch.finish(life.run(), BadConfig("it cannot be"))

    def is_stopped() -> None:
        task = life.run()
        life.stop()
        life.dispatch.finish(task, None)

    def is_taken_offline() -> None:
        life.run()
        life.services.instances.terminate(life.root, 10000, life.id)

    ways: list[Callable[[], None]] = [fails, is_stopped, completes, is_taken_offline]
    with telling(store, Service(receiver.url), tmp_path):
        for count, way in enumerate(ways, 1):
            life.start()
            way()
            until(lambda count=count: len(receiver.events) == 3 * count)
    assert types(receiver.events)[2::3] == ["FAIL", "ABORT", "COMPLETE", "ABORT"]
    assert len({event["run"]["runId"] for event in receiver.events}) == 4
    assert receiver.events[2]["run"]["facets"]["errorMessage"]["message"] == "BadConfig: it cannot be"


def test_what_is_not_taken_is_offered_again_in_order(
    store: Store, life: Life, receiver: Catalogue, tmp_path: Path
) -> None:
    receiver.status = 503
    with telling(store, Service(receiver.url), tmp_path) as outbox:
        life.start()
        life.stop()
        until(lambda: outbox.failed >= 3)
        assert receiver.events == [] and outbox.waiting == 2
        receiver.status = 201
        until(lambda: outbox.sent == 2)
    assert types(receiver.events) == ["START", "ABORT"]


def test_what_will_never_be_taken_is_left_out(store: Store, life: Life, receiver: Catalogue, tmp_path: Path) -> None:
    receiver.status = 422
    with telling(store, Service(receiver.url), tmp_path) as outbox:
        life.start()
        until(lambda: outbox.refused == 1)
        receiver.status = 201
        life.stop()
        until(lambda: outbox.sent == 1)
    assert types(receiver.events) == ["ABORT"]


def test_of_too_many_the_oldest_are_dropped(
    store: Store, life: Life, receiver: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outboxes, "MOST", 3)
    receiver.status = 500
    with telling(store, Service(receiver.url), tmp_path) as outbox:
        for _ in range(4):
            life.start()
            life.stop()
        until(lambda: outbox.failed >= 2)
        until(lambda: outbox.dropped == 5)
        receiver.status = 201
        until(lambda: outbox.sent == 3)
    assert types(receiver.events) == ["ABORT", "START", "ABORT"]


def test_a_restart_goes_on_where_it_was(store: Store, life: Life, receiver: Catalogue, tmp_path: Path) -> None:
    life.start()
    with telling(store, Service(receiver.url), tmp_path) as outbox:
        assert outbox.waiting == 0, "what happened before anybody asked is not told"
        life.stop()
        until(lambda: outbox.sent == 1)
    life.start()
    with telling(store, Service(receiver.url), tmp_path) as outbox:
        until(lambda: outbox.sent == 1)
    assert types(receiver.events) == ["ABORT", "START"]


def test_a_file_gets_a_line_for_each(store: Store, life: Life, tmp_path: Path) -> None:
    lines = tmp_path / "lineage.ndjson"
    with telling(store, Lines(lines), tmp_path) as outbox:
        life.start()
        until(lambda: outbox.sent == 1)
        lines.rename(tmp_path / "older.ndjson")
        life.stop()
        until(lambda: outbox.sent == 2)
    written = [json.loads((tmp_path / name).read_text()) for name in ("older.ndjson", "lineage.ndjson")]
    assert types(written) == ["START", "ABORT"]


def test_nothing_is_sent_where_nothing_may_be(store: Store, life: Life, tmp_path: Path) -> None:
    with telling(store, Service("http://169.254.169.254/latest"), tmp_path) as outbox:
        life.start()
        until(lambda: outbox.failed >= 2)
        assert outbox.sent == 0
    for url in ("ftp://host", "http://user@host", "host:80", ""):
        with pytest.raises(BadConfig, match="DISYNC_OPENLINEAGE_URL"):
            Service(url)


def test_a_run_does_not_depend_on_being_traced(life: Life, capsys: pytest.CaptureFixture[str]) -> None:
    life.start()
    task = life.run(FLOWS)
    newer = life.dispatch
    newer.finish(task, Unreachable("gone"))
    ledger = newer.ledger(task)
    ledger.routed(lambda: FLOWS)

    def broken() -> Sequence[Flow]:
        raise RuntimeError("no names")

    ledger.routed(broken)
    told = capsys.readouterr().err
    assert "A newer run of this task has taken over." in told and "RuntimeError: no names" in told
    with pytest.raises(Fenced):
        ledger.save(Checkpoint("s", Position("1"), task.epoch), [], Tally())
