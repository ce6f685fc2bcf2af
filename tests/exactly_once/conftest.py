"""The servers that all seeds of this room share, and which seeds there are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house import House, house


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exactly-once")


@pytest.fixture(scope="session")
def shared(home: Path) -> Iterator[House]:
    with house(home) as made:
        yield made
