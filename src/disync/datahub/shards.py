"""Shards and the hash space they divide: 128 bits, as MD5 fills them. Pure functions on tuples of shards.

In a topic of the split mode the active shards cover the space without overlap: a split closes one shard and opens two,
a merge closes two neighbours and opens one. In a topic of the extend mode shards are only added, and the space is then
divided anew among all of them, so a key may change its shard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import md5

from disync.datahub.errors import Fault, invalid

SPACE = 1 << 128
MAX_ACTIVE = 256
MAX_SHARDS = 512
_HASH_KEY = re.compile("[0-9A-Fa-f]{1,32}")
NO_NEIGHBOUR = "4294967295"
"""What the service names as the neighbour of a shard that has none on that side."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Holds the hashes from `begin` up to, not including, `end`. `closed_time` in ms, 0 while active."""

    id: int
    begin: int
    end: int
    parents: tuple[int, ...] = ()
    closed_time: int = 0

    @property
    def active(self) -> bool:
        return not self.closed_time


Shards = tuple[Shard, ...]


def divide(count: int) -> Shards:
    """The shards of a new topic."""
    if not 1 <= count <= MAX_ACTIVE:
        raise invalid("ShardCount", f"must be between 1 and {MAX_ACTIVE}")
    return tuple(Shard(i, SPACE * i // count, SPACE * (i + 1) // count) for i in range(count))


def split(shards: Shards, shard_id: int, key: int | None, now: int) -> Shards:
    """All shards after `shard_id` was split at `key` (None: in its middle); the last two are the new ones."""
    old = active(shards, shard_id)
    at = (old.begin + old.end) // 2 if key is None else key
    if not old.begin < at < old.end:
        raise invalid("SplitKey", f"must lie within {hash_key(old.begin)} and {hash_key(old.end)}")
    _room(shards, 2, 1)
    first = len(shards)
    new = (Shard(first, old.begin, at, (old.id,)), Shard(first + 1, at, old.end, (old.id,)))
    return (*_closed(shards, {old.id}, now), *new)


def merge(shards: Shards, shard_id: int, adjacent_id: int, now: int) -> Shards:
    """All shards after two neighbours became one, which is the last."""
    low, high = sorted((active(shards, shard_id), active(shards, adjacent_id)), key=lambda shard: shard.begin)
    if low.end != high.begin:
        raise invalid("AdjacentShardId", f"shards {shard_id} and {adjacent_id} are not neighbours")
    _room(shards, 1, 0)
    new = Shard(len(shards), low.begin, high.end, (low.id, high.id))
    return (*_closed(shards, {low.id, high.id}, now), new)


def extend(shards: Shards, count: int) -> Shards:
    """All shards after new ones were added until there are `count`."""
    if not len(shards) <= count <= MAX_ACTIVE:
        raise invalid("ShardNumber", f"must be between {len(shards)} (as many as there are) and {MAX_ACTIVE}")
    return divide(count)


def active(shards: Shards, shard_id: int) -> Shard:
    """The shard with this number, ready to be written; NoSuchShard or InvalidShardOperation otherwise."""
    shard = find(shards, shard_id)
    if not shard.active:
        raise Fault("InvalidShardOperation", f"shard {shard_id} is closed")
    return shard


def find(shards: Shards, shard_id: int) -> Shard:
    if not 0 <= shard_id < len(shards):
        raise Fault("NoSuchShard", f"there is no shard {shard_id}")
    return shards[shard_id]


def covering(shards: Shards, point: int) -> Shard:
    """The active shard whose range holds `point`."""
    for shard in shards:
        if shard.active and shard.begin <= point < shard.end:
            return shard
    raise Fault("InvalidShardOperation", "no active shard covers the key")


def neighbours(shards: Shards, shard: Shard) -> tuple[str, str]:
    """The numbers of the active shards to the left and right of an active one."""
    left = right = NO_NEIGHBOUR
    for other in shards:
        if shard.active and other.active:
            left = str(other.id) if other.end == shard.begin else left
            right = str(other.id) if other.begin == shard.end else right
    return left, right


def number(shard_id: str) -> int:
    """A ShardId as the wire writes it."""
    if not (shard_id.isascii() and shard_id.isdigit() and len(shard_id) <= 9):
        raise Fault("NoSuchShard", f"there is no shard {shard_id[:64]!r}")
    return int(shard_id)


def hash_key(point: int) -> str:
    """A point as the wire writes it: 32 hexadecimal digits; the end of the space is all F."""
    return f"{min(point, SPACE - 1):032X}"


def parse_hash_key(text: str) -> int:
    if _HASH_KEY.fullmatch(text) is None:
        raise invalid("HashKey", f"{text[:64]!r} is no hexadecimal number of 128 bits")
    return int(text, 16)


def hash_of(partition_key: str) -> int:
    return int.from_bytes(md5(partition_key.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest(), "big")


def _closed(shards: Shards, ids: set[int], now: int) -> Shards:
    return tuple(replace(shard, closed_time=now) if shard.id in ids else shard for shard in shards)


def _room(shards: Shards, new: int, more_active: int) -> None:
    if len(shards) + new > MAX_SHARDS or sum(shard.active for shard in shards) + more_active > MAX_ACTIVE:
        raise Fault("LimitExceeded", f"a topic has at most {MAX_ACTIVE} active shards and {MAX_SHARDS} in all")
