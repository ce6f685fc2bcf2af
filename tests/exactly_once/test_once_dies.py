"""A run dies before or after a call of its reader, its writer, its sink or its ledger, or at a commit."""

from __future__ import annotations

import pytest
from house import House
from scenario import of
from trial import seeds, trial


@pytest.mark.parametrize("seed", seeds("die"))
def test_what_died_is_made_up_for(shared: House, seed: int) -> None:
    trial(shared, of(seed))
