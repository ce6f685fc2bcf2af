"""A MariaDB for the tests of this room, and a database in it for each of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from source import Database

import mysqld
from disync.native import pgcopy

_NUMBER = itertools.count(1)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[mysqld.Server]:
    with mysqld.server() as server:
        yield server


@pytest.fixture(params=[None, pgcopy.FORMAT], ids=["arrow", "pgcopy"])
def database(mariadb_server: mysqld.Server, request: pytest.FixtureRequest) -> Iterator[Database]:
    """What is compiled and what is not give the same rows: each test reads in both ways."""
    name = f"test_{next(_NUMBER)}"
    mariadb_server.run(f"CREATE DATABASE {name}")
    yield Database(mariadb_server, name, request.param)
    mariadb_server.run(f"DROP DATABASE {name}")


@pytest.fixture
def own_server() -> Iterator[Database]:
    """A database of a server that a test may stop, spoil or set otherwise."""
    with mysqld.server() as server:
        server.run("CREATE DATABASE own")
        yield Database(server, "own")
