"""A server's bytes, made by hand: payloads in packets, events of a log, and a socket that hands them out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

from disync.native.packets import Packets

MOST = 0xFFFFFF


def framed(payloads: Iterable[bytes], sequence: int = 1) -> bytes:
    """Payloads as packets; a long one goes on in the next."""
    found = []
    for payload in payloads:
        for at in range(0, len(payload) + 1, MOST):
            part = payload[at : at + MOST]
            found.append(struct.pack("<I", len(part))[:3] + bytes([sequence & 0xFF]) + part)
            sequence += 1
    return b"".join(found)


class Feed:
    """Hands out `data`, at most `step` bytes at a time, as a socket's recv_into."""

    def __init__(self, data: bytes, step: int = 1 << 30) -> None:
        self._data, self._step, self._at = data, step, 0

    def __call__(self, into: memoryview) -> int:
        count = min(len(into), self._step, len(self._data) - self._at)
        into[:count] = self._data[self._at : self._at + count]
        self._at += count
        return count


def received(data: bytes, sequence: int = 1) -> Packets:
    """Packets that hold all of `data`."""
    packets, feed = Packets(sequence), Feed(data)
    while packets.receive(feed):
        pass
    return packets


def length(number: int) -> bytes:
    """A length as the protocol writes it."""
    if number < 0xFB:
        return bytes([number])
    if number < 1 << 16:
        return b"\xfc" + struct.pack("<H", number)
    return b"\xfd" + struct.pack("<I", number)[:3] if number < 1 << 24 else b"\xfe" + struct.pack("<Q", number)


def packed_row(cells: Sequence[bytes | None], widths: bytes) -> bytes:
    """A row of a prepared statement's result: cells of no fixed width get their length in front."""
    nulls = bytearray((len(cells) + 9) // 8)
    data = []
    for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if cell is None:
            nulls[(place + 2) // 8] |= 1 << (place + 2) % 8
        else:
            data.append(cell if width else length(len(cell)) + cell)
    return b"\0" + bytes(nulls) + b"".join(data)


END = b"\xfe\0\0\2\0"
"""What ends a result."""


def event(kind: int, body: bytes, at: int = 4, checksum: bool = True) -> bytes:
    """An event of a log, as it would lie at this place of the file."""
    size = 19 + len(body) + (4 if checksum else 0)
    data = struct.pack("<IBIIIH", 1_700_000_000, kind, 7, size, (at + size) & 0xFFFFFFFF, 0) + body
    return data + struct.pack("<I", zlib.crc32(data)) if checksum else data


def logged(events: Iterable[bytes]) -> bytes:
    """Events in the packets that a server sends them in."""
    return framed(b"\0" + one for one in events)
