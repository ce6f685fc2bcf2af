"""A local DataHub for all tests of this room, and an empty project for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from datahub import DataHub
from disync.datahub.local import LocalDataHub

KEYS = {"id": "secret"}
_NUMBER = itertools.count(1)


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDataHub]:
    with LocalDataHub(tmp_path_factory.mktemp("datahub"), KEYS) as server:
        yield server


@pytest.fixture
def client(hub: LocalDataHub) -> DataHub:
    """The vendor's client as it comes: JSON."""
    return DataHub("id", "secret", hub.endpoint)


@pytest.fixture
def project(client: DataHub) -> Iterator[str]:
    name = f"project_{next(_NUMBER)}"
    client.create_project(name, "made by a test")
    yield name
    for topic in client.list_topic(name).topic_names:
        client.delete_topic(name, topic)
    client.delete_project(name)
