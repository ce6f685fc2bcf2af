"""How long a runner waits before it starts again on a cluster what has failed."""

from __future__ import annotations

from disync.engine.runners.ray import pause_after


def test_what_fails_again_and_again_is_tried_twice_a_minute_for_ever() -> None:
    assert [pause_after(failures) for failures in (0, 1, 4, 5, 100_000)] == [1, 2, 16, 30, 30]
