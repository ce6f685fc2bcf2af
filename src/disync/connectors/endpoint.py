"""Where a service is that speaks HTTP, and kept connections to it, each made to an address that was checked, under the
name that the user gave."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from disync.connectors import network
from disync.model.errors import Unreachable

CONNECT_SECONDS = 5.0
AT_ONCE = 64

_ENDPOINT = re.compile(
    r"(?P<scheme>[Hh][Tt][Tt][Pp][Ss]?)://(?P<host>[A-Za-z0-9_][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/*"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service is. `path` stands before every call's own, without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def endpoint_of(text: str) -> Endpoint:
    """Take an endpoint apart; the only place that does. ValueError, which does not quote it, for anything but
    http(s)://HOST[:PORT][/PATH]: where two parsers might differ about the host, there is nothing to be read."""
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError("`endpoint` must have the form http://HOST:PORT or https://HOST:PORT, and no user in it")
    scheme = match["scheme"].lower()
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if not 0 < port < 65536:
        raise ValueError("`endpoint` has a port that is not between 1 and 65535")
    return Endpoint(scheme, match["host"].strip("[]"), port, match["path"])


def pool_of(endpoint: Endpoint, read_seconds: float) -> HTTPConnectionPool:
    kind = _TLSPool if endpoint.scheme == "https" else _PlainPool
    timeout = urllib3.Timeout(connect=min(CONNECT_SECONDS, read_seconds), read=read_seconds)
    return kind(endpoint.host, endpoint.port, timeout=timeout, maxsize=AT_ONCE, retries=False)


def _new_conn(self: HTTPConnection) -> socket.socket:
    """In place of the driver's own, which would ask for the address again."""
    seconds = self.timeout if isinstance(self.timeout, int | float) else CONNECT_SECONDS
    try:
        made = network.connect(self.host, self.port, seconds)
    except TimeoutError as error:
        raise exceptions.ConnectTimeoutError(self, "no connection in time") from error
    except (OSError, Unreachable) as error:
        raise exceptions.NewConnectionError(self, str(error)) from error
    for option in self.socket_options or ():
        made.setsockopt(*option)
    return made


class _Plain(HTTPConnection):
    _new_conn = _new_conn


class _TLS(HTTPSConnection):
    _new_conn = _new_conn


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLS
