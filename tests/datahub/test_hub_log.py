"""The log of one shard, without a server: what it promises under every order of calls, crashes and failures."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disync.datahub.log import Log, LogSettings
from disync.datahub.segment import HEADER, CorruptSegment

SMALL = LogSettings(segment_bytes=200, segment_ms=1000)


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as threads:
        yield threads


Open = Callable[..., Log]


class Clock:
    """Milliseconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


def opened(folder: Path, executor: ThreadPoolExecutor, clock: Clock, limits: LogSettings = SMALL) -> Log:
    return Log(folder, executor, clock, limits)


def sequences(log: Log) -> list[int]:
    return [frame.sequence for frame in log.read(log.oldest, 1_000_000, 1 << 30)]


def test_nobody_sees_what_is_not_on_disk(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        log = opened(tmp_path, executor, Clock())
        assert log.append(b"one", 3) == 0
        assert (log.next, log.pending, log.read(0, 10, 10)) == (0, True, [])
        await log.flush()
        assert (log.next, log.pending) == (3, False)
        [frame] = log.read(1, 10, 10)
        assert (frame.sequence, frame.records, frame.block, frame.time) == (0, 3, b"one", 1_000)
        await log.close()

    asyncio.run(run())


def test_many_puts_share_a_sync(tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(descriptor) or real(descriptor))

    async def put(log: Log) -> None:
        log.append(b"x", 1)
        await log.flush()

    async def run() -> None:
        log = opened(tmp_path, executor, Clock(), LogSettings())
        await asyncio.gather(*[put(log) for _ in range(100)])
        assert log.next == 100
        await log.close()

    asyncio.run(run())
    assert 1 <= len(synced) <= 3


def test_after_a_failed_sync_nothing_is_acknowledged(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError("no space left on device")

    async def run() -> None:
        log = opened(tmp_path, executor, Clock())
        log.append(b"x", 1)
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(OSError, match="could not be synced"):
            await log.flush()
        monkeypatch.undo()
        with pytest.raises(OSError, match="takes no more records"):
            log.append(b"y", 1)
        assert log.next == 0
        await log.close()

    asyncio.run(run())


def test_a_failed_write_leaves_no_trace(
    tmp_path: Path, executor: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev

    def short(descriptor: int, buffers: list[bytes], offset: int) -> int:
        return real(descriptor, [buffers[0], buffers[1][:2]], offset)

    async def run() -> None:
        log = opened(tmp_path, executor, Clock())
        monkeypatch.setattr(os, "pwritev", short)
        with pytest.raises(OSError, match="in part"):
            log.append(b"lost", 1)
        monkeypatch.undo()
        assert log.append(b"kept", 1) == 0
        await log.flush()
        await log.close()
        again = opened(tmp_path, executor, Clock())
        assert [frame.block for frame in again.read(0, 10, 100)] == [b"kept"]
        await again.close()

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 120), st.integers(0, 700)), min_size=1, max_size=30),
    st.integers(0, 150),
    st.integers(1, 20),
    st.integers(1, 400),
)
def test_reads_and_seeks_over_segments(
    tmp_path_factory: pytest.TempPathFactory,
    executor: ThreadPoolExecutor,
    puts: list[tuple[int, int, int]],
    at: int,
    records: int,
    size: int,
) -> None:
    """Against a plain list, before and after a restart: every place gives the frames from the one that holds it on."""

    async def run() -> None:
        folder, clock = tmp_path_factory.mktemp("log"), Clock()
        log = opened(folder, executor, clock)
        expected: list[tuple[int, int, int]] = []
        for count, length, pause in puts:
            clock.now += pause
            expected.append((log.append(bytes(length), count), count, clock.now))
        await log.flush()
        for _ in range(2):
            place = at % log.next
            frames = log.read(place, records, size)
            wanted = [item for item in expected if item[0] + item[1] > place]
            assert [(f.sequence, f.records, f.time) for f in frames] == wanted[: len(frames)]
            left = sum(f.next - max(place, f.sequence) for f in frames[:-1])
            assert left < records
            assert sum(len(f.block) for f in frames[:-1]) < size
            for _, _, time in expected:
                assert log.at_time(time) == next(item[0] for item in expected if item[2] >= time)
            assert log.at_time(clock.now + 1) == log.next
            await log.close()
            log = opened(folder, executor, clock)
        await log.close()

    asyncio.run(run())


def test_expiry_removes_whole_segments_and_keeps_the_numbers(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        clock = Clock()
        log = opened(tmp_path, executor, clock)
        for _ in range(6):
            log.append(bytes(100), 1)
            clock.now += 1_000
        await log.flush()
        log.expire(before=3_500)
        assert (log.oldest, sequences(log)) == (3, [3, 4, 5])
        log.expire(before=1_000_000)
        assert (log.oldest, log.next, log.storage) == (6, 6, 0)
        await log.close()
        log = opened(tmp_path, executor, clock)
        assert (log.oldest, log.next) == (6, 6)
        assert log.append(b"x", 1) == 6
        await log.close()

    asyncio.run(run())


def test_times_never_go_back(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        clock = Clock()
        log = opened(tmp_path, executor, clock)
        log.append(b"x", 1)
        clock.now -= 500
        log.append(b"y", 1)
        await log.flush()
        assert [frame.time for frame in log.read(0, 10, 100)] == [1_000, 1_000]
        await log.close()

    asyncio.run(run())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_newest_segment_ends_before_the_damage(
    tmp_path_factory: pytest.TempPathFactory, executor: ThreadPoolExecutor, at: int, value: int
) -> None:
    async def run() -> None:
        folder = tmp_path_factory.mktemp("log")
        log = opened(folder, executor, Clock(), LogSettings())
        for number in range(10):
            log.append(b"%08d" % number, 1)
        await log.close()
        [path] = folder.iterdir()
        data = bytearray(path.read_bytes())
        place = at % len(data)
        changed = data[place] != value
        data[place] = value
        path.write_bytes(data)
        log = opened(folder, executor, Clock(), LogSettings())
        sound = place // (HEADER.size + 8) if changed else 10
        assert sequences(log) == list(range(sound))
        assert log.append(b"next", 1) == sound
        await log.close()

    asyncio.run(run())


def test_damage_to_what_was_acknowledged_is_never_silent(tmp_path: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        log = opened(tmp_path, executor, Clock())
        for _ in range(6):
            log.append(bytes(150), 1)
        await log.close()
        oldest = sorted(tmp_path.iterdir())[0]
        sound = oldest.read_bytes()
        oldest.write_bytes(sound[:-1] + b"\xff")
        log = opened(tmp_path, executor, Clock())
        with pytest.raises(CorruptSegment, match="damaged"):
            sequences(log)
        await log.close()
        oldest.write_bytes(sound[:-1])
        with pytest.raises(CorruptSegment, match="damaged"):
            opened(tmp_path, executor, Clock())
        oldest.unlink()
        second = sorted(tmp_path.iterdir())[0]
        second.unlink()
        log = opened(tmp_path, executor, Clock())  # the oldest may go, as by expiry
        assert log.oldest > 0
        await log.close()

    asyncio.run(run())
