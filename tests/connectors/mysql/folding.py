"""What MySQL does with binlog_transaction_compression, done to the log that a MariaDB sends: whole transactions are
folded into TRANSACTION_PAYLOAD events on their way to the task."""

from __future__ import annotations

import struct
import zlib

import zstandard

from disync.connectors.mysql.binlog.events import HEADER, HEADER_SIZE, Kind

ZSTD, NONE = 0, 255


def event(
    kind: int, body: bytes, end: int = 0, *, time: int = 1, server: int = 1, sum_: bool = False, flags: int = 0
) -> bytes:
    size = HEADER_SIZE + len(body) + 4 * sum_
    data = HEADER.pack(time, kind, server, size, end, flags) + body
    return data + struct.pack("<I", zlib.crc32(data)) if sum_ else data


def number(value: int) -> bytes:
    """Length-encoded."""
    if value < 251:
        return bytes([value])
    return b"\xfc" + struct.pack("<H", value) if value < 1 << 16 else b"\xfe" + struct.pack("<Q", value)


def payload(inner: bytes, compression: int = ZSTD, **fields: int) -> bytes:
    """The body of a TRANSACTION_PAYLOAD; `fields` may lie."""
    packed = zstandard.ZstdCompressor().compress(inner) if compression == ZSTD else inner
    said = {"compression": compression, "size": len(packed), "inflated": len(inner), **fields}
    body = b""
    for kind, name in ((2, "compression"), (3, "inflated"), (1, "size")):
        value = number(said[name])
        body += number(kind) + number(len(value)) + value
    return body + number(0) + packed


BEGIN = event(Kind.QUERY, struct.pack("<IIBHH", 1, 0, 0, 0, 0) + b"\0BEGIN")


class Rewriting:
    """One connection: once the log is being sent, every packet is what `changed` makes of it; None: it is left out."""

    def __init__(self) -> None:
        self._dumps = False
        self._held = b""
        self._sequence = 1

    def changed(self, packet: bytes) -> bytes | None:
        raise NotImplementedError

    def asked(self, data: bytes) -> None:
        self._dumps = self._dumps or data[4:5] == b"\x12"

    def answered(self, data: bytes) -> bytes:
        if not self._dumps:
            return data
        self._held += data
        out = b""
        while len(self._held) >= 4 and len(self._held) >= 4 + (size := int.from_bytes(self._held[:3], "little")):
            packet, self._held = self._held[4 : 4 + size], self._held[4 + size :]
            changed = self.changed(packet) if packet[:1] == b"\0" else packet
            if changed is not None:
                out += struct.pack("<I", len(changed) | self._sequence << 24) + changed
                self._sequence = (self._sequence + 1) & 0xFF
        return out


class Folding(Rewriting):
    """Folds from the first TABLE_MAP of a transaction to its XID."""

    compression = ZSTD

    def __init__(self) -> None:
        super().__init__()
        self._inner: list[bytes] | None = None
        self.folded = 0

    def changed(self, packet: bytes) -> bytes | None:
        time, kind, server, _, end, _ = HEADER.unpack_from(packet, 1)
        if kind == Kind.TABLE_MAP and self._inner is None:
            self._inner = [BEGIN]
        if self._inner is None:
            return packet
        body = packet[1 + HEADER_SIZE : -4]
        self._inner.append(event(kind, body, end, time=time, server=server))
        if kind != Kind.XID:
            return None
        inner, self._inner = b"".join(self._inner), None
        self.folded += 1
        folded = event(Kind.TRANSACTION_PAYLOAD, payload(inner, self.compression), end, time=time, sum_=True)
        return b"\0" + folded


class Packing(Folding):
    """The same, uncompressed."""

    compression = NONE


class Replacing(Rewriting):
    """Puts another event in the place of every one of a kind; of none where `kind` is `old`: then a byte is spoilt."""

    def __init__(self, old: int, kind: int, body: bytes = b"", flags: int = 0) -> None:
        super().__init__()
        self._old, self._kind, self._body, self._flags = old, kind, body, flags

    def changed(self, packet: bytes) -> bytes | None:
        time, kind, server, _, end, _ = HEADER.unpack_from(packet, 1)
        if kind != self._old:
            return packet
        if kind == self._kind:
            return packet[:-6] + bytes([packet[-6] ^ 1]) + packet[-5:]
        return b"\0" + event(self._kind, self._body, end, time=time, server=server, sum_=True, flags=self._flags)
