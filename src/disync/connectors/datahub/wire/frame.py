"""The envelope of protobuf bodies, and content compression with bounds."""

from __future__ import annotations

import struct
import zlib

import google_crc32c
import lz4.block

from disync.connectors.datahub.wire.errors import Malformed

MAGIC = b"DHUB"
_HEAD = struct.Struct(">4sII")
PLAIN = ("", "identity", "deflate")
"""Encodings that leave the bytes as they are; the vendor's Python client sends plain bytes under `deflate`."""


def crc32c(data: bytes) -> int:
    return int(google_crc32c.value(data))


def wrap(payload: bytes) -> bytes:
    """The frame around a protobuf message: magic, CRC-32C, length."""
    return _HEAD.pack(MAGIC, crc32c(payload), len(payload)) + payload


def unwrap(body: bytes) -> bytes:
    """The protobuf message in a frame; Malformed on a wrong magic, length or checksum."""
    if len(body) < _HEAD.size:
        raise Malformed("the body is shorter than the frame's header")
    magic, crc, length = _HEAD.unpack_from(body)
    payload = bytes(body[_HEAD.size :])
    if magic != MAGIC:
        raise Malformed("the body does not begin with DHUB")
    if length != len(payload):
        raise Malformed(f"the frame says {length} bytes and holds {len(payload)}")
    if crc != crc32c(payload):
        raise Malformed("the frame's checksum is wrong")
    return payload


def compress(data: bytes, encoding: str) -> bytes:
    """`data` under a Content-Encoding (`lz4`: a raw block with no size in it; `zlib`; or one of PLAIN)."""
    if encoding in PLAIN:
        return data
    if encoding == "lz4":
        return bytes(lz4.block.compress(data, store_size=False))
    if encoding == "zlib":
        return zlib.compress(data, 1)
    raise Malformed(f"unknown encoding {encoding!r}")


def decompress(data: bytes, encoding: str, raw_size: int, limit: int) -> bytes:
    """The `raw_size` bytes that `data` was made from. Never allocates more than `limit`: Malformed beyond it."""
    if encoding in PLAIN:
        if len(data) > limit:
            raise Malformed(f"{len(data)} bytes are more than the {limit} allowed")
        return data
    if not 0 <= raw_size <= limit:
        raise Malformed(f"a raw size of {raw_size} is not within 0 and {limit}")
    if encoding == "lz4":
        raw = _inflate_lz4(data, raw_size)
    elif encoding == "zlib":
        raw = _inflate_zlib(data, raw_size)
    else:
        raise Malformed(f"unknown encoding {encoding!r}")
    if len(raw) != raw_size:
        raise Malformed(f"{len(raw)} bytes came out of the {encoding} data, not {raw_size}")
    return raw


def _inflate_lz4(data: bytes, raw_size: int) -> bytes:
    try:
        return bytes(lz4.block.decompress(data, uncompressed_size=raw_size))
    except (lz4.block.LZ4BlockError, ValueError, OverflowError) as error:
        raise Malformed("the lz4 data is broken") from error


def _inflate_zlib(data: bytes, raw_size: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, raw_size + 1)  # one more than allowed, so that excess shows
    except zlib.error as error:
        raise Malformed("the zlib data is broken") from error
    if not inflater.eof or inflater.unused_data:
        raise Malformed("the zlib data does not end where its raw size says")
    return raw
