"""Several sessions write one log: whatever is durable in some of them when a run dies, the target is the source."""

from __future__ import annotations

from collections import Counter

import pytest
from broken import Forward, Scattered
from host import Part
from house import House
from scenario import Blow, Scenario
from trial import trial
from truth import Difference
from turns import InTurn

from disync.engine.reunion import Reunion
from disync.model.connector import Sink
from disync.model.data import Position
from disync.model.run import Checkpoint

TRIES = 8
MOST = 30
"""Tries until what depends on the moment has happened."""

BEFORE = 40
"""Passages before the blow: the load is over by then, and each step of the log has one for each session."""

POINTS = ("before flush", "after flush")


def scenario(seed: int, *blows: Blow, writers: tuple[int, ...] = (3,), alters: bool = False) -> Scenario:
    return Scenario(seed, blows, 20, 50, 10_000, alters=alters, writers=writers, in_turn=True)


@pytest.fixture
def reunions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often sinks were found at two places."""
    found: Counter[str] = Counter()
    real = Reunion._once_more

    def counted(self: Reunion, lead: Sink, behind: Position, ahead: Position) -> Checkpoint | None:
        found["apart"] += 1
        return real(self, lead, behind, ahead)

    monkeypatch.setattr(Reunion, "_once_more", counted)
    return found


@pytest.mark.parametrize("point", POINTS)
def test_c20_some_are_durable_and_the_others_are_not(shared: House, reunions: Counter[str], point: str) -> None:
    for seed in range(MOST):
        trial(shared, scenario(seed, Blow("die", point, BEFORE + seed)))
        if seed > 1 and reunions["apart"]:
            return
    raise AssertionError("no run died between two of them")


@pytest.mark.parametrize("writers", [(1, 4, 2), (4, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_c32_their_number_changes_while_they_are_apart(
    shared: House, reunions: Counter[str], writers: tuple[int, ...], seed: int
) -> None:
    blows = (
        Blow("die", "after flush", BEFORE + seed),
        Blow("die", "after flush", 14 + seed),
        Blow("die", "before save", 9),
    )
    trial(shared, scenario(seed, *blows, writers=writers, alters=True))


@pytest.mark.parametrize("point", ["before write", "before flush", "after flush", "before save", "before changes"])
def test_c20_a_run_dies_while_it_brings_them_together(shared: House, reunions: Counter[str], point: str) -> None:
    for seed in range(MOST):
        trial(shared, scenario(seed, Blow("die", "after flush", BEFORE + seed), Blow("die", point, 1 + seed % 4)))
        if seed > 1 and reunions["apart"]:
            return
    raise AssertionError("no run died between two of them")


@pytest.mark.parametrize("point", ["before flush", "after flush", "after parts", "before save"])
def test_c29_a_run_that_stood_still_between_two_of_them_writes_no_more(shared: House, point: str) -> None:
    for seed in range(3):
        nth = 1 if point == "after parts" else BEFORE + seed
        trial(shared, scenario(seed, Blow("freeze", point, nth), writers=((3,), (4, 2), (2, 4))[seed]))


@pytest.mark.parametrize(
    ("part", "said"),
    [(Forward(1), "checkpoint says|differs"), (Scattered(1), "checkpoint says|differs")],
    ids=["those behind pass over a step", "one key in several sessions"],
)
def test_a_broken_one_is_found_out(shared: House, part: Part, said: str) -> None:
    with pytest.raises(Difference, match=said):
        for seed in range(MOST):
            trial(shared, scenario(seed, Blow("die", "after flush", BEFORE + seed)), part)


@pytest.mark.parametrize("seed", range(TRIES))
def test_the_same_without_the_break_is_equal(shared: House, seed: int) -> None:
    trial(shared, scenario(seed, Blow("die", "after flush", BEFORE + seed)), InTurn(1))
