"""Cursors: opaque to clients, and refused by every shard but the one they were given for."""

from __future__ import annotations

from zlib import crc32

from disync.datahub.errors import Fault


def dump(topic_id: int, shard_id: int, sequence: int) -> str:
    body = f"{topic_id:08x}{shard_id:04x}{sequence:016x}"
    return f"{body}{crc32(body.encode()) & 0xFFFF:04x}"


def parse(text: str, topic_id: int, shard_id: int) -> int:
    """The sequence that a cursor points at."""
    try:
        sequence = int(text[12:28], 16)
    except ValueError:
        sequence = -1
    if sequence < 0 or dump(topic_id, shard_id, sequence) != text:
        raise Fault("InvalidCursor", f"{text[:64]!r} is no cursor of this shard")
    return sequence
