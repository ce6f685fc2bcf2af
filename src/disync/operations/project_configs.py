"""Workspace defaults for changes of a source's schema."""

from __future__ import annotations

import msgspec

from disync.operations.parameters import Parameters, Payload
from disync.services import Caller, Services
from disync.services.project_configs import Pair


def list_di_project_config(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """The policies in force for the pair: what was set, over the built-in ones."""
    policies = services.project_configs.get(caller, parameters["ProjectId"], _pair(parameters))
    return {"Data": {"Config": msgspec.json.encode(policies).decode()}}


def update_di_project_config(services: Services, caller: Caller, parameters: Parameters) -> Payload:
    """Set policies; the kinds that are left out go back to what is under them."""
    services.project_configs.update(caller, parameters["ProjectId"], _pair(parameters), parameters["ProjectConfig"])
    return {"Data": {"Status": "success"}}


def _pair(parameters: Parameters) -> Pair:
    return Pair(parameters["DestinationType"].lower(), (parameters.get("SourceType") or "").lower())
