"""Who is told: a service that speaks OpenLineage's HTTP, and a file with one event a line."""

from __future__ import annotations

from pathlib import Path

import urllib3

from disync.connectors.endpoint import endpoint_of, pool_of
from disync.model.errors import BadConfig
from disync.services.lineage.outbox import Unwanted

SECONDS = 5.0
"""For an answer."""

DEFAULT_PATH = "/api/v1/lineage"
_LATER = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Refusals that end when somebody mends the service, the key or the address."""


class Service:
    """Each event is a POST of its own, to an address that is checked as those of data sources are; redirects are not
    followed. `key`: sent as a bearer token."""

    name = "http"

    def __init__(self, url: str, key: str | None = None) -> None:
        try:
            self._endpoint = endpoint_of(url)
        except ValueError as error:
            raise BadConfig(f"DISYNC_OPENLINEAGE_URL: {str(error).replace('`endpoint`', 'it')}.") from error
        self._path = self._endpoint.path or DEFAULT_PATH
        self._pool = pool_of(self._endpoint, SECONDS)
        self._headers = {"Content-Type": "application/json", "User-Agent": "disync"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def take(self, event: bytes) -> None:
        try:
            answer = self._pool.urlopen(
                "POST", self._path, body=event, headers=self._headers, redirect=False, preload_content=False
            )
            answer.close()  # what it says besides is of no use, and might be long
        except urllib3.exceptions.HTTPError as error:
            raise ConnectionError(f"{self._endpoint} does not answer ({type(error).__name__})") from error
        if answer.status < 300:
            return
        if 400 <= answer.status < 500 and answer.status not in _LATER:
            raise Unwanted(f"{self._endpoint} answers HTTP {answer.status}")
        raise ConnectionError(f"{self._endpoint} answers HTTP {answer.status}")

    def close(self) -> None:
        self._pool.close()


class Lines:
    """Appends to a file, which whoever wants to may move away: it is opened for each event."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, event: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(event + b"\n")

    def close(self) -> None:
        return None
