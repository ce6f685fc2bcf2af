"""Guessing gets slower and slower, whoever else signs in meanwhile."""

from __future__ import annotations

from disync.console.attempts import FORGOTTEN, FREE, LONGEST, REMEMBERED, Attempts, TooSoon


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(attempts: Attempts, clock: Clock, times: int, key: str = "k", address: str = "10.0.0.1") -> list[float]:
    """How long each attempt had to wait."""
    waits = []
    for _ in range(times):
        began = clock.now
        while True:
            try:
                attempts.admit(key, address)
                break
            except TooSoon as error:
                assert error.seconds > 0
                clock.now += error.seconds
        waits.append(clock.now - began)
    return waits


def test_each_failure_after_the_first_ones_waits_twice_as_long() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    waits = fail(attempts, clock, FREE + 9)
    assert waits == [0.0] * FREE + [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST, LONGEST, LONGEST]
    clock.now += FORGOTTEN
    assert fail(attempts, clock, 1) == [0.0]


def test_neither_many_addresses_nor_many_keys_help() -> None:
    clock = Clock()
    by_key = Attempts(clock)
    assert sum(sum(fail(by_key, clock, 1, "victim", f"10.0.0.{i}")) for i in range(FREE + 3)) == 7.0
    by_address = Attempts(clock)
    assert sum(sum(fail(by_address, clock, 1, f"key {i}")) for i in range(FREE + 3)) == 7.0
    by_network = Attempts(clock)
    assert sum(sum(fail(by_network, clock, 1, f"key {i}", f"2001:db8::{i:x}")) for i in range(FREE + 3)) == 7.0
    assert fail(by_network, clock, 1, "key", "2001:db8:0:1::1") == [0.0]


def test_a_success_forgets_the_keys_failures_and_not_the_addresses() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    fail(attempts, clock, FREE - 1, "mine")
    attempts.admit("mine", "10.0.0.1")
    attempts.succeed("mine", "10.0.0.1")
    assert fail(attempts, clock, 2, "mine", "10.0.0.2") == [0.0, 0.0]
    assert fail(attempts, clock, 2, "other", "10.0.0.1") == [0.0, 1.0]


def test_many_at_once_are_many() -> None:
    attempts = Attempts(Clock())
    admitted = 0
    for _ in range(50):
        try:
            attempts.admit("k", "10.0.0.1")
            admitted += 1
        except TooSoon as error:
            assert error.status == 429
    assert admitted == FREE


def test_what_is_remembered_is_bounded() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for i in range(REMEMBERED):
        attempts.admit(f"k{i}", f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}")
    assert len(attempts._failures) == REMEMBERED
