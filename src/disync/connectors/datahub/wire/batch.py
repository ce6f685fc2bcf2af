"""The BATCH block: many records in one compressed, checksummed piece of bytes.

A block is a 26-byte header and a body, little-endian, the body compressed as a whole:

    block   "DHUB", version i32, length u32 (header included), raw size u32, crc32c of the stored body u32,
            attributes u16 (low two bits: 0 none, 1 deflate (plain bytes), 2 lz4, 3 zlib; bit 3 always set), records u32
    record  encoding i32, schema version i32 (-1: BLOB), size u32, offset of the attributes u32,
            then field count i32, presence bits (groups of 64), 8 bytes a field, long values, attributes
    field   numbers in place; texts up to 7 bytes in place with 0x80|length in the last byte, longer ones as
            length u32 and offset u32 counted from the end of the record's 16-byte header

Blocks pass between equal topics as they are; `count`, `validate`, `versions` and `cut` never look into a field.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from disync.connectors.datahub.wire import record
from disync.connectors.datahub.wire.entry import Entry, Failed
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.frame import MAGIC, compress, crc32c, decompress
from disync.connectors.datahub.wire.schema import Schema

BLOB_VERSION = record.BLOB_VERSION
MAX_RAW = 64 * 1024 * 1024
"""The most that a block may hold decompressed, unless a caller says otherwise."""

_HEAD = struct.Struct("<4siIIIHI")
_SIZE = struct.Struct("<I")
_VERSION_SIZE = struct.Struct("<iI")
_ENCODINGS = ("", "deflate", "lz4", "zlib")
_CHECKED = 8
_T = TypeVar("_T")


def count(block: bytes) -> int:
    """How many records the block says it holds; header and checksum are checked on the way."""
    return _head(block)[2]


def raw_size(block: bytes) -> int:
    """How many bytes the block's body has when decompressed, as its header says."""
    return _head(block)[1]


def validate(block: bytes, limit: int = MAX_RAW) -> int:
    """Check header, length, checksum and sizes without opening the body; the number of records.

    What the records hold is not looked at: `check` does that.
    """
    encoding, size, records = _head(block)
    if size > limit:
        raise Malformed(f"the block holds {size} bytes, {limit} are allowed")
    if records * record.SMALLEST > size:
        raise Malformed(f"{records} records do not fit into {size} bytes")
    if encoding in ("", "deflate") and size != len(block) - _HEAD.size:
        raise Malformed("the block's raw size is not its length")
    return records


def pack(records: Sequence[bytes], compression: str = "lz4") -> bytes:
    """A block of encoded records. Bytes that compression does not shrink are stored as they are."""
    raw = b"".join(records)
    body, kind = raw, 0
    if compression:
        packed = compress(raw, compression)
        if len(packed) < len(raw):
            body, kind = packed, _ENCODINGS.index(compression)
    length = _HEAD.size + len(body)
    return _HEAD.pack(MAGIC, 0, length, len(raw), crc32c(body), kind | _CHECKED, len(records)) + body


def unpack(block: bytes, limit: int = MAX_RAW) -> list[bytes]:
    """The encoded records of a block, each still closed: the inverse of `pack`."""
    raw, number = _body(block, limit)
    found: list[bytes] = []
    start, end, size_at, smallest = 0, len(raw), _SIZE.unpack_from, record.SMALLEST
    while end - start >= smallest:
        stop = start + size_at(raw, start + 8)[0]
        if stop - start < smallest or stop > end:
            raise Malformed(f"record {len(found)} does not lie within its block")
        found.append(raw[start:stop])
        start = stop
    if start != end or len(found) != number:
        raise Malformed(f"the block says {number} records and holds {len(found)}")
    return found


def cut(block: bytes, skip: int, compression: str = "lz4") -> bytes:
    """The block without its first `skip` records."""
    return pack(unpack(block)[skip:], compression)


