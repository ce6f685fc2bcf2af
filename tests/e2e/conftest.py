"""What most of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mariadb


@pytest.fixture(scope="module")
def source() -> Iterator[mariadb.MariaDB]:
    """An empty server, for all tests of a module."""
    with mariadb.mariadb() as server:
        yield server
