"""Stores for tests: each test that asks for `store` runs on SQLite and on PostgreSQL, with an empty one of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from disync.services import Services, open_services
from disync.services.access import Caller
from disync.store.database import Store, open_store
from disync.store.migrations import migrate
from disync.store.schema import metadata, nonces
from disync.store.vault import open_vault

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a migrated store, to copy."""
    home = tmp_path_factory.mktemp("template")
    store = open_store(home)
    migrate(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    store.close()
    return home


@pytest.fixture(scope="session")
def postgres_migrated(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the store's tables, for one test after the other. Each room that imports this asks for it."""
    with psycopg.connect(postgres_url, autocommit=True) as connection, suppress(psycopg.errors.DuplicateDatabase):
        connection.execute("CREATE DATABASE disync_store")
    url = postgres_url.rpartition("/")[0] + "/disync_store"
    store = open_store(tmp_path_factory.mktemp("postgres"), url)
    migrate(store)
    store.close()
    return url


@pytest.fixture
def postgres_store(postgres_migrated: str) -> str:
    """The same, emptied: many times faster than a database of its own for each test."""
    tables = ", ".join(f'"{name}"' for name in (*metadata.tables, *nonces.tables))
    with psycopg.connect(postgres_migrated, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
    return postgres_migrated


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """None for SQLite under `tmp_path`; both are migrated."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        shutil.copytree(template, tmp_path, dirs_exist_ok=True)
        return None
    url: str = request.getfixturevalue("postgres_store")
    return url


@pytest.fixture
def store(store_url: str | None, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, store_url)
    yield opened
    opened.close()


@pytest.fixture
def services(store: Store, tmp_path: Path) -> Services:
    made = open_services(store, open_vault(tmp_path))
    made.bootstrap("rootKeyId", "rootSecret")
    return made


@pytest.fixture
def root(services: Services) -> Caller:
    key = services.keys.find("rootKeyId")
    assert key is not None
    return key.caller
