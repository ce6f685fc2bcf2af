"""Kept connections to one endpoint, each made to an address that was checked, under the name that the user gave."""

from __future__ import annotations

import socket

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from disync.connectors import network
from disync.connectors.datahub.config import Endpoint
from disync.model.errors import Unreachable

CONNECT_SECONDS = 5.0
AT_ONCE = 64


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
