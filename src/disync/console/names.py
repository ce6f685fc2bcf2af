"""Under which names the console is served, and from which pages it takes requests.

A name that an attacker owns can be pointed at this machine after a browser has loaded his page under it (DNS
rebinding); the browser then takes that page for one of ours. So only names that are known to be ours are served.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from disync.gateway.request import Headers, header
from disync.model.errors import ApiError

_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_ANYWHERE = frozenset(("", "0.0.0.0", "::"))
_AUTHORITY = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Names:
    """`any_address`: where the server listens on every address, all of them are ours; an address cannot be rebound."""

    names: frozenset[str]
    any_address: bool = False

    @classmethod
    def of(cls, host: str, more: Iterable[str] = ()) -> Names:
        """For a server that listens on `host`; `more` are names that it is reached by besides."""
        names = {_name(text.strip().lower()) for text in (host, *more)}
        return cls(_LOOPBACK | (names - _ANYWHERE), host in _ANYWHERE)

    def check_host(self, headers: Headers) -> None:
        """Raise ApiError unless the request was sent to a name of ours."""
        host = header(headers, b"host").lower()
        authority = _AUTHORITY.fullmatch(host)
        if authority is None or not self._ours(authority[1] or authority[2]):
            what = f"The console is not served under the name {host[:100]}: DISYNC_CONSOLE_HOSTS has its names."
            raise ApiError(403, "Forbidden.Host", what)

    def _ours(self, name: str) -> bool:
        return name.rstrip(".") in self.names or (self.any_address and _is_address(name))


def check_origin(headers: Headers, changes: bool) -> None:
    """Raise ApiError unless a page of ours has sent the request, or nobody's page has and it `changes` nothing.

    Browsers say from where a request comes with every one that is no mere read, and newer ones with all.
    """
    site = header(headers, b"sec-fetch-site").lower()
    if b"origin" in headers:
        host = _AUTHORITY.fullmatch(header(headers, b"host").lower())
        ours = host is not None and _same(header(headers, b"origin").lower(), host)
    else:
        ours = site == "same-origin" or not changes
    if not ours or site not in ("", "same-origin", *(() if changes else ("none",))):
        raise ApiError(403, "Forbidden.Origin", "The request does not come from a page of this console.")


def _same(origin: str, host: re.Match[str]) -> bool:
    """Whether a page of this origin was loaded from this host; a port that is not written is the scheme's."""
    scheme, found, rest = origin.partition("://")
    theirs = _AUTHORITY.fullmatch(rest)
    default = _PORTS.get(scheme)
    if not found or theirs is None or default is None:
        return False
    return (theirs[1], theirs[2], int(theirs[3] or default)) == (host[1], host[2], int(host[3] or default))


def _name(text: str) -> str:
    """Without a port, if there is one."""
    authority = _AUTHORITY.fullmatch(text)
    return (text if authority is None else authority[1] or authority[2]).rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
