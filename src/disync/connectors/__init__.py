"""The connectors there are: stepType → module, each imported on first use."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from disync.model.connector import Connector

KNOWN = {
    "datahub": "disync.connectors.datahub",
    "holo": "disync.connectors.holo",
    "memory": "disync.connectors.memory",
    "mysql": "disync.connectors.mysql",
    "postgresql": "disync.connectors.postgres",
}


@cache
def find(step_type: str) -> Connector | None:
    """The connector of a stepType, in any case (`LogHub` and `loghub` are both published); None if there is none."""
    module = KNOWN.get(step_type.lower())
    if module is None:
        return None
    connector: Connector = import_module(module).CONNECTOR
    return connector
