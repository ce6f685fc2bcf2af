"""Connectors of the service (its own sinks) are not part of this server, and every call says so."""

from __future__ import annotations

from disync.datahub.errors import Fault
from disync.datahub.registry import TOPIC, Answer, Call, call


@call("GET", f"{TOPIC}/connectors")
@call("POST", f"{TOPIC}/connectors", "*")
@call("GET", f"{TOPIC}/connectors/{{connector}}")
@call("POST", f"{TOPIC}/connectors/{{connector}}", "*")
@call("PUT", f"{TOPIC}/connectors/{{connector}}", "*")
@call("DELETE", f"{TOPIC}/connectors/{{connector}}")
def not_served(call: Call) -> Answer:
    raise Fault("InvalidOperation", "connectors are not served by the local DataHub; use a synchronization task")
