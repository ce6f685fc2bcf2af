"""The store's database: SQLite in a file, or PostgreSQL by URL, behind the same two doors.

`Store.read()` gives a connection that sees one moment; `Store.write()` one transaction, committed at the end and rolled
back on an error. On SQLite a writer takes the write lock at its beginning (BEGIN IMMEDIATE), so that it waits its turn
instead of failing half way. `Store.quick` is for the few statements that every request needs, `Store.nonces` for
what each of them leaves behind.
"""

from __future__ import annotations

import errno
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import QueuePool

from disync.model.errors import BadConfig
from disync.store import trouble
from disync.store.nonce_file import NonceFile
from disync.store.nonces import NonceRows, Nonces
from disync.store.quick import PostgresQuick, Quick, SqliteQuick, bound

BUSY_MS = 5000
TRIED_MS = 2000
"""How long somebody else may be writing until the store counts as locked."""
ROOM = 1 << 20
"""Bytes that have to be free on the store's disk: a few commits."""
_ALIVE = {"connect_timeout": "5", "tcp_user_timeout": "8000"}
_ALIVE |= {"keepalives_idle": "3", "keepalives_interval": "2", "keepalives_count": "3"}
"""A store behind a cut network is an error before a lease of 10 s runs out. What its URL says itself counts."""
_OPEN_ATTEMPTS = 50


class Store:
    """Owns the engine and each thread's quick connection. One for a process; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sqlite = engine.dialect.name == "sqlite"
        self.nonces: Nonces = NonceFile(_nonces_path(engine)) if self.sqlite else NonceRows(lambda: self.quick)
        self._local = threading.local()
        self._all_quick: list[Quick] = []
        self._lock = threading.Lock()
        # SQLite's own way to wait for another writer is to sleep for up to 100 ms, again and again.
        self._turn: AbstractContextManager[Any] = threading.Lock() if self.sqlite else nullcontext()
        self._readers = engine if self.sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        self._writers = engine.execution_options(disync_writer=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self._turn, self._writers.begin() as connection:
            yield connection

    @property
    def quick(self) -> Quick:
        """This thread's own connection for single statements, each a transaction of its own."""
        found: Quick | None = getattr(self._local, "quick", None)
        if found is None:
            found = self._local.quick = self._open_quick()
            with self._lock:
                self._all_quick.append(found)
        return found

    def _open_quick(self) -> Quick:
        url = self.engine.url
        if self.sqlite:
            return SqliteQuick(Path(str(url.database)), BUSY_MS)
        return PostgresQuick(url.set(drivername="postgresql").render_as_string(hide_password=False))

    def alone(self, connection: Connection, name: str) -> None:
        """Until the end of this transaction, no other writer is in a section of this name."""
        if not self.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"disync {name}"})

    def reachable(self) -> bool:
        """Whether the database answers (readiness)."""
        try:
            return self.quick.one("SELECT 1") is not None
        except Exception:
            return False

    def unwritable(self) -> str | None:
        """Why nothing can be written just now (readiness); None where it can. It writes nothing that stays."""
        try:
            if self.sqlite:
                self._try_sqlite(Path(str(self.engine.url.database)))
            elif self.quick.one("SELECT current_setting('transaction_read_only')") == ("on",):
                return trouble.READ_ONLY
        except Exception as error:
            return trouble.reason(error) or trouble.BROKEN
        return None

    def _try_sqlite(self, path: Path) -> None:
        """What is rolled back takes no room on the disk, which is looked at by itself."""
        if shutil.disk_usage(path.parent).free < ROOM:
            raise OSError(errno.ENOSPC, "no room")
        with closing(sqlite3.connect(path, timeout=TRIED_MS / 1000, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE tried (of BLOB)")
            connection.execute("ROLLBACK")

    def ahead_ms(self) -> int:
        """How far this machine's clock is ahead of that of the database's machine, which may be the same."""
        if self.sqlite:
            return 0
        before = time.time_ns()
        with self.engine.connect() as connection:
            there = connection.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")).scalar_one()
        return round((before + time.time_ns()) / 2_000_000 - float(there))

    def close(self) -> None:
        """Let go of every connection, also those of threads that have ended."""
        with self._lock:
            for quick in self._all_quick:
                quick.close()
            self._all_quick.clear()
        self._local = threading.local()
        self.nonces.close()
        self.engine.dispose()


def open_store(home: Path, url: str | None = None) -> Store:
    """The store of `home`, or the one that `url` (postgresql://…) names. Makes no tables: see migrations.migrate."""
    return Store(_postgres(url) if url else _sqlite(home))


def _sqlite(home: Path) -> Engine:
    home.mkdir(parents=True, exist_ok=True)
    path = home / "disync.db"
    # Connections go from thread to thread through the pool, one user at a time. What a statement was given stays out
    # of error texts, and so out of logs.
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        hide_parameters=True,
        max_overflow=32,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    _use_wal(path)
    return engine


def _nonces_path(engine: Engine) -> Path:
    return Path(str(engine.url.database)).with_name("nonces")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # None: the driver begins no transaction of its own; _begin_sqlite does.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("disync_writer", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")


def _use_wal(path: Path) -> None:
    """Set WAL mode, which stays with the file. SQLite does not wait for a second process that does the same."""
    for attempt in range(_OPEN_ATTEMPTS):
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            path.chmod(0o600)
            return
        except sqlite3.OperationalError:
            if attempt == _OPEN_ATTEMPTS - 1:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def _postgres(url: str) -> Engine:
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise BadConfig(f"DISYNC_STORE_URL must begin with postgresql://, not with {scheme}://.")
    named = make_url(f"postgresql+psycopg://{rest}")
    address = named.set(query={**_ALIVE, **named.query})
    engine = create_engine(address, pool_pre_ping=True, max_overflow=16, hide_parameters=True)
    event.listen(engine, "connect", _prepare_postgres)
    return engine


def _prepare_postgres(connection: Any, _record: Any) -> None:
    connection.autocommit = True
    bound(connection)
    connection.autocommit = False
