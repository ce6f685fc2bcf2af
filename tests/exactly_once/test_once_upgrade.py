"""A task goes on from the rows that an earlier release has left in the store (C33)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from eye import SourceEye, TargetEye
from host import Host, Part
from house import House
from journal import Journal
from sqlalchemy import text

from disync.services import open_services
from disync.services.dispatch import StoreDispatch
from disync.store.database import Store, open_store
from disync.store.migrations import HEAD, migrate
from disync.store.vault import open_vault
from waiting import until

LATER = {
    "0002": ["instance.recalled", "instance.replays", "dirty.state", "dirty.request", "dirty.whole"],
    "0003": ["load_split.stream", "load_split.gone", "failed_table"],
    "0004": [
        *("file_solution", "file.solution_id", "file.table_name", "instance.confirmed_ms", "load_split.rows_written"),
        *("solution", "config_process"),
    ],
    "0005": ["session", "audit"],
    "0006": ["load_split.target_name", "sample", "event"],
    "0007": ["verification"],
    "0008": ["checkpoint.chosen"],
    "0009": ["lineage"],
    "0010": [f"resource_group.{column}" for column in ("nodes", "cpus", "memory_bytes", "seen_ms")],
    "0011": ["instance_worker", "instance_free"],
    "0012": ["file.cu", "deployment.cu"],
    "0013": ["omitted_column"],
    "0014": ["lending", "seat", "lent"],
    "0015": ["resource_group.tags"],
    "0016": ["lending.mark"],
}
INDEXES = {"file_solution", "instance_worker", "instance_free"}
"""What each revision has brought: tables, indexes, and columns after a dot."""


def as_of(store: Store, revision: str) -> None:
    """Make the store what it was under an earlier revision; the rows stay."""
    with store.write() as db:
        for brought in sorted(LATER, reverse=True):
            for thing in LATER[brought] if brought > revision else []:
                table, _, column = thing.partition(".")
                what = "INDEX" if thing in INDEXES else "TABLE"
                db.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}" if column else f"DROP {what} {thing}"))
        db.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))


def opened(shared: House, home: Path) -> tuple[House, Store]:
    store = open_store(home)
    migrate(store)
    services = open_services(store, open_vault(home / "key"))
    dispatch = StoreDispatch(store, services.data_sources.contents)
    return replace(shared, home=home, services=services, dispatch=dispatch), store


def test_the_last_revision_is_among_them() -> None:
    assert max(LATER) == HEAD


@pytest.mark.parametrize("revision", ["0001", *sorted(LATER)[:-1]])
def test_c33_a_task_goes_on_behind_an_upgrade(shared: House, tmp_path: Path, revision: str) -> None:
    name, source, target = f"upgrade_{revision}", SourceEye(shared.source), TargetEye(shared.target)
    for statement in (
        f"CREATE DATABASE {name}",
        f"CREATE TABLE {name}.t (id INT PRIMARY KEY, v VARCHAR(20))",
        f"INSERT INTO {name}.t VALUES (1, 'one'), (2, 'two'), (3, 'three')",
    ):
        source.run(statement)

    def there() -> list[tuple[object, ...]]:
        return target.run(f"SELECT id, v FROM {name}.t ORDER BY id")

    house, store = opened(shared, tmp_path)
    house.services.bootstrap("id", "secret")
    task_id = house.start_task(name, 50, 100)
    first = Host(house, task_id, Part(), Journal(), lambda task: None)
    first.begin()
    until(lambda: target.run(f"SELECT to_regclass('{name}.t')") != [(None,)] and len(there()) == 3)
    source.run(f"UPDATE {name}.t SET v = 'followed' WHERE id = 3")
    until(lambda: (3, "followed") in there())
    first.end()
    # Whoever began anew, or from another place, would bring back what was taken away here by hand.
    target.run(f"DELETE FROM {name}.t WHERE id IN (1, 3)")
    as_of(store, revision)
    store.close()
    source.run(f"INSERT INTO {name}.t VALUES (4, 'meanwhile')")
    house, store = opened(shared, tmp_path)
    then = Host(house, task_id, Part(), Journal(), lambda task: None)
    then.begin()
    try:
        until(lambda: (4, "meanwhile") in there())
        source.run(f"UPDATE {name}.t SET id = 20 WHERE id = 2")
        until(lambda: there() == [(4, "meanwhile"), (20, "two")])
        assert then.failure is None
    finally:
        then.abandon()
        house.end_task(task_id)
        store.close()
        source.run(f"DROP DATABASE {name}")
        target.run(f"DROP SCHEMA {name} CASCADE")
        source.close()
        target.close()
