"""Reading ahead changes when events are read, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from disync.engine.ahead import AHEAD, Ahead
from disync.model.data import Event, Idle, Position
from disync.model.errors import Unreachable


def numbered(count: int) -> list[Event]:
    return [Idle(Position(str(number))) for number in range(count)]


def test_all_events_come_in_their_order() -> None:
    with Ahead(iter(numbered(1000)), "test") as events:
        assert list(events) == numbered(1000)
        assert list(events) == []


def test_an_error_comes_behind_the_events_before_it() -> None:
    def failing() -> Iterator[Event]:
        yield from numbered(3)
        raise Unreachable("gone")

    taken = []
    with Ahead(failing(), "test") as events, pytest.raises(Unreachable, match="gone"):
        for event in events:
            taken.append(event)
    assert taken == numbered(3)


def test_no_more_is_read_than_may_wait_and_the_reader_ends_with_its_user() -> None:
    read: list[Event] = []
    ended = threading.Event()

    def counted() -> Iterator[Event]:
        try:
            for event in numbered(1000):
                read.append(event)
                yield event
        finally:
            ended.set()

    with Ahead(counted(), "test") as events:
        assert next(events) == numbered(1)[0]
        assert not ended.wait(0.5)
        assert len(read) <= 1 + AHEAD + 1
    assert ended.wait(10)
