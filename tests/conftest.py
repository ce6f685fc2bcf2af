"""Fixtures that several rooms share. A service that is missing fails the tests; it never skips them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

import mysqld
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


def on_ray(nodeid: str) -> bool:
    return "/test_ray" in nodeid and "/e2e/" in nodeid


class OneCluster(LoadFileScheduling):
    """File by file, but those on a Ray cluster one after the other: a machine of two cores has no room for two."""

    def _split_scope(self, nodeid: str) -> str:
        return "ray" if on_ray(nodeid) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneCluster:
    return OneCluster(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is said of one kind of server is not asked of the other one."""
    other = "mariadb" if mysqld.MYSQL else "mysql"
    asked = [item for item in items if item.get_closest_marker(other) is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(asked)])
    items[:] = sorted(asked, key=lambda item: not on_ray(item.nodeid))  # what takes longest begins first


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