def versions(block: bytes) -> frozenset[int]:
    """The schema versions that the block's records name (-1: BLOB). Walks from record to record: some 0.2 µs each."""
    raw, number = _body(block, MAX_RAW)
    found: set[int] = set()
    at, end, walked, both_at, smallest = 0, len(raw), 0, _VERSION_SIZE.unpack_from, record.SMALLEST
    while end - at >= smallest:
        version, size = both_at(raw, at + 4)
        if size < smallest:
            break
        found.add(version)
        at += size
        walked += 1
    if at != end or walked != number:
        raise Malformed(f"the block does not hold the {number} records it says")
    return frozenset(found)


def restamp(block: bytes, version: int) -> bytes:
    """The block with its records under another schema version: for a schema that two topics number differently."""
    stamp = struct.pack("<i", version)
    return pack([one[:4] + stamp + one[8:] for one in unpack(block)])


def encode(entries: Sequence[Entry], schema: Schema | None, compression: str = "lz4", version: int = 0) -> bytes:
    """A block of these entries; Malformed, with its index, at the first entry that does not fit the schema."""
    encoded, failed = encode_each(entries, schema, version)
    if failed:
        raise Malformed(failed[0].message, failed[0].index)
    return pack(encoded, compression)


def encode_each(entries: Sequence[Entry], schema: Schema | None, version: int = 0) -> tuple[list[bytes], list[Failed]]:
    """Each entry as an encoded record, ready for `pack`; and, left out of those, the entries that do not fit."""
    encode_one = record.encoder(schema, version)
    good: list[bytes] = []
    failed: list[Failed] = []
    for index, entry in enumerate(entries):
        try:
            good.append(encode_one(entry))
        except Malformed as error:
            failed.append(Failed(index, "MalformedRecord", str(error)))
    return good, failed


def decode(block: bytes, schema: Schema | None, known: Mapping[int, Schema] | None = None) -> list[Entry]:
    """The entries of a block, without sequences (those are the server's).

    A record is read by the schema that `known` has for its version, else by `schema`; a record with fewer fields
    than that was written before fields were appended, and gets nulls for them.
    """
    return _each(block, schema, known or {}, record.entries_of)


def rows(block: bytes, schema: Schema | None, known: Mapping[int, Schema] | None = None) -> list[tuple[Any, ...]]:
    """As `decode`, but each record as the Python values that the model stores, without attributes."""
    return _each(block, schema, known or {}, record.rows_of)


def _each(
    block: bytes,
    schema: Schema | None,
    known: Mapping[int, Schema],
    make: Callable[[Schema | None], Callable[[bytes], _T]],
) -> list[_T]:
    readers: dict[int, Callable[[bytes], _T]] = {}
    found: list[_T] = []
    for index, one in enumerate(unpack(block)):
        version = record.version_of(one)
        read = readers.get(version)
        if read is None:
            read = readers[version] = make(known.get(version, schema))
        try:
            found.append(read(one))
        except Malformed as error:
            raise Malformed(f"record {index}: {error}", index) from error
        except UnicodeDecodeError as error:
            raise Malformed(f"record {index} holds a text that is not UTF-8", index) from error
    return found


def _body(block: bytes, limit: int) -> tuple[bytes, int]:
    """The decompressed body of a block, and its number of records."""
    encoding, size, number = _head(block)
    raw = decompress(block[_HEAD.size :], encoding, size, limit)
    if len(raw) != size:
        raise Malformed("the block's raw size is not its length")
    return raw, number


def _head(block: bytes) -> tuple[str, int, int]:
    """Encoding, raw size and number of records of a block whose header and checksum are right."""
    if len(block) < _HEAD.size:
        raise Malformed("the block is shorter than its header")
    magic, version, length, size, crc, attributes, number = _HEAD.unpack_from(block)
    if magic != MAGIC or version != 0:
        raise Malformed("this is no BATCH block of version 0")
    if length != len(block):
        raise Malformed(f"the block says {length} bytes and has {len(block)}")
    if crc != crc32c(block[_HEAD.size :]):
        raise Malformed("the block's checksum is wrong")
    return _ENCODINGS[attributes & 3], size, number
