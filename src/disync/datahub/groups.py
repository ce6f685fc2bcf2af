"""Consumer groups: which member reads which shard. In memory only; after a restart the members join again.

A shard moves in two steps: its reader learns from a heartbeat that it is planned for another one, commits and lets go;
only then is it listed for its next reader. A shard born of a split or merge waits until its parents are read to the
end.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from disync.datahub.errors import Fault
from disync.datahub.shards import Shards

MIN_TIMEOUT_MS = 10_000
MAX_TIMEOUT_MS = 180_000


@dataclass(slots=True)
class Member:
    timeout: int
    seen: int
    plan: set[int] = field(default_factory=set)
    holds: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Group:
    """The members of one subscription; `version` grows with every change of the plan."""

    members: dict[str, Member] = field(default_factory=dict)
    read_end: set[int] = field(default_factory=set)
    version: int = 0

    def replan(self, shards: Shards) -> None:
        """Share the readable shards out evenly; whoever has a shard keeps it where that is even."""
        ready = {s.id for s in shards if s.id not in self.read_end and self.read_end.issuperset(s.parents)}
        before = {name: member.plan for name, member in self.members.items()}
        plans = even_plan(before, ready)
        if plans != before:
            self.version += 1
        for name, member in self.members.items():
            member.plan = plans[name]

    def listed(self, name: str) -> set[int]:
        """What a member may read now: its plan without what others still hold."""
        held = [member.holds for other, member in self.members.items() if other != name]
        return self.members[name].plan.difference(*held)


def even_plan(before: dict[str, set[int]], shards: set[int]) -> dict[str, set[int]]:
    """Shards per member, differing by one at most, with as few moves as possible."""
    if not before:
        return {}
    share, more = divmod(len(shards), len(before))
    plans: dict[str, set[int]] = {}
    # Those who have most are the first to keep one more than the share.
    for name in sorted(before, key=lambda n: (-len(before[n] & shards), n)):
        keep = share + (1 if more and len(before[name] & shards) > share else 0)
        more -= keep - share
        plans[name] = set(sorted(before[name] & shards)[:keep])
    free = sorted(shards.difference(*plans.values()))
    for name in sorted(plans, key=lambda n: (len(plans[n]), n)):
        want = share + (1 if more > 0 and len(plans[name]) <= share else 0)
        more -= max(0, want - max(share, len(plans[name])))
        while free and len(plans[name]) < want:
            plans[name].add(free.pop(0))
    return plans


class Groups:
    """The groups of all subscriptions."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._groups: dict[str, Group] = {}

    def join(self, sub_id: str, timeout: int, shards: Shards) -> tuple[str, int]:
        """A new member's id and the timeout, in ms, within which it must be heard of."""
        timeout = min(max(timeout, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS)
        group = self._groups.setdefault(sub_id, Group())
        name = f"{sub_id}-{secrets.token_hex(4)}"
        group.members[name] = Member(timeout, self._clock())
        self._clean(group)
        group.replan(shards)
        return name, timeout

    def heartbeat(
        self, sub_id: str, name: str, holds: Iterable[int], read_end: Iterable[int], shards: Shards
    ) -> tuple[int, list[int], dict[str, list[int]]]:
        """The plan's version, the shards this member may read, and the whole plan."""
        group, member = self._member(sub_id, name)
        group.read_end.update(read_end)
        member.holds = set(holds) - group.read_end
        group.replan(shards)
        listed = group.listed(name)
        member.holds |= listed
        total = {other: sorted(m.plan) for other, m in group.members.items()}
        return group.version, sorted(listed), total

    def sync(self, sub_id: str, name: str, release: Iterable[int], read_end: Iterable[int], shards: Shards) -> None:
        """A member lets go of shards, or has read them to their end."""
        group, member = self._member(sub_id, name)
        group.read_end.update(read_end)
        member.holds = member.holds.difference(release, read_end)
        group.replan(shards)

    def leave(self, sub_id: str, name: str, shards: Shards) -> None:
        group, _ = self._member(sub_id, name)
        del group.members[name]
        if group.members:
            group.replan(shards)
        else:
            del self._groups[sub_id]

    def forget(self, sub_id: str) -> None:
        """The subscription is gone, offline or reset: everyone must join anew."""
        self._groups.pop(sub_id, None)

    def _member(self, sub_id: str, name: str) -> tuple[Group, Member]:
        group = self._groups.get(sub_id)
        if group is not None:
            self._clean(group)
        if group is None or name not in group.members:
            raise Fault("NoSuchConsumer", f"{name[:64]!r} is no member of the group")
        member = group.members[name]
        member.seen = self._clock()
        return group, member

    def _clean(self, group: Group) -> None:
        now = self._clock()
        for name, member in list(group.members.items()):
            if now - member.seen > member.timeout:
                del group.members[name]
