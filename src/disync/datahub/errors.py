"""What the server answers when it cannot do what was asked: a code of the service, and a sentence."""

from __future__ import annotations

from disync.connectors.datahub.wire.errors import STATUS
from disync.model.errors import DISyncError


class Fault(DISyncError):
    """A refusal with one of the service's error codes; the code decides the HTTP status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code]


def invalid(name: str, why: str) -> Fault:
    """InvalidParameter that names the parameter."""
    return Fault("InvalidParameter", f"{name}: {why}")
