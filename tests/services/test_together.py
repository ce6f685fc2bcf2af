"""Calls of several threads that one of them carries out for all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from disync.services.together import Together


class Slow:
    """Squares numbers. The first call waits until so many more have come."""

    def __init__(self, more: int) -> None:
        self.groups: list[list[int]] = []
        self.others = threading.Barrier(more + 1)
        self.all = Together(self._square)

    def _square(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        if len(self.groups) == 1:
            self.others.wait(30)
            while len(self.all._waiting) < self.others.parties - 1:
                pass
        if 13 in numbers:
            raise ValueError("13")
        return [number * number for number in numbers]

    def later(self, number: int) -> int:
        self.others.wait(30)
        return self.all.call(number)


def test_what_has_gathered_meanwhile_is_carried_out_at_once_and_each_gets_its_own() -> None:
    slow = Slow(7)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(slow.all.call, 100)
        rest = [pool.submit(slow.later, number) for number in range(7)]
        assert first.result(30) == 10_000
        assert [one.result(30) for one in rest] == [number * number for number in range(7)]
    assert [len(group) for group in slow.groups] == [1, 7]


def test_an_error_is_told_to_all_that_it_is_about_and_to_no_other() -> None:
    slow = Slow(3)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(slow.all.call, 2)
        rest = [pool.submit(slow.later, number) for number in (12, 13, 14)]
        assert first.result(30) == 4
        for one in rest:
            with pytest.raises(ValueError, match="13"):
                one.result(30)
    assert slow.all.call(3) == 9
