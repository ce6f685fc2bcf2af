"""Which addresses a data source may name."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from disync.model.errors import Refused, Unreachable
from disync.services import network


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "2002:a9fe:a9fe::1",
        "64:ff9b::a9fe:a9fe",
    ],
)
def test_addresses_where_no_database_lives_are_denied(address: str) -> None:
    assert network.denied(ip_address(address))


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "::1", "fd00::1", "2001:db8::1"]
)
def test_private_and_loopback_addresses_are_what_a_self_hosted_service_is_for(address: str) -> None:
    assert not network.denied(ip_address(address))


@pytest.mark.parametrize(
    ("content", "hosts"),
    [
        ({"endpoint": "http://a.b:80/x"}, {"a.b"}),
        ({"endpoint": "a.b:80"}, {"a.b"}),
        ({"jdbcUrl": "jdbc:mysql://u:p@a:1,b:2/db?x=http://c"}, {"a", "b"}),
        ({"jdbcUrl": "jdbc:postgresql://[::1]:5432/db"}, {"::1"}),
        ({"bootstrapServers": "a:9092, b:9092"}, {"a", "b"}),
        ({"address": '["a:27017","b:27017"]'}, {"a", "b"}),
        ({"address": '[{"host":"a","port":6379}]'}, {"a"}),
        ({"address": "[not json"}, set()),
        ({"address": ["a:1", {"host": "b"}]}, {"a", "b"}),
        ({"nested": {"endpoint": "http://a"}}, {"a"}),
        ({"database": "a", "password": "b", "port": 1}, set()),
    ],
)
def test_hosts_are_found_in_every_form_of_content(content: dict[str, object], hosts: set[str]) -> None:
    if content.get("address") == "[not json":
        with pytest.raises(Refused, match="no host"):
            network.hosts(content)
    else:
        assert network.hosts(content) == hosts


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "0xa9.0xfe.0xa9.0xfe"])
def test_what_a_name_resolves_to_decides(host: str) -> None:
    with pytest.raises(Refused, match=network.DENIED):
        network.check({"endpoint": f"http://{host}:80/"})


def test_a_name_that_is_not_known_is_not_reached() -> None:
    for host in ("no-such-host.invalid", "a" * 300, "xn--\udcff"):
        with pytest.raises(Unreachable):
            network.check({"endpoint": f"http://{host}/"})
    network.check({"endpoint": "http://localhost:1"})
