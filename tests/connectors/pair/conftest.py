"""One MariaDB and one database of PostgreSQL for the tests of this room; each test has a part of its own in both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pair import Pair, made

import mysqld
import servers
from disync.native import pgcopy


@pytest.fixture(scope="session")
def pair_source() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        server.run(["CREATE DATABASE settled", "CREATE TABLE settled.mark (id INT PRIMARY KEY, v CHAR(36))"])
        yield server


@pytest.fixture(scope="session")
def pair_target(postgres_url: str) -> Iterator[str]:
    with servers.database(postgres_url, "pair") as url:
        yield url


@pytest.fixture
def pair(pair_source: mysqld.Server, pair_target: str) -> Iterator[Pair]:
    """Tasks move rows as the engine would choose it: as bytes."""
    yield from made(pair_source, pair_target, pgcopy.FORMAT)


@pytest.fixture(params=[None, pgcopy.FORMAT], ids=["arrow", "pgcopy"])
def both(pair_source: mysqld.Server, pair_target: str, request: pytest.FixtureRequest) -> Iterator[Pair]:
    """The same test for rows that move as bytes and for rows that move as Arrow."""
    yield from made(pair_source, pair_target, request.param)


@pytest.fixture
def full(pair_source: mysqld.Server) -> Iterator[None]:
    """The log describes the columns of its rows."""
    pair_source.run("SET GLOBAL binlog_row_metadata = 'FULL'")
    yield
    pair_source.run("SET GLOBAL binlog_row_metadata = 'NO_LOG'")
