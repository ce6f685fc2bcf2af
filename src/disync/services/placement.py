"""What a cluster offers, and what the tasks wait for that nobody on it can take. See engine/placement.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from disync.engine.placement import Large, Offer, Seats, Size, Staff
from disync.services.clock import now_ms
from disync.store import instances, lending, resource_groups
from disync.store.database import Store

WAITS = "Waiting for "
"""So begins every message that says what a task waits for."""

TELL_MS = 10_000
"""What has not changed is told again after this."""


def most_of(size: Size) -> float:
    """How large a task a worker of this size takes, in CUs: one that does not say how large it is in any case."""
    return max(size.cu, instances.LEAST_CU)


class StoreBoard:
    """`size`: of a worker that runs whatever is no larger."""

    def __init__(self, store: Store, size: Size) -> None:
        self._store = store
        self._size = size
        self._most = most_of(size)
        self._told: Mapping[str, Offer] = {}
        self._told_ms = 0

    def tell(self, offers: Mapping[str, Offer], staff: Staff) -> None:
        if offers != self._told or now_ms() - self._told_ms >= TELL_MS:
            with self._store.write() as db:
                self._store.alone(db, "resource groups")
                resource_groups.tell(db, {group: _told(offer) for group, offer in offers.items()}, now_ms())
            self._told, self._told_ms = dict(offers), now_ms()

        def reason(row: Any) -> str | None:
            large = row.cu > self._most
            if row.file_id in staff.tasks if large else row.group in staff.groups:
                return None
            failed = staff.failed.get(row.file_id if large else row.group)
            return self._reason(row.group, offers, Size(row.cu) if large else None, failed)

        self._say(reason)

    def large(self) -> Sequence[Large]:
        with self._store.read() as db:
            return [Large(row.file_id, row.group, Size(row.cu)) for row in instances.large(db, self._most)]

    def away(self, cause: str) -> None:
        self._say(lambda _: f"{WAITS}the cluster. {cause}")

    def seats(self) -> Seats:
        with self._store.read() as db:
            return Seats(lending.free(db, now_ms()), lending.sitting(db))

    def _reason(self, group: str, offers: Mapping[str, Offer], large: Size | None, failed: str | None) -> str:
        """`large`: of a task that has a worker of its own. `failed`: why the last worker did not come up."""
        if group not in offers:
            return f"{WAITS}a node of the resource group {group}: no node of the cluster offers rg_{group}."
        whom = "of the resource group" if large is None else "of its own in the resource group"
        for_whom = f"{WAITS}a worker {whom} {group}"
        if failed is not None:
            return f"{for_whom}: the last one did not come up, and another one is tried. {failed}"
        room = f"of one of the nodes that offer rg_{group} ({offers[group].nodes})"
        if large is not None:
            return f"{for_whom}: it is not up yet; for TaskParam.Cu it takes {large} {room}, free at once."
        return f"{for_whom}: none is up yet; each takes {self._size} {room}."

    def _say(self, reason_of: Callable[[Any], str | None]) -> None:
        """The message of every task that waits; one that is not ours stays until there is another reason."""
        with self._store.read() as db:
            rows = instances.waiting(db)
        for row in rows:
            reason, ours = reason_of(row), (row.message or "").startswith(WAITS)
            if reason != row.message and (reason is not None or ours):
                with self._store.write() as db:
                    instances.say(db, row.file_id, reason)


def _told(offer: Offer) -> Mapping[str, Any]:
    return {"nodes": offer.nodes, "cpus": offer.cpus, "memory_bytes": offer.memory_bytes}
