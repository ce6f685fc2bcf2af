"""Request nonces in a file of their own, for a store without a database server: a table of slots, shared by processes.

Every request writes a nonce, and nothing ever reads one but the next request that brings the same. For that a database
does too much: a transaction of SQLite costs more CPU than verifying a signature. Here a claim is one read of 512 bytes
and one write of 16, under a lock of the file that dies with its holder.

A slot is a nonce's name, which is 64 bits of a keyed hash, and when it expires. 64 more bits of the hash choose the
bucket. A bucket fills from its beginning; then slots that have expired are used again; where there is none, the file
gets one more level, larger than all before. A nonce lies in any one level, so a claim looks into all of them (three
for a million nonces). What was claimed is in the kernel when the claim returns, so a killed process loses nothing; a
power failure may lose what came last.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
from hashlib import blake2b
from pathlib import Path

_MAGIC = b"disync nonces 1\n"
_HEADER = 4096
_SLOT = 16
_SLOTS = 32
_BUCKET = _SLOT * _SLOTS
_FIRST_LEVEL = 1024
"""Buckets. The file is sparse: a level takes the room that is used of it."""
_FACTOR = 8
_EXPIRY = struct.Struct("<8xQ")
_EXPIRIES = struct.Struct("<" + "8xQ" * _SLOTS)


class NonceFile:
    """One for a process; safe to share between threads. The key of the hash lies in the file's header."""

    def __init__(self, path: Path) -> None:
        self._thread = threading.Lock()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._key = self._header()
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def claim(self, nonce: bytes, expires_ms: int, now_ms: int) -> bool:
        """True where the nonce was not claimed before, or its claim has expired."""
        hashed = blake2b(nonce, digest_size=16, key=self._key).digest()
        name, spread = hashed[:8], int.from_bytes(hashed[8:], "little")
        # The file's lock keeps processes apart, and not the threads of one.
        with self._thread:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                place = self._free_slot(name, spread, now_ms)
                if place is None:
                    return False
                os.pwrite(self._file, name + expires_ms.to_bytes(8, "little"), place)
                return True
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        with self._thread:
            # Not kept: the number may be another file's by the time of a late claim.
            file, self._file = self._file, -1
            if file >= 0:
                os.close(file)

    def _header(self) -> bytes:
        header = os.pread(self._file, len(_MAGIC) + 16, 0)
        if not header.startswith(_MAGIC):
            header = _MAGIC + os.urandom(16)
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, header, 0)
            os.ftruncate(self._file, _HEADER + _FIRST_LEVEL * _BUCKET)
            os.fsync(self._file)
        return header[len(_MAGIC) :]

    def _free_slot(self, name: bytes, spread: int, now_ms: int) -> int | None:
        """Where the nonce may be written; None if it is there and has not expired."""
        # Another process may have added a level since the last claim: the file's size tells.
        end = os.lseek(self._file, 0, os.SEEK_END)
        level, buckets, free = _HEADER, _FIRST_LEVEL, None
        while level < end:
            place = level + spread % buckets * _BUCKET
            bucket = os.pread(self._file, _BUCKET, place)
            if _holds(bucket, name, now_ms):
                return None
            if free is None and (slot := _free_in(bucket, now_ms)) is not None:
                free = place + slot
            level += buckets * _BUCKET
            buckets *= _FACTOR
        if free is None:
            os.ftruncate(self._file, level + buckets * _BUCKET)
            free = level + spread % buckets * _BUCKET
        return free


def _holds(bucket: bytes, name: bytes, now_ms: int) -> bool:
    at = bucket.find(name)
    while at >= 0:
        # The name may be there once expired and once not, or only seem to be there across two slots.
        if at % _SLOT == 0 and _EXPIRY.unpack_from(bucket, at)[0] > now_ms:
            return True
        at = bucket.find(name, at + 1)
    return False


def _free_in(bucket: bytes, now_ms: int) -> int | None:
    """The offset of a slot never used, else of one that has expired."""
    used = -(-len(bucket.rstrip(b"\0")) // _SLOT) * _SLOT
    if used < _BUCKET:
        return used
    expiries = _EXPIRIES.unpack(bucket)
    oldest = min(expiries)
    return expiries.index(oldest) * _SLOT if oldest <= now_ms else None
