"""A shard's records on disk: an append-only log in segments, synced in groups.

What a caller may rely on:

* `append` gives sequences without gaps, in the order of the calls; `await flush()` returns when all that was appended
  before the call is on disk. Many callers share one sync: while one runs, the next one gathers.
* Readers see a record only once it is on disk, so nobody has seen what a crash takes back.
* After a crash everything that was flushed is there; a torn tail is cut off at the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import structlog

from disync.datahub.segment import SUFFIX, CorruptSegment, Frame, Segment, sync_file, sync_folder

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """A segment is closed at `segment_bytes`, or when its first record is older than `segment_ms`: only whole segments
    expire, so the age bounds how long a record outlives its lifecycle."""

    segment_bytes: int = 64 << 20
    segment_ms: int = 3_600_000


class Log:
    """Owns the files of one shard. Used from one thread, the event loop's; only the sync itself runs in `executor`."""

    def __init__(self, folder: Path, executor: Executor, clock: Callable[[], int], settings: LogSettings) -> None:
        self.folder = folder
        self._executor = executor
        self._clock = clock
        self._settings = settings
        self._segments = _recover(folder)
        self._durable = self._active.next
        self._newest = max(segment.newest for segment in self._segments)
        self._syncing: asyncio.Task[None] | None = None
        self._failure: OSError | None = None

    @property
    def oldest(self) -> int:
        """The sequence of the oldest record kept; `next` when there is none."""
        return self._segments[0].first

    @property
    def next(self) -> int:
        """The sequence behind the newest record that is on disk."""
        return self._durable

    @property
    def pending(self) -> bool:
        """Whether records wait for their sync."""
        return self._active.next > self._durable

    @property
    def newest_time(self) -> int:
        """When the newest record was accepted; 0 when there never was one."""
        return self._newest

    @property
    def storage(self) -> int:
        return sum(segment.size for segment in self._segments)

    def append(self, block: bytes, count: int) -> int:
        """Write `count` records as one block; the sequence of the first. Not durable before `flush`."""
        if self._failure is not None:
            raise OSError("this shard takes no more records since a sync failed") from self._failure
        now = max(self._clock(), self.newest_time)  # the times of a shard never go back
        if self._full(now):
            self._roll()
        sequence = self._active.next
        self._active.append(block, count, now)
        self._newest = now
        return sequence

    async def flush(self) -> None:
        target = self._active.next
        while self._durable < target:
            if self._failure is not None:
                raise OSError("the records could not be synced") from self._failure
            if self._syncing is None:
                self._syncing = asyncio.create_task(self._sync())
            await asyncio.shield(self._syncing)

    def read(self, sequence: int, records: int, size: int) -> list[Frame]:
        """Frames from the one that holds `sequence`, about `records` records and `size` bytes, at least one if any.

        `sequence` must lie between `oldest` and `next`.
        """
        frames: list[Frame] = []
        while sequence < self._durable and records > 0 and size > 0:
            segment = self._holding(sequence)
            for frame in segment.read(sequence, records, size):
                if frame.sequence >= self._durable:
                    return frames
                frames.append(frame)
                records -= frame.next - max(sequence, frame.sequence)
                size -= len(frame.block)
            sequence = segment.next
        return frames

    def at_time(self, time: int) -> int:
        """The sequence of the first record accepted at or after `time`; `next` when there is none."""
        for segment in self._segments:
            if segment.next > segment.first and segment.newest >= time:
                return min(segment.after(time).sequence, self._durable)
        return self._durable

    def expire(self, before: int) -> None:
        """Remove the segments whose newest record was accepted before `before`; sequences go on where they were."""
        if 0 < self._active.newest < before and self._durable == self._active.next:
            self._roll()
        gone = 0
        while gone < len(self._segments) - 1 and self._segments[gone].newest < before:
            self._segments[gone].path.unlink()
            gone += 1
        if gone:
            del self._segments[:gone]
            sync_folder(self.folder)

    async def close(self) -> None:
        """Let go of the files, once whoever waits in `flush` has his answer."""
        with suppress(OSError):
            await self.flush()
        self._active.close()

    @property
    def _active(self) -> Segment:
        return self._segments[-1]

    def _full(self, now: int) -> bool:
        segment = self._active
        if segment.size == 0:
            return False
        return segment.size >= self._settings.segment_bytes or now - segment.oldest >= self._settings.segment_ms

    def _roll(self) -> None:
        """Begin a new segment. The old one is synced here, once: recovery may take it that only the newest is torn."""
        old = self._active
        assert old.descriptor is not None
        sync_file(old.descriptor)
        self._durable = old.next
        self._segments.append(Segment.create(self.folder, old.next))
        # The descriptor may be in use by a sync in the executor; it is closed when that one has ended.
        if self._syncing is None:
            old.close()
        else:
            self._syncing.add_done_callback(lambda _: old.close())

    async def _sync(self) -> None:
        goal, descriptor = self._active.next, self._active.descriptor
        assert descriptor is not None
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, sync_file, descriptor)
        except OSError as error:
            # After a failed sync the kernel may have dropped the pages: only what a restart finds is certain.
            self._failure = error
            _log.error("datahub.sync_failed", folder=str(self.folder), error=str(error))
            return
        finally:
            self._syncing = None
        self._durable = max(self._durable, goal)

    def _holding(self, sequence: int) -> Segment:
        for segment in reversed(self._segments):
            if segment.first <= sequence:
                return segment
        raise LookupError(f"sequence {sequence} is not in {self.folder}")


def _recover(folder: Path) -> list[Segment]:
    """The segments of a folder, read and checked; the newest one open, and made if there is none."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        for made_in in (folder.parent, folder.parent.parent):  # the topic's folder may be new, too
            sync_folder(made_in)
    segments = [Segment(path) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    for segment in segments:
        newest = segment is segments[-1]
        lost = segment.recover(cut=newest)
        if lost:
            _log.warning("datahub.torn_tail", file=str(segment.path), bytes=lost)
        if not newest:
            segment.close()
    for older, newer in pairwise(segments):
        if older.next != newer.first:
            raise CorruptSegment(f"{older.path} ends before {newer.first}, where the next one begins")
    return segments or [Segment.create(folder, 0)]
