"""One record in its canonical form, which every format is decoded to and encoded from."""

from __future__ import annotations

import msgspec


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record. `data` holds one `bytes | None` a field, in schema order: the UTF-8 *text* of the value.

    That is the form protobuf carries (bigint `b"1"`, boolean `b"true"`, double `b"1.5"`, timestamp in microseconds,
    decimal in its own digits), so protobuf costs no conversion and JSON only a decode. A BLOB record has exactly one
    item: its raw bytes. Decoders do not check texts against a schema; `batch.records` does.

    `sequence`, `system_time` (ms) and the cursors are the server's; `shard_id`, `hash_key` (hex) and `partition_key`
    are the ways a writer may name a shard, empty where unused.
    """

    data: tuple[bytes | None, ...]
    attributes: dict[str, str] = {}
    shard_id: str = ""
    hash_key: str = ""
    partition_key: str = ""
    sequence: int = 0
    system_time: int = 0
    cursor: str = ""
    next_cursor: str = ""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A record of a put that was not taken: its index in the request, and why."""

    index: int
    code: str
    message: str


class Records(msgspec.Struct, frozen=True, gc=False):
    """The answer to a JSON or protobuf get. `start_sequence`: that of the first entry, -1 where there is none."""

    next_cursor: str
    start_sequence: int
    entries: list[Entry]


class Block(msgspec.Struct, frozen=True, gc=False):
    """A BATCH block as a get delivers it. `sequence` and `system_time` are those of its first record; the records
    of a block are numbered one by one from there."""

    data: bytes
    sequence: int = 0
    system_time: int = 0
    cursor: str = ""
    next_cursor: str = ""
    serial: int = 0


class Blocks(msgspec.Struct, frozen=True, gc=False):
    """The answer to a BATCH get: whole blocks. `latest_*` are those of the newest record in the shard."""

    next_cursor: str
    start_sequence: int
    blocks: list[Block]
    latest_sequence: int = 0
    latest_time: int = 0
