"""Which addresses a connector may connect to. Nothing here leaves the machine."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from disync.connectors import network
from disync.model.errors import BadConfig, Unreachable


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::",
        "fe80::1",
        "ff02::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::169.254.169.254",
        "::ffff:169.254.169.254",
        "::ffff:0:a9fe:a9fe",
        "::ffff:0.0.0.0",
        "::e000:1",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:101:101:0:0:5601:5601",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2001:db8::5efe:a9fe:a9fe",
        "2001:db8::200:5efe:a9fe:a9fe",
    ],
)
def test_addresses_where_no_data_source_lives_are_denied(address: str) -> None:
    assert network.denied(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "8.8.8.8",
        "::1",
        "fd00::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "64:ff9b::808:808",
    ],
)
def test_private_and_loopback_addresses_are_what_a_self_hosted_service_is_for(address: str) -> None:
    assert not network.denied(ip_address(address))


def test_a_host_is_resolved_once_and_every_address_of_it_counts() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return {"good": ["::1", "127.0.0.1", "::1"], "mixed": ["127.0.0.1", "169.254.169.254"]}.get(host, [])

    assert network.addresses_of("good", 80, resolve) == ("::1", "127.0.0.1")
    assert asked == [("good", 80)]
    with pytest.raises(BadConfig, match=f"^{network.DENIED}"):
        network.addresses_of("mixed", 80, resolve)
    with pytest.raises(BadConfig, match=network.DENIED):
        network.addresses_of("scoped", 80, lambda *_: ["fe80::1%eth0"])
    with pytest.raises(Unreachable, match="no address"):
        network.addresses_of("none", 80, resolve)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "::ffff:169.254.169.254", "::ffff:0:a9fe:a9fe", "2852039166", "0xa9.0xfe.0xa9.0xfe"]
)
def test_numbers_mean_what_the_system_makes_of_them(host: str) -> None:
    with pytest.raises(BadConfig, match=network.DENIED):
        network.addresses_of(host, 80)


def test_a_name_that_is_not_known_is_not_reached() -> None:
    for host in ("no-such-host.invalid", "a" * 300, "xn--\udcff"):
        with pytest.raises(Unreachable, match="not known"):
            network.addresses_of(host, 80)


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answers = [["127.0.0.1"], ["169.254.169.254"]]
        with network.connect("rebound", port, 2, lambda *_: answers.pop(0)) as made:
            assert made.getpeername() == ("127.0.0.1", port)
        assert len(answers) == 1  # nobody asked a second time
        with network.connect("two", port, 2, lambda *_: ["127.0.0.2", "127.0.0.1"]) as made:
            assert made.getpeername() == ("127.0.0.1", port)  # the first one takes nothing
        with pytest.raises(BadConfig, match=network.DENIED):
            network.connect("0.0.0.0", port, 2)
    with pytest.raises(OSError):
        network.connect("127.0.0.1", port, 2)
