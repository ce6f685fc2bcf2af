"""Connections break at any byte and at a commit; worker, source and target are killed with signal 9."""

from __future__ import annotations

import pytest
from house import House
from scenario import of
from trial import seeds, trial


@pytest.mark.parametrize("seed", seeds("cut", "kill -9"))
def test_what_broke_is_made_up_for(shared: House, seed: int) -> None:
    trial(shared, of(seed))
