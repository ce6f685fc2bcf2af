"""One file of a shard's log: frames, each a block of records behind a checksummed header.

A segment is named by the sequence of its first record. Only the newest one of a log is open for appending; the others
never change, so they need no descriptor between reads. In memory stays one index entry for every 32 KiB, not the data.
"""

from __future__ import annotations

import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import google_crc32c

HEADER = struct.Struct("<4sIIIQQ")
MAGIC = b"DFRM"
SUFFIX = ".segment"
INDEX_STEP = 32 << 10
READ_AHEAD = 256 << 10
MAX_BLOCK = 64 << 20


class Frame(NamedTuple):
    """A block as it was put: its records, the first of which is `sequence`, accepted at `time` (ms since 1970)."""

    sequence: int
    records: int
    time: int
    block: bytes

    @property
    def next(self) -> int:
        """The sequence behind the last record."""
        return self.sequence + self.records


class CorruptSegment(Exception):
    """A frame that was once acknowledged cannot be read back."""


class Segment:
    """Owns one file. All calls come from one thread, but for `sync_file` on `descriptor`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first = int(path.name.removesuffix(SUFFIX))
        self.next = self.first
        self.size = 0
        self.oldest = 0
        self.newest = 0
        self.descriptor: int | None = None
        self._sequences = array("Q")
        self._offsets = array("Q")
        self._times = array("Q")

    @classmethod
    def create(cls, folder: Path, first: int) -> Segment:
        """A new, empty segment, whose name is on disk when this returns."""
        segment = cls(folder / f"{first:020d}{SUFFIX}")
        segment.open()
        sync_folder(folder)
        return segment

    def open(self) -> None:
        if self.descriptor is None:
            self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def append(self, block: bytes, count: int, time: int) -> None:
        """Write a frame at the end. It is durable only after the next sync; a failed write leaves no trace."""
        assert self.descriptor is not None
        header = _header(Frame(self.next, count, time, block))
        size = len(header) + len(block)
        try:
            if os.pwritev(self.descriptor, [header, block], self.size) != size:
                raise OSError(f"a frame was written in part to {self.path}")
        except OSError:
            os.ftruncate(self.descriptor, self.size)
            raise
        self._account(self.size, self.next, count, time)
        self.size += size

    def recover(self, cut: bool) -> int:
        """Read the file's frames into the index; returns how many bytes of a torn tail were removed.

        `cut`: this is the newest segment, every checksum is verified and the file ends before the first bad frame.
        """
        self.open()
        assert self.descriptor is not None
        length = os.fstat(self.descriptor).st_size
        for offset, sequence, count, time in self._headers(self.descriptor, length, verify=cut):
            self._account(offset, sequence, count, time)
        if self.size == length:
            return 0
        if not cut:
            raise CorruptSegment(f"{self.path} is damaged at byte {self.size}")
        os.ftruncate(self.descriptor, self.size)
        os.fsync(self.descriptor)
        return length - self.size

    def read(self, sequence: int, records: int, size: int) -> list[Frame]:
        """Whole frames from the one that holds `sequence`: at least one, about `records` records and `size` bytes."""
        frames: list[Frame] = []
        with self._descriptor() as descriptor:
            offset = self._offsets[bisect_right(self._sequences, sequence) - 1]
            left = records
            while offset < self.size and left > 0 and size > 0:
                for frame, after in self._frames(descriptor, offset):
                    offset = after
                    if frame.next <= sequence:
                        continue
                    left -= frame.next - max(sequence, frame.sequence)
                    size -= len(frame.block)
                    frames.append(frame)
                    if left <= 0 or size <= 0:
                        break
        return frames

    def after(self, time: int) -> Frame:
        """The first frame accepted at or after `time`; there must be one."""
        with self._descriptor() as descriptor:
            # Times never fall, but equal ones may span index entries: begin at the entry before the first of them.
            at = max(0, bisect_right(self._times, time - 1) - 1)
            offset = self._offsets[at]
            while offset < self.size:
                for frame, after in self._frames(descriptor, offset):
                    offset = after
                    if frame.time >= time:
                        return frame
        raise CorruptSegment(f"{self.path} holds no record of its newest time")

    def _account(self, offset: int, sequence: int, count: int, time: int) -> None:
        if not self._offsets or offset - self._offsets[-1] >= INDEX_STEP:
            self._sequences.append(sequence)
            self._offsets.append(offset)
            self._times.append(time)
        self.oldest = self.oldest or time
        self.newest = time
        self.next = sequence + count

    def _headers(self, descriptor: int, length: int, verify: bool) -> Iterator[tuple[int, int, int, int]]:
        """Every sound frame's offset, sequence, count and time; `size` ends behind the last one."""
        while self.size + HEADER.size <= length:
            header = os.pread(descriptor, HEADER.size, self.size)
            magic, crc, bytes_, count, sequence, time = HEADER.unpack(header)
            end = self.size + HEADER.size + bytes_
            if magic != MAGIC or sequence != self.next or count == 0 or end > length:
                return
            if verify and crc != _checksum(header, os.pread(descriptor, bytes_, self.size + HEADER.size)):
                return
            yield self.size, sequence, count, time
            self.size = end

    def _frames(self, descriptor: int, offset: int) -> Iterator[tuple[Frame, int]]:
        """The frames that one read of the file brings, each with the offset behind it; at least one."""
        buffer = os.pread(descriptor, min(READ_AHEAD, self.size - offset), offset)
        at = 0
        while at + HEADER.size <= len(buffer):
            header = buffer[at : at + HEADER.size]
            magic, crc, bytes_, count, sequence, time = HEADER.unpack(header)
            if magic != MAGIC or bytes_ > MAX_BLOCK:
                raise CorruptSegment(f"{self.path} is damaged at byte {offset + at}")
            block = buffer[at + HEADER.size : at + HEADER.size + bytes_]
            if len(block) < bytes_:
                if at:
                    return
                block = os.pread(descriptor, bytes_, offset + HEADER.size)
            if crc != _checksum(header, block):
                raise CorruptSegment(f"{self.path} is damaged at byte {offset + at}")
            at += HEADER.size + bytes_
            yield Frame(sequence, count, time, block), offset + at

    @contextmanager
    def _descriptor(self) -> Iterator[int]:
        if self.descriptor is not None:
            yield self.descriptor
            return
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def sync_file(descriptor: int) -> None:
    """Make the data of a file durable, and of its metadata what is needed to read it."""
    getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS has only the latter


def sync_folder(folder: Path) -> None:
    """Make names that were created in or removed from `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _header(frame: Frame) -> bytes:
    bare = HEADER.pack(MAGIC, 0, len(frame.block), frame.records, frame.sequence, frame.time)
    return HEADER.pack(MAGIC, _checksum(bare, frame.block), len(frame.block), frame.records, frame.sequence, frame.time)


def _checksum(header: bytes, block: bytes) -> int:
    """CRC-32C over what stands behind the checksum itself: lengths, sequence and time count as much as the data."""
    return int(google_crc32c.extend(google_crc32c.value(header[8:]), block))
