"""What most of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mysqld


@pytest.fixture(scope="module")
def source() -> Iterator[mysqld.Server]:
    """An empty server, for all tests of a module."""
    with mysqld.server() as server:
        yield server
