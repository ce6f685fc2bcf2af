"""A comparison through the service: when there is nothing to compare, and what a repair leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_dispatch import _no_sources, deployed, mark, run, started

from disync.connectors import memory
from disync.model.data import Column, Dirty, Position, Table
from disync.model.errors import Refused
from disync.model.run import Split, Tally
from disync.model.types import Kind
from disync.services import Caller, Services, open_services
from disync.services.dispatch import StoreDispatch
from disync.services.verification import Asked, Verification
from disync.store import dirty
from disync.store.database import open_store
from disync.store.migrations import migrate
from disync.store.vault import open_vault

ROOT = Caller("root", "root", root=True)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    store = open_store(tmp_path)
    migrate(store)
    opened = open_services(store, open_vault(tmp_path))
    opened.bootstrap("id", "secret")
    yield opened
    store.close()


def test_there_is_nothing_to_compare_before_the_load_is_done(services: Services) -> None:
    file_id = deployed(services)
    verification = Verification(services.store, services.data_sources)
    with pytest.raises(Refused, match="has not been started"):
        verification.verify(file_id, Asked())
    services.instances.start(ROOT, 10000, file_id, None)
    dispatch = StoreDispatch(services.store, _no_sources)
    memory.place().create(Table("a", (Column("id", Kind.BIGINT),), ("id",)))
    dispatch.ledger(run(dispatch)).begin([], [Split("a/1", Table("a"))])
    with pytest.raises(Refused, match="a: the full load is not done yet"):
        verification.verify(file_id, Asked())


def test_rows_that_are_repaired_do_not_count_as_refused(services: Services) -> None:
    """They must not stop a task that allows but a few refused rows."""
    file_id = started(services, '{"errorLimit":{"record":"3"}}')
    dispatch = StoreDispatch(services.store, _no_sources)
    task = run(dispatch)
    with services.store.write() as db:
        rows = [("a", f'{{"id":{n}}}', "verify: missing") for n in range(50)]
        dirty.repair(db, file_id, rows, 1, 2_000_000_000_000)
    ledger = dispatch.ledger(task)
    refused = Dirty("a", '{"id":7}', "too long", Position("7"))
    assert ledger.save(mark("1", task.epoch), [refused], Tally(rows_dirty=1)) == 1
    asked = list(ledger.asked())
    ledger.settle({asked[0].id: "no", **dict.fromkeys((row.id for row in asked[1:]), None)}, Tally())
    with services.store.write() as db:
        dirty.repaired(db, file_id, 1)
        assert [row.state for row in dirty.of_task(db, file_id)] == ["refused", "refused"]
        assert dirty.since_start(db, file_id) == 2
