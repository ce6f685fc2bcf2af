"""Which addresses the service may connect to when a user names them in a data source.

It is self-hosted, so private and loopback addresses are what it is for. What is refused is what no database lives at:
link-local addresses (clouds keep their metadata services, and with them credentials, there), multicast, unspecified.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import msgspec

from disync.model.errors import Refused, Unreachable

DENIED = "Task have SSRF attacks"
_NAT64 = ip_network("64:ff9b::/96")
_IPV4 = ("0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "224.0.0.0/4", "240.0.0.0/4")
_IPV6 = ("::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128")
_NETWORKS = [ip_network(text) for text in (*_IPV4, *_IPV6)]
_HOST_LIST = re.compile(r"(?i)^(bootstrap_?servers?|address|addresses|host|hosts|hostname|server|endpoint)$")


def check(content: Mapping[str, Any]) -> None:
    """Resolve every host that the content names. Raises Refused if one of its addresses is denied."""
    for host in hosts(content):
        for address in _addresses(host):
            if denied(address):
                raise Refused(DENIED, "Invalid.Address")


def denied(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        within = address.ipv4_mapped or address.sixtofour
        if within is None and address in _NAT64:
            within = IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return denied(within)
    return any(address in network for network in _NETWORKS)


def hosts(content: Mapping[str, Any]) -> set[str]:
    """The hosts in URLs wherever they are, and in the members that list hosts."""
    return {host for name, value in content.items() for host in _hosts(name, value) if host}


def _hosts(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member, item in value.items():
            yield from _hosts(member, item)
    elif isinstance(value, list):
        for item in value:
            yield from _hosts(name, item)
    elif isinstance(value, str):
        if "://" in value:
            yield from _url_hosts(value)
        elif _HOST_LIST.match(name):
            yield from _listed(name, value)


def _listed(name: str, value: str) -> Iterator[str]:
    """`a:1,b:2`, or the same as the text of a JSON list, which the vendor's mongodb and redis forms use."""
    if value.startswith("["):
        try:
            yield from _hosts(name, msgspec.json.decode(value))
            return
        except msgspec.DecodeError:
            pass
    for part in value.split(","):
        yield _host(f"//{part.strip()}")


def _url_hosts(value: str) -> Iterator[str]:
    # `jdbc:mysql://a:1,b:2/db` has a scheme in a scheme, and may have several hosts.
    rest = value.partition("://")[2]
    authority = re.split(r"[/?#;]", rest, maxsplit=1)[0]
    for part in authority.split(","):
        yield _host(f"//{part}")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError as error:
        raise Refused(f"Content: this is no host: {url[2:]}", "Invalid.Address") from error


def _addresses(host: str) -> set[IPv4Address | IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The host {host} is not known.") from error
    return {ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
