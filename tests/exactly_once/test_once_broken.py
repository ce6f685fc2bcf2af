"""The trial is worth something only if it finds what is wrong: engines that break the order do not pass it."""

from __future__ import annotations

import pytest
from broken import Apart, Careless, Forgetful, Hasty
from host import Part
from house import House
from scenario import Blow, Scenario
from trial import trial
from truth import Difference

TRIES = 6
BEFORE = 40
"""Passages before the blow: the load is over by then. One more at every try, as some of these pass twice at a flush."""


def scenario(seed: int, blow: Blow, appends: bool = False) -> Scenario:
    return Scenario(seed, (blow,), flush_rows=20, read_rows=50, write_rows=100, alters=False, appends=appends)


@pytest.mark.parametrize(
    ("part", "point", "said"),
    [
        (Hasty(), "before flush", "The ledger's checkpoint says"),
        (Apart(rows_first=False), "after flush", "The target's checkpoint says"),
        (Apart(rows_first=True), "after flush", "and its checkpoint says"),
        (Forgetful(), "before save", "was acknowledged before it was saved"),
    ],
    ids=["saved before flushed", "checkpoint before its rows", "rows before their checkpoint", "ack before save"],
)
def test_a_broken_order_is_found_out(shared: House, part: Part, point: str, said: str) -> None:
    with pytest.raises(Difference, match=said):
        for seed in range(TRIES):
            trial(shared, scenario(seed, Blow("die", point, BEFORE + seed)), part)


@pytest.mark.parametrize("seed", range(TRIES))
def test_the_same_without_the_break_is_equal(shared: House, seed: int) -> None:
    trial(shared, scenario(seed, Blow("die", "before flush", BEFORE + seed)))


@pytest.mark.parametrize(
    ("part", "said"),
    [(Careless(0), "changes are not there"), (Careless(2), "has a row too many: ")],
    ids=["a change is left out", "a change comes twice"],
)
def test_a_sink_that_does_not_append_each_change_once_is_found_out(shared: House, part: Part, said: str) -> None:
    with pytest.raises(Difference, match=said):
        trial(shared, scenario(0, Blow("die", "before flush", BEFORE), appends=True), part)


def test_appending_without_the_break_is_equal(shared: House) -> None:
    trial(shared, scenario(0, Blow("die", "before flush", BEFORE), appends=True))
