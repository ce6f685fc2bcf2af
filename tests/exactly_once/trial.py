"""Which seeds there are, and one of them lived through."""

from __future__ import annotations

import os

from host import Part
from house import House
from scenario import Scenario, of
from world import World

SEEDS = [int(os.environ["SEED"])] if os.environ.get("SEED") else range(int(os.environ.get("SEEDS") or 120))
"""`make soak` sets SEED, to repeat one, or SEEDS, how many."""


def seeds(*whats: str) -> list[int]:
    """Those that begin with a blow of these kinds."""
    return [seed for seed in SEEDS if of(seed).blows[0].what in whats]


def trial(house: House, scenario: Scenario, part: Part | None = None) -> None:
    """Raises Difference, or whatever else went wrong, and tells what had happened until then."""
    world = World(house, scenario, part)
    try:
        world.live()
    except BaseException:
        print(f"{world.journal.show()}\n{scenario}\nThe command that repeats it: make soak SEED={scenario.seed}")
        raise
    finally:
        world.end()
