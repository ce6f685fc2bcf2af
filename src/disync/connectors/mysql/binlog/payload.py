"""TRANSACTION_PAYLOAD: a transaction whose events lie, mostly compressed, in one event (MySQL 8.0.20 and later).

Its body is a list of fields (kind, length of the value, value; each a length-encoded number) up to an end mark, and
then the payload. The events inside have no checksums, and their places in the file mean nothing.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import zstandard

from disync.connectors.mysql.binlog import events
from disync.connectors.mysql.binlog.cursor import Cursor
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import HEADER_SIZE, MAX_INFLATED, Event, Kind

_END, _SIZE, _COMPRESSION, _INFLATED = 0, 1, 2, 3
_ZSTD, _NONE = 0, 255

MAX_WINDOW = 1 << 27
"""The most that the decompressor keeps to look back at, in bytes: far more than MySQL's own levels ask for."""


def unfolded(body: bytes) -> Iterator[bytes]:
    """The events of a TRANSACTION_PAYLOAD, one after another; only one is held at a time, however many there are.

    Cut short or garbled: BrokenLog.
    """
    source, size = _opened(body)
    try:
        read = 0
        while head := _bytes(source, HEADER_SIZE):
            found = events.HEADER.unpack(head)
            length = found[3]
            if not HEADER_SIZE <= length <= MAX_INFLATED or found[1] == Kind.TRANSACTION_PAYLOAD:
                raise BrokenLog(f"A compressed transaction holds an event of kind {found[1]} and {length} bytes.")
            found_body = _bytes(source, length - HEADER_SIZE)
            if len(found_body) != length - HEADER_SIZE:
                raise BrokenLog("A compressed transaction ends in the middle of an event.")
            read += length
            yield head + found_body
    except zstandard.ZstdError as error:
        raise BrokenLog(f"A compressed transaction cannot be read: {error}.") from error
    if size is not None and read != size:
        raise BrokenLog(f"A compressed transaction has {read} bytes instead of {size}.")


def inner(data: bytes) -> Event:
    """One of these events. It has `end` 0, as events do that are not in the file themselves: where it says that it ends
    was written before anyone knew where it would lie."""
    found = replace(events.parse(data, False), end=0)
    events.refuse(found)
    return found


def _opened(body: bytes) -> tuple[io.BufferedIOBase | zstandard.ZstdDecompressionReader, int | None]:
    """(a reader of the payload, the size it should have)"""
    cursor = Cursor(body)
    fields: dict[int, int] = {}
    while (kind := cursor.length()) != _END:
        value = Cursor(cursor.take(cursor.length()))
        if kind in (_SIZE, _COMPRESSION, _INFLATED):
            fields[kind] = value.length()
    if _SIZE not in fields or _COMPRESSION not in fields:
        raise BrokenLog("A compressed transaction does not say how large it is or how it is compressed.")
    if fields[_SIZE] != cursor.left:
        raise BrokenLog(f"A compressed transaction has {cursor.left} bytes instead of {fields[_SIZE]}.")
    payload = io.BytesIO(memoryview(body)[cursor.at :])
    if fields[_COMPRESSION] == _NONE:
        return payload, fields.get(_INFLATED, cursor.left)
    if fields[_COMPRESSION] != _ZSTD:
        raise NotServed(f"The log holds transactions that are compressed in an unknown way ({fields[_COMPRESSION]}).")
    inflater = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    return inflater.stream_reader(payload, read_across_frames=True), fields.get(_INFLATED)


def _bytes(source: io.BufferedIOBase | zstandard.ZstdDecompressionReader, count: int) -> bytes:
    """So many bytes; none at the end; BrokenLog where a header begins that does not end."""
    parts: list[bytes] = []
    left = count
    while left:
        part = source.read(min(left, 1 << 20))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    found = b"".join(parts)
    if 0 < len(found) < min(count, HEADER_SIZE):
        raise BrokenLog("A compressed transaction ends in the middle of an event.")
    return found
