"""The nodes of a Ray cluster: which resource groups they offer, and how much is free at each.

A node is as `ray.nodes()` has it. What Ray says is `available` is what was not given to anybody when it was last told,
by each node for itself: what was placed a moment ago may not be known yet, and what has died is free again, though it
will come back.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from disync.engine.placement import Offer, Size

PREFIX = "rg_"


@dataclass(frozen=True, slots=True)
class Taken:
    """What is placed at a node, or is to be. `known`: it is up, so that Ray counts it."""

    node: str
    size: Size
    known: bool


def offers(nodes: Sequence[Mapping[str, Any]]) -> dict[str, Offer]:
    """What these nodes offer, by resource group."""
    found: dict[str, Offer] = {}
    for node in nodes:
        has = node["Resources"]
        for group in [name.removeprefix(PREFIX) for name in has if name.startswith(PREFIX)]:
            one = Offer((node["NodeID"],), float(has.get("CPU", 0)), int(has.get("memory", 0)))
            found[group] = found.get(group, Offer()) + one
    return found


def rooms(
    size: Size,
    group: str,
    nodes: Sequence[Mapping[str, Any]],
    available: Mapping[str, Mapping[str, float]],
    taken: Iterable[Taken],
) -> Counter[str]:
    """How many more of this size each node of the group has room for, beside what is taken, be it up or not, and beside
    what else Ray has there."""
    found: Counter[str] = Counter()
    theirs = list(taken)
    for node in nodes:
        name, has = node["NodeID"], node["Resources"]
        if PREFIX + group in has:
            here = [each for each in theirs if each.node == name]
            coming = [each for each in here if not each.known]
            found[name] = min(_fit(size, has, here), _fit(size, available.get(name, {}), coming))
    return found


def _fit(size: Size, has: Mapping[str, float], beside: Sequence[Taken]) -> int:
    """How many of this size there is room for in what there is, less what is taken of it."""
    cpus = has.get("CPU", 0) - sum(each.size.cu for each in beside)
    memory = has.get("memory", 0) - sum(each.size.memory_bytes for each in beside)
    return math.floor(min(cpus / size.cu, memory / size.memory_bytes) + 1e-6)
