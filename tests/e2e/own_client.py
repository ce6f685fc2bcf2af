"""Calls of a server by DISync's own client, where a test has nothing to say about the vendor's."""

from __future__ import annotations

from typing import Any

from test_clients import Client
from test_crash import SPEC

import servers
from disync.gateway import client


class OwnClient(Client):
    """As one of the vendor's clients, without a process of its own; it knows our own operations, too."""

    def __init__(self, server: servers.Service) -> None:
        self._server = server
        self._api = client.Client(f"http://{server.address}", *server.key)

    def call(self, action: str, **params: Any) -> Any:
        answer = self._api.call(SPEC.operations[action], {name: str(value) for name, value in params.items()})
        assert answer["Success"] is True, answer
        return answer

    def close(self) -> None:
        """Nothing is open."""
