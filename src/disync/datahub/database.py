"""The metadata file: SQLite, one connection, used from one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS project (
    name TEXT PRIMARY KEY, comment TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS topic (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL REFERENCES project, name TEXT NOT NULL,
    tuple INTEGER NOT NULL, lifecycle INTEGER NOT NULL, comment TEXT NOT NULL, extend INTEGER NOT NULL,
    created INTEGER NOT NULL, modified INTEGER NOT NULL, UNIQUE (project, name));
CREATE TABLE IF NOT EXISTS schema (
    topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE, version INTEGER NOT NULL, text TEXT NOT NULL,
    created INTEGER NOT NULL, deleted INTEGER NOT NULL, PRIMARY KEY (topic, version));
CREATE TABLE IF NOT EXISTS shard (
    topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE, id INTEGER NOT NULL, first TEXT NOT NULL,
    beyond TEXT NOT NULL, parents TEXT NOT NULL, closed_time INTEGER NOT NULL, PRIMARY KEY (topic, id));
CREATE TABLE IF NOT EXISTS subscription (
    id TEXT PRIMARY KEY, topic INTEGER NOT NULL REFERENCES topic ON DELETE CASCADE, comment TEXT NOT NULL,
    online INTEGER NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS subscription_topic ON subscription (topic);
CREATE TABLE IF NOT EXISTS progress (
    subscription TEXT NOT NULL REFERENCES subscription ON DELETE CASCADE, shard TEXT NOT NULL,
    sequence INTEGER NOT NULL, timestamp INTEGER NOT NULL, session INTEGER NOT NULL,
    PRIMARY KEY (subscription, shard));
"""


def open_database(home: Path) -> sqlite3.Connection:
    """The metadata file. WAL with full sync: what was committed survives a crash of the machine."""
    database = sqlite3.connect(home / "datahub.sqlite", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    database.executescript(_TABLES)
    return database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing; on disk when it ends."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
