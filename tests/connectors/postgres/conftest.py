"""A database for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from place import Place


@pytest.fixture
def place(postgres_database: str) -> Iterator[Place]:
    found = Place(postgres_database)
    yield found
    found.close()
