"""What a task waits for that should run: workers take those of the resource groups that they serve."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from disync.services.clock import now_ms
from disync.services.resource_groups import DEFAULT
from disync.store import deployments, instances
from disync.store import resource_groups as groups

PATIENCE_MS = 5000
"""A worker that serves the group takes a task within a second, or two; who waits for longer is told why."""


def group_of(db: Connection, file_id: int) -> str:
    """The group in which the task runs: the default one where it names none, or one that is not known."""
    deployed = deployments.get(db, file_id)
    named = deployed.resource_group if deployed is not None else None
    return named if named and groups.named(db, named) is not None else DEFAULT


def reason(db: Connection, row: Any) -> str | None:
    """What a task that should run waits for, where no worker has taken it in time. `row`: its instance."""
    waited = now_ms() - max(row.started_ms, row.lease_until_ms)
    if waited < PATIENCE_MS:
        return None
    group = group_of(db, row.file_id)
    what = f"No worker of the resource group {group} has taken this task for {waited // 1000} s"
    deployed = deployments.get(db, row.file_id)
    cu = (deployed.cu if deployed is not None else None) or instances.LEAST_CU
    if any(each.group == group for each in instances.carried(db, now_ms())):
        return (
            f"{what}: it takes {cu:g} CU, and those that are there may have no room for it beside what they run. Start "
            f"another one (disync worker --group {group}), give them more room (DISYNC_WORKER_ROOM), or stop a task."
        )
    # Workers that carry nothing are not known: some may be there, and all of them too small.
    size = f" that has room for its {cu:g} CU (DISYNC_WORKER_ROOM)" if cu > instances.LEAST_CU else ""
    return f"{what}: start one{size} (disync worker --group {group}), or move the task to another group."
