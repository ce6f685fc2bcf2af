"""A run stands still while another takes over, and then goes on: nothing that it does any more may count."""

from __future__ import annotations

import pytest
from house import House
from scenario import of
from trial import seeds, trial


@pytest.mark.parametrize("seed", seeds("freeze"))
def test_what_was_replaced_changes_nothing(shared: House, seed: int) -> None:
    trial(shared, of(seed))
