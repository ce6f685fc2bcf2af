"""What a cluster offers, and what the tasks wait for that nobody on it can take. See engine/placement.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from disync.engine.placement import Large, Offer, Seats, Size
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

    def tell(self, offers: Mapping[str, Offer], staffed: Set[str], own: Set[int]) -> None:
        if offers != self._told or now_ms() - self._told_ms >= TELL_MS:
            with self._store.write() as db:
                self._store.alone(db, "resource groups")
                resource_groups.tell(db, {group: _told(offer) for group, offer in offers.items()}, now_ms())
            self._told, self._told_ms = dict(offers), now_ms()

        def reason(row: Any) -> str | None:
            large = row.cu > self._most
            up = row.file_id in own if large else row.group in staffed
            return None if up else self._reason(row.group, offers, Size(row.cu) if large else None)

        self._say(reason)

    def large(self) -> Sequence[Large]:
        with self._store.read() as db:
            return [Large(row.file_id, row.group, Size(row.cu)) for row in instances.large(db, self._most)]

    def away(self, cause: str) -> None:
        self._say(lambda _: f"{WAITS}the cluster. {cause}")

    def seats(self) -> Seats:
        with self._store.read() as db:
            return Seats(lending.free(db, now_ms()), lending.sitting(db))

    def _reason(self, group: str, offers: Mapping[str, Offer], large: Size | None) -> str:
        """`large`: of a task that has a worker of its own."""
        if group not in offers:
            return f"{WAITS}a node of the resource group {group}: no node of the cluster offers rg_{group}."
        room = f"of one of the nodes that offer rg_{group} ({offers[group].nodes})"
        if large is not None:
            worker = f"a worker of its own in the resource group {group}"
            return f"{WAITS}{worker}: it is not up yet; for TaskParam.Cu it takes {large} {room}, free at once."
        room = f"each takes {self._size} {room}"
        return f"{WAITS}a worker of the resource group {group}: none is up yet; {room}."

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
