"""What a process on a node of a cluster begins with."""

from __future__ import annotations

from pathlib import Path

import pytest

from disync.cluster import hire
from disync.engine.placement import Post, Size
from disync.home import open_home
from disync.model.errors import BadConfig
from disync.services.resource_groups import DEFAULT
from disync.settings import Settings
from disync.store import installation
from disync.store.migrations import revision


@pytest.mark.parametrize(
    ("release", "told"), [("0001", "start `disync serve` of the same release"), ("9999", "later release")]
)
def test_a_node_of_another_release_takes_nothing_and_leaves_the_tables_as_they_are(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch, release: str, told: str
) -> None:
    monkeypatch.setenv("DISYNC_HOME", str(tmp_path))
    monkeypatch.setenv("DISYNC_STORE_URL", postgres_database)
    store, _ = open_home(Settings.read())
    try:
        with store.write() as db:
            post = Post("", installation.ensure(db, ""), DEFAULT, Size())
            db.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{release}'")
        with pytest.raises(BadConfig, match=told):
            hire(post)
        assert revision(store) == release
    finally:
        store.close()
