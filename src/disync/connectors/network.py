"""Which addresses a connector may connect to when a user names a host: asked at every connection, never ahead of it.

DISync is self-hosted, so private and loopback addresses are what it is for. What is refused is what no data source
lives at: link-local addresses (clouds keep their metadata services, and with them credentials, there), multicast,
unspecified. A name is resolved once, and the connection goes to the very address that was checked: a name that answers
differently the second time gains nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from disync.model.errors import BadConfig, Unreachable

DENIED = "Task have SSRF attacks"
"""The vendor's own words for it."""

Resolver = Callable[[str, int], Iterable[str]]

_MOST = 8
_IPV4 = (
    "0.0.0.0/8",
    "169.254.0.0/16",
    "100.100.100.200/32",  # Alibaba Cloud's metadata
    "168.63.129.16/32",  # Azure's
    "192.0.0.192/32",  # Oracle's
    "224.0.0.0/4",
    "240.0.0.0/4",
)
_IPV6 = (
    "::/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "fd00:ec2::/32",  # AWS's services beside an instance
    "fd20:ce::254/128",  # Google's metadata
    "64:ff9b:1::/48",  # translation by local rule: which IPv4 address it leads to cannot be known
)
_NETWORKS = [ip_network(text) for text in (*_IPV4, *_IPV6)]
_TAILS = [ip_network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")]
"""Forms that carry an IPv4 address in their last 32 bits: compatible, mapped, translated, NAT64."""
_LOOPBACK = IPv6Address("::1")
_ISATAP = (0x00005EFE, 0x02005EFE)


def addresses_of(host: str, port: int, resolve: Resolver | None = None) -> tuple[str, ...]:
    """What the host leads to now, to be tried in this order; nothing else may be connected to for it.

    Raises BadConfig if any of its addresses is denied, Unreachable if it has none.
    """
    try:
        found = tuple(dict.fromkeys(text.partition("%")[0] for text in (resolve or _resolve)(host, port)))
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The host {host} is not known.") from error
    if any(denied(ip_address(text)) for text in found):
        raise BadConfig(f"{DENIED}: {host} leads where no data source can be. Correct the data source.")
    if not found:
        raise Unreachable(f"The host {host} has no address.")
    return found[:_MOST]


def connect(host: str, port: int, seconds: float | None, resolve: Resolver | None = None) -> socket.socket:
    """A TCP connection to the first address of the host that takes one.

    `seconds` is the limit for each address, and stays the socket's timeout. Raises OSError as sockets do.
    """
    last: OSError | None = None
    for address in addresses_of(host, port, resolve):
        try:
            return socket.create_connection((address, port), seconds)
        except OSError as error:
            last = error
    assert last is not None, "there is one address at least"
    raise last


def authority(host: str, port: int) -> str:
    """As it stands in a URI."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def denied(address: IPv4Address | IPv6Address) -> bool:
    """Whether this is an address, or a form of one, at which no data source can be."""
    if any(address in network for network in _NETWORKS):
        return True
    return isinstance(address, IPv6Address) and any(denied(within) for within in _within(address))


def _within(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that an IPv6 address carries, and that a router may send it on to."""
    if address == _LOOPBACK:
        return
    value = int(address)
    if any(address in network for network in _TAILS) or value >> 32 & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(value & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _resolve(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
