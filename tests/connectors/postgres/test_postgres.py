"""The writers for PostgreSQL keep the contract."""

from __future__ import annotations

import pytest
from place import Place

from contract.target import Row, WriterSuite
from disync.model.connector import Writer


class PostgresTarget:
    """A table that somebody made, with a rule of its own."""

    transactional = True
    bad_row = (7000, "refused")

    def __init__(self, place: Place, kind: str) -> None:
        self._place = place
        self._kind = kind
        place.run("CREATE TABLE rows (id bigint, name text CHECK (name <> 'refused'))")

    def writer(self) -> Writer:
        return self._place.writer(self._kind)

    def rows(self) -> list[Row]:
        return self._place.rows("rows", "ctid")


@pytest.fixture(params=["postgresql", "holo"])
def target(request: pytest.FixtureRequest, place: Place) -> PostgresTarget:
    return PostgresTarget(place, request.param)


class TestWriter(WriterSuite):
    pass
