"""The delay of a stream: what is durable, what is pending, and a reader that has fallen silent."""

from __future__ import annotations

import pytest

from disync.engine import delay
from disync.engine.delay import FRESH_MS, Delay, longest

NOW = 1_000_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    now = [NOW]
    monkeypatch.setattr(delay, "_now_ms", lambda: now[0])
    return now


def test_nothing_is_known_before_anything_is_durable(clock: list[int]) -> None:
    one = Delay()
    one.took()
    one.durable(None)
    one.durable(0)
    assert one.ms() is None


def test_it_grows_while_something_is_pending_and_ends_with_the_log(clock: list[int]) -> None:
    one = Delay()
    one.durable(NOW - 700)
    assert one.ms() == 700
    clock[0] += 1000
    assert one.ms() == 1700
    one.ended()
    assert one.ms() == 0
    clock[0] += 1000
    assert one.ms() == 0, "nobody has told of anything new"
    one.took()
    assert one.ms() == 1000, "the target is as the source was then"
    one.durable(clock[0] + 50)
    assert one.ms() == 0, "a clock of the source that is ahead"


def test_a_reader_that_is_silent_is_not_believed(clock: list[int]) -> None:
    one = Delay()
    one.ended()
    clock[0] += FRESH_MS
    assert one.ms() == FRESH_MS


def test_a_task_is_as_late_as_its_latest_stream(clock: list[int]) -> None:
    early, late, unknown = Delay(), Delay(), Delay()
    early.durable(NOW - 10)
    late.durable(NOW - 500)
    assert longest([early, late, unknown]) == 500
    assert longest([unknown]) is None and longest([]) is None
