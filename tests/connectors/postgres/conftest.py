"""A database for every test: one for all of them, emptied in between, which is much faster than many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from place import Place

import servers

EMPTY = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP EXECUTE format('DROP SCHEMA %I CASCADE', name); END LOOP;
    CREATE SCHEMA public;
END $$
"""


@pytest.fixture(scope="session")
def place_url(postgres_url: str) -> Iterator[str]:
    with servers.database(postgres_url, "place") as url:
        yield url


@pytest.fixture
def place(place_url: str) -> Iterator[Place]:
    found = Place(place_url)
    yield found
    for writer in found.writers:
        writer.close()
    found.run(EMPTY)
    found.plain.close()
