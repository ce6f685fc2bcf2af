"""Where a PostgreSQL data source may lead."""

from __future__ import annotations

import pytest
from place import PEOPLE, Place

from disync.connectors import find, network
from disync.connectors.postgres.config import Content, address_of
from disync.connectors.postgres.connection import connect
from disync.model.connector import Site
from disync.model.errors import BadConfig


def at(place: Place, host: str) -> dict[str, str]:
    content = place.content
    return {**content, "jdbcUrl": content["jdbcUrl"].replace("127.0.0.1", host)}


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "[::ffff:0.0.0.0]"])
def test_every_connection_goes_by_the_policy(place: Place, host: str) -> None:
    connector = find("postgresql")
    assert connector is not None and connector.probe is not None and connector.catalog is not None
    for call in (connector.probe, connector.catalog):
        with pytest.raises(BadConfig, match=network.DENIED):
            call(at(place, host))
    assert connector.writer is not None
    writer = connector.writer(Site({"datasource": "here"}, {"here": at(place, host)}))
    for use in (writer.check, lambda: writer.prepare([PEOPLE])):
        with pytest.raises(BadConfig, match=network.DENIED):
            use()
    writer.close()


def test_a_name_is_asked_once_and_all_of_its_addresses_are_tried(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [["127.0.0.2", "127.0.0.1"], ["169.254.169.254"]]
    monkeypatch.setattr(network, "_resolve", lambda host, port: answers.pop(0))
    with connect(address_of(at(place, "rebound.example")), seconds=2) as made:
        row = made.execute("SELECT host(inet_server_addr())").fetchone()
        assert row == ("127.0.0.1",)
        assert made.info.host == "rebound.example"
    assert len(answers) == 1


@pytest.mark.parametrize(
    "url",
    [
        "jdbc:postgresql://u:hush-hush@h/db",
        "jdbc:postgresql://h/u:hush-hush@db",
        "jdbc:postgresql://h\\@g/db",
        "jdbc:postgresql://h/d b",
        "jdbc:postgresql://h/db\n",
        "jdbc:postgresql://h/db#hush-hush",
        "jdbc:postgresql://h/db?ssl=true hush-hush",
        "jdbc:postgresql://h/db?password=hush-hush",
    ],
)
def test_a_url_that_two_parsers_might_read_differently_is_none(url: str) -> None:
    with pytest.raises(BadConfig, match="jdbcUrl") as error:
        address_of({"jdbcUrl": url, "username": "u", "password": "p"})
    assert "hush" not in str(error.value)
    with pytest.raises(ValueError, match="jdbcUrl"):
        Content(url, "u", "p")
