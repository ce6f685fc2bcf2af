"""Which names are ours, for a server that listens on one address or on all of them."""

from __future__ import annotations

import pytest

from disync.console.names import Names
from disync.model.errors import ApiError


def served(names: Names, host: str) -> bool:
    try:
        names.check_host({b"host": host.encode()})
    except ApiError as error:
        assert (error.status, error.code) == (403, "Forbidden.Host")
        return False
    return True


@pytest.mark.parametrize("listening", ["127.0.0.1", "localhost", "::1", "192.0.2.7", "0.0.0.0", "::"])
def test_the_loopback_is_always_ours(listening: str) -> None:
    names = Names.of(listening)
    assert all(served(names, host) for host in ("localhost", "localhost:8080", "127.0.0.1:8080", "[::1]", "[::1]:1"))
    assert not any(served(names, host) for host in ("", ":80", "example.com", "localhost.example.com", "a@localhost"))


def test_an_address_is_ours_if_we_listen_there() -> None:
    assert served(Names.of("192.0.2.7"), "192.0.2.7:8080")
    assert not served(Names.of("192.0.2.7"), "192.0.2.8:8080")
    for everywhere in ("0.0.0.0", "::"):
        names = Names.of(everywhere)
        assert served(names, "192.0.2.8:8080") and served(names, "[2001:db8::1]:8080")
        assert not served(names, "192.0.2.8.example.com") and not served(names, "999.0.0.1")


def test_names_that_were_listed_are_ours() -> None:
    names = Names.of("127.0.0.1", ("Sync.Example.com.", "other.example.com:8443", "[2001:db8::1]:1"))
    for host in ("sync.example.com", "SYNC.example.com:443", "other.example.com", "[2001:db8::1]:8080"):
        assert served(names, host)
    assert not served(names, "x.sync.example.com")
