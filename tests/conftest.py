"""Fixtures that several rooms share. A service that is missing fails the tests; it never skips them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import servers
from disync.home import configure_logging

_NUMBER = itertools.count(1)

# The same examples at every run, and no verdict on how busy the machine is.
settings.register_profile("suite", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# As in a process of an installation. The default shows every local variable of a traceback, which takes seconds.
configure_logging()

# A test may run where no process may write bytecode; its children start much faster when they find some.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The maintenance database of a PostgreSQL made for this session; make your own databases in it."""
    with servers.postgres() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of an empty database, for one test."""
    with servers.database(postgres_url, f"test_{next(_NUMBER)}") as url:
        yield url


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Service]:
    """A `disync serve` with its local DataHub, for the tests of one file."""
    with servers.disync(tmp_path_factory.mktemp("home")) as service:
        yield service
