"""What becomes of a change of the source's schema, by its kind: `ddlMarkMap`, as in StartDISyncInstance."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from disync.model.errors import Refused


class Policy(StrEnum):
    """NORMAL: the target follows. IGNORE: it does not. WARNING: it does not, and the log tells. CRITICAL: the task
    stops before the change."""

    NORMAL = "NORMAL"
    IGNORE = "IGNORE"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


Policies = Mapping[str, Policy]

BUILT_IN: Policies = {
    "ADDCOLUMN": Policy.NORMAL,
    "CREATETABLE": Policy.IGNORE,
    "DROPCOLUMN": Policy.IGNORE,
    "DROPTABLE": Policy.WARNING,
    "MODIFYCOLUMN": Policy.WARNING,
    "RENAMECOLUMN": Policy.WARNING,
    "RENAMETABLE": Policy.CRITICAL,
    "TRUNCATETABLE": Policy.NORMAL,
}
"""Where nobody says otherwise: the values of the vendor's own sample of StartParam, which destroy nothing but what a
TRUNCATE says."""


def read(written: Any, place: str) -> dict[str, Policy]:
    """A ddlMarkMap; absent is empty. Raises Refused with the place of what is wrong."""
    if written is None:
        return {}
    if not isinstance(written, dict):
        raise Refused(f"{place} must be an object.")
    for kind, policy in written.items():
        if kind not in BUILT_IN:
            raise Refused(f"{place}.{kind[:100]}: there is no such kind; the kinds are {', '.join(BUILT_IN)}.")
        if policy not in Policy.__members__:
            raise Refused(f"{place}.{kind} must be one of {', '.join(Policy)}.")
    return {kind: Policy(policy) for kind, policy in written.items()}
