"""The target's own limit for changes: what a fast reader would stage, ready in memory, staged, merged and committed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import psycopg

from bench import history
from bench.databases import DATABASE, Databases
from bench.history import EVENTS, History
from bench.orders import TABLE

Session = psycopg.Connection[tuple[Any, ...]]

_BLOCK = 1 << 18
_NAMES = ", ".join(column.name for column in TABLE.columns)
_KEYS = ", ".join(TABLE.keys)
_NEWS = ", ".join(
    f"{column.name} = EXCLUDED.{column.name}" for column in TABLE.columns if column.name not in TABLE.keys
)
_SAME = " AND ".join(f"t.{key} = s.{key}" for key in TABLE.keys)
_OPEN = (
    "CREATE TABLE place (id int PRIMARY KEY, position text NOT NULL)",
    "INSERT INTO place VALUES (1, '')",
    f"CREATE TEMPORARY TABLE gone ON COMMIT DELETE ROWS AS SELECT {_KEYS} FROM {TABLE.name} WITH NO DATA",
    f"CREATE TEMPORARY TABLE live ON COMMIT DELETE ROWS AS SELECT {_NAMES} FROM {TABLE.name} WITH NO DATA",
)
_PLACE = "UPDATE place SET position = %s WHERE id = 1"
_DELETE = f"DELETE FROM {TABLE.name} t USING gone s WHERE {_SAME}"
_UPSERT = f"INSERT INTO {TABLE.name} ({_NAMES}) SELECT {_NAMES} FROM live ON CONFLICT ({_KEYS}) DO UPDATE SET {_NEWS}"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is left of some events, last state by key: files of binary COPY, of keys and of rows."""

    gone: bytes
    live: bytes


def stages(servers: Databases, schema: str, events: int, size: int) -> list[Stage]:
    """The history once more, outside of the log, cut into stages of `size` events.

    Both servers' own: the rows are selected from the source after every `size` events, and the target encodes them.
    """
    servers.source.run(["SET SESSION sql_log_bin = 0", f"TRUNCATE TABLE {TABLE.name}"], DATABASE)
    told = history.tell(servers, History(), events, logged=False)
    found: list[Stage] = []
    with _session(servers, schema) as session:
        while some := list(islice(told, max(1, size // EVENTS))):
            keys = set[int]().union(*some)
            wanted = ", ".join(map(str, sorted(keys)))
            rows = servers.source.run(f"SELECT {_NAMES} FROM {TABLE.name} WHERE id IN ({wanted})", DATABASE)
            gone = keys - {row[0] for row in rows}
            found.append(Stage(_encoded(session, "gone", [(key,) for key in gone]), _encoded(session, "live", rows)))
    return found


def apply(servers: Databases, schema: str, ready: Sequence[Stage]) -> float:
    """Seconds, for a table that is there and empty."""
    with _session(servers, schema) as session:
        began = time.perf_counter()
        for number, stage in enumerate(ready):
            session.execute(_PLACE.encode(), (str(number),))
            _copy(session, "gone", stage.gone)
            session.execute(_DELETE.encode())
            _copy(session, "live", stage.live)
            session.execute(_UPSERT.encode())
            session.commit()
        return time.perf_counter() - began


@contextmanager
def _session(servers: Databases, schema: str) -> Iterator[Session]:
    with psycopg.connect(servers.target) as session:
        session.execute(f"SET search_path = {schema}, pg_temp".encode())
        for statement in _OPEN:
            session.execute(statement.encode())
        session.commit()
        yield session


def _encoded(session: Session, stage: str, rows: Sequence[Sequence[Any]]) -> bytes:
    with session.cursor() as cursor:
        with cursor.copy(f"COPY {stage} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        with cursor.copy(f"COPY {stage} TO STDOUT (FORMAT binary)".encode()) as copy:
            data = b"".join(bytes(block) for block in copy)
    session.commit()  # which empties the stage
    return data


def _copy(session: Session, stage: str, data: bytes) -> None:
    with session.cursor().copy(f"COPY {stage} FROM STDIN (FORMAT binary)".encode()) as copy:
        for at in range(0, len(data), _BLOCK):
            copy.write(data[at : at + _BLOCK])
