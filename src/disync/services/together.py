"""Calls that several threads make at about the same time, carried out by one of them for all: one transaction of the
store instead of many that wait for each other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Call(Generic[Item, Result]):
    def __init__(self, item: Item) -> None:
        self.item = item
        self.over = False
        self.results: list[Result] = []
        self.error: BaseException | None = None


class Together(Generic[Item, Result]):
    """`carry_out` is given what has gathered while it was busy, in the order in which it came, and returns as many
    results; when it raises, every call that it was given raises the same."""

    def __init__(self, carry_out: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._carry_out = carry_out
        self._gathering = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Call[Item, Result]] = []

    def call(self, item: Item) -> Result:
        mine: _Call[Item, Result] = _Call(item)
        with self._gathering:
            self._waiting.append(mine)
        with self._turn:
            if not mine.over:  # nobody had it with his own meanwhile
                self._all()
        if mine.error is not None:
            raise mine.error
        return mine.results[0]

    def _all(self) -> None:
        with self._gathering:
            calls, self._waiting = self._waiting, []
        try:
            for call, result in zip(calls, self._carry_out([call.item for call in calls]), strict=True):
                call.results.append(result)
        except BaseException as error:
            for call in calls:
                call.error = error
        for call in calls:
            call.over = True
