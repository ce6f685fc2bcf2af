"""The nonces beside SQLite: each taken once until it expires, whatever the size, the processes and their ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from disync.store.nonce_file import NonceFile

NOW = 1_800_000_000_000
KEPT = 31 * 60 * 1000

CLAIM = """
import sys
from pathlib import Path
from disync.store.nonce_file import NonceFile
file = NonceFile(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    print(number if file.claim(b"%d" % number, int(sys.argv[4]), 0) else -1, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nonces"


@pytest.fixture
def file(path: Path) -> Iterator[NonceFile]:
    opened = NonceFile(path)
    yield opened
    opened.close()


def claim(file: NonceFile, number: int, now: int) -> bool:
    return file.claim(b"%d" % number, now + KEPT, now)


def test_each_is_taken_once_also_when_levels_are_added(file: NonceFile, path: Path) -> None:
    small = path.stat().st_size
    assert all(claim(file, number, NOW) for number in range(40_000))
    assert path.stat().st_size > small
    again = NonceFile(path)
    assert not any(claim(again, number, NOW + KEPT - 1) for number in range(40_000))
    again.close()


def test_one_that_was_open_before_a_level_was_added_looks_into_it(file: NonceFile, path: Path) -> None:
    other, size = NonceFile(path), path.stat().st_size
    last = next(number for number in range(40_000) if claim(other, number, NOW) and path.stat().st_size > size)
    assert not claim(file, last, NOW)
    other.close()


def test_the_room_of_expired_ones_is_used_again(file: NonceFile, path: Path) -> None:
    size = 0
    for round_ in range(12):
        assert all(claim(file, number, NOW + round_ * KEPT) for number in range(round_ * 900, round_ * 900 + 4000))
        size = size or path.stat().st_size
    assert path.stat().st_size == size, "48,000 claims, and never more than 4,000 at a time"


def test_an_expired_claim_beside_a_live_one_does_not_hide_it(file: NonceFile) -> None:
    assert all(claim(file, number, NOW) for number in range(20_000))
    assert all(claim(file, number, NOW + KEPT) for number in range(19_999, -1, -1))
    assert not any(claim(file, number, NOW + KEPT) for number in range(20_000))


def test_of_two_processes_one_wins_and_a_killed_one_loses_nothing(file: NonceFile, path: Path) -> None:
    count = 20_000
    command = [sys.executable, "-c", CLAIM, str(path), "0", str(count), str(NOW)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    first, second = (subprocess.Popen(command, text=True, **pipes) for _ in range(2))  # type: ignore[call-overload]
    for process in (first, second):
        process.stdin.write("\n")
        process.stdin.flush()
    head = [first.stdout.readline() for _ in range(200)]
    os.kill(first.pid, signal.SIGKILL)
    # A line that was cut off is a claim that nobody was told of.
    told = [line for line in (*head, *first.stdout) if line.endswith("\n")]
    won = {int(line) for line in told} - {-1}
    others = [int(line) for line in second.stdout]
    assert (first.wait(), second.wait()) == (-signal.SIGKILL, 0)
    for process in (first, second):
        process.stdin.close()
        process.stdout.close()
    assert won.isdisjoint(others), "no nonce was given to both"
    assert len(others) == count
    assert len(set(range(count)) - set(others) - won) <= 1, "but the one that was claimed and not yet told"
    assert not any(file.claim(b"%d" % number, NOW, 0) for number in range(count))


def test_a_header_that_was_never_finished_begins_anew(path: Path) -> None:
    path.write_bytes(bytes(100))
    file = NonceFile(path)
    assert claim(file, 1, NOW) and not claim(file, 1, NOW)
    file.close()
    with pytest.raises(ValueError, match="negative"):
        claim(file, 2, NOW)
