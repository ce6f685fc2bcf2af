"""What a cluster offers, and what the tasks wait for that nobody on it can take. See engine/placement.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from disync.engine.placement import Offer, Seats, Size
from disync.services.clock import now_ms
from disync.store import instances, lending, resource_groups
from disync.store.database import Store

WAITS = "Waiting for "
"""So begins every message that says what a task waits for."""

TELL_MS = 10_000
"""What has not changed is told again after this."""


class StoreBoard:
    def __init__(self, store: Store, size: Size) -> None:
        self._store = store
        self._size = size
        self._told: Mapping[str, Offer] = {}
        self._told_ms = 0

    def tell(self, offers: Mapping[str, Offer], staffed: Set[str]) -> None:
        if offers != self._told or now_ms() - self._told_ms >= TELL_MS:
            with self._store.write() as db:
                self._store.alone(db, "resource groups")
                resource_groups.tell(db, {group: _told(offer) for group, offer in offers.items()}, now_ms())
            self._told, self._told_ms = dict(offers), now_ms()
        self._say(lambda group: None if group in staffed else self._reason(group, offers))

    def away(self, cause: str) -> None:
        self._say(lambda _: f"{WAITS}the cluster. {cause}")

    def seats(self) -> Seats:
        with self._store.read() as db:
            return Seats(lending.free(db, now_ms()), lending.sitting(db))

    def _reason(self, group: str, offers: Mapping[str, Offer]) -> str:
        if group not in offers:
            return f"{WAITS}a node of the resource group {group}: no node of the cluster offers rg_{group}."
        room = f"each takes {self._size} of one of the nodes that offer rg_{group} ({offers[group].nodes})"
        return f"{WAITS}a worker of the resource group {group}: none is up yet; {room}."

    def _say(self, reason_of: Callable[[str], str | None]) -> None:
        """The message of every task that waits; one that is not ours stays until there is another reason."""
        with self._store.read() as db:
            rows = instances.waiting(db)
        for row in rows:
            reason, ours = reason_of(row.group), (row.message or "").startswith(WAITS)
            if reason != row.message and (reason is not None or ours):
                with self._store.write() as db:
                    instances.say(db, row.file_id, reason)


def _told(offer: Offer) -> Mapping[str, Any]:
    return {"nodes": offer.nodes, "cpus": offer.cpus, "memory_bytes": offer.memory_bytes}
