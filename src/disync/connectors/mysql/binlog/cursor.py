"""Reading bytes in order. Whoever asks for more than there is gets BrokenLog, never an IndexError or short bytes."""

from __future__ import annotations

import struct

from disync.connectors.mysql.binlog.errors import BrokenLog


class Cursor:
    """A place in `data`, which ends at `end`."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        return self.end - self.at

    def take(self, count: int) -> bytes:
        at = self.at
        if count < 0 or at + count > self.end:
            raise BrokenLog(f"The binary log breaks off: {count} bytes expected, {self.end - at} found.")
        self.at = at + count
        return self.data[at : at + count]

    def skip(self, count: int) -> None:
        self.take(count)

    def uint(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def length(self) -> int:
        """A length-encoded integer."""
        first = self.uint(1)
        if first < 0xFB:
            return first
        if first in (0xFC, 0xFD, 0xFE):
            return self.uint({0xFC: 2, 0xFD: 3, 0xFE: 8}[first])
        raise BrokenLog(f"The binary log has a length that begins with {first:#x}.")

    def text(self, count: int) -> str:
        data = self.take(count)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BrokenLog(f"The binary log has a name that is not UTF-8: {data[:40].hex(' ')}.") from error


def unpack(form: struct.Struct, data: bytes, at: int) -> tuple[int, ...]:
    """Fixed numbers at a place; BrokenLog where they do not fit."""
    try:
        found: tuple[int, ...] = form.unpack_from(data, at)
    except struct.error as error:
        raise BrokenLog(f"The binary log breaks off: {error}.") from error
    return found
