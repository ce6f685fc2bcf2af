"""The protobuf messages of record calls, written by hand: few, fixed, and each varint checked against its bounds.

PutRecordsRequest        1 RecordEntry*
RecordEntry              1 shard id, 2 hash key, 3 partition key, 4 cursor, 5 next cursor, 6 sequence,
                         7 system time, 8 {1 {1 key, 2 value}*}, 9 {1 {1 bytes?}*}  (no bytes: null)
PutRecordsResponse       1 failed count, 2 {1 index, 2 code, 3 message}*
GetRecordsRequest        1 cursor, 2 limit
GetRecordsResponse       1 next cursor, 2 record count, 3 start sequence, 4 RecordEntry*
PutBinaryRecordsRequest  1 BinaryRecordEntry*
BinaryRecordEntry        1 cursor, 2 next cursor, 3 sequence, 4 system time, 5 serial, 6 block
GetBinaryRecordsResponse as GetRecordsResponse with BinaryRecordEntry*, and 5 latest sequence, 6 latest time
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from disync.connectors.datahub.wire.entry import Block, Blocks, Entry, Failed, Records
from disync.connectors.datahub.wire.errors import Malformed

Value = int | bytes
_MASK = (1 << 64) - 1


def encode_put(entries: Sequence[Entry]) -> bytes:
    """PutRecordsRequest."""
    return b"".join([_nested(1, _entry_bytes(entry)) for entry in entries])


def decode_put(message: bytes) -> list[Entry]:
    """PutRecordsRequest."""
    return [_entry(_bytes(value)) for number, value in _members(message) if number == 1]


def encode_put_reply(failed: Sequence[Failed]) -> bytes:
    """PutRecordsResponse."""
    parts = [_number(1, len(failed))]
    parts += [_nested(2, _number(1, f.index) + _text(2, f.code) + _text(3, f.message)) for f in failed]
    return b"".join(parts)


def decode_put_reply(message: bytes) -> list[Failed]:
    """PutRecordsResponse."""
    failed: list[Failed] = []
    for number, value in _members(message):
        if number == 2:
            found = dict(_members(_bytes(value)))
            failed.append(Failed(_int(found.get(1, 0)), _str(found.get(2, b"")), _str(found.get(3, b""))))
    return failed


def encode_get(cursor: str, limit: int) -> bytes:
    """GetRecordsRequest."""
    return _text(1, cursor) + _number(2, limit)


def decode_get(message: bytes) -> tuple[str, int]:
    """GetRecordsRequest: cursor and limit (1 where it is left out)."""
    found = dict(_members(message))
    return _str(found.get(1, b"")), _int(found.get(2, 1))


def encode_records(reply: Records) -> bytes:
    """GetRecordsResponse."""
    parts = [_text(1, reply.next_cursor), _number(2, len(reply.entries)), _number(3, reply.start_sequence)]
    parts += [_nested(4, _entry_bytes(entry)) for entry in reply.entries]
    return b"".join(parts)


def decode_records(message: bytes) -> Records:
    """GetRecordsResponse."""
    cursor, start = "", -1
    entries: list[Entry] = []
    for number, value in _members(message):
        if number == 4:
            entries.append(_entry(_bytes(value)))
        elif number == 1:
            cursor = _str(value)
        elif number == 3:
            start = _int(value)
    return Records(cursor, start, entries)


def encode_binary_put(blocks: Sequence[bytes]) -> bytes:
    """PutBinaryRecordsRequest."""
    return b"".join([_nested(1, _nested(6, block)) for block in blocks])


def decode_binary_put(message: bytes) -> list[bytes]:
    """PutBinaryRecordsRequest: its blocks, not looked into."""
    return [_block(_bytes(value)).data for number, value in _members(message) if number == 1]


def encode_blocks(reply: Blocks) -> bytes:
    """GetBinaryRecordsResponse."""
    parts = [_text(1, reply.next_cursor), _number(2, len(reply.blocks)), _number(3, reply.start_sequence)]
    parts += [_nested(4, _block_bytes(block)) for block in reply.blocks]
    parts += [_number(5, reply.latest_sequence), _number(6, reply.latest_time)]
    return b"".join(parts)


def decode_blocks(message: bytes) -> Blocks:
    """GetBinaryRecordsResponse."""
    found: dict[int, Value] = {}
    blocks: list[Block] = []
    for number, value in _members(message):
        if number == 4:
            blocks.append(_block(_bytes(value)))
        else:
            found[number] = value
    return Blocks(_str(found.get(1, b"")), _int(found.get(3, -1)), blocks, _int(found.get(5, 0)), _int(found.get(6, 0)))


# Writing.


def _varint(value: int) -> bytes:
    value &= _MASK
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _number(number: int, value: int) -> bytes:
    return bytes((number << 3,)) + _varint(value)


def _nested(number: int, value: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    try:
        return _nested(number, value.encode())
    except UnicodeEncodeError as error:
        raise Malformed("a text is no valid Unicode") from error


def _entry_bytes(entry: Entry) -> bytes:
    named = (entry.shard_id, entry.hash_key, entry.partition_key, entry.cursor, entry.next_cursor)
    parts = [_text(number, value) for number, value in enumerate(named, 1) if value]
    if entry.next_cursor or entry.sequence or entry.system_time:
        parts += [_number(6, entry.sequence), _number(7, entry.system_time)]
    if entry.attributes:
        pairs = [_nested(1, _text(1, key) + _text(2, value)) for key, value in entry.attributes.items()]
        parts.append(_nested(8, b"".join(pairs)))
    fields = [b"\x0a\x00" if value is None else _field_bytes(value) for value in entry.data]
    parts.append(_nested(9, b"".join(fields)))
    return b"".join(parts)


def _field_bytes(value: bytes) -> bytes:
    length = len(value)
    if length < 126:  # both lengths take one byte
        return bytes((0x0A, length + 2, 0x0A, length)) + value
    return _nested(1, _nested(1, value))


def _block_bytes(block: Block) -> bytes:
    parts = [_text(number, value) for number, value in ((1, block.cursor), (2, block.next_cursor)) if value]
    parts += [_number(3, block.sequence), _number(4, block.system_time), _number(5, block.serial)]
    return b"".join(parts) + _nested(6, block.data)


# Reading.


def _members(message: bytes) -> Iterator[tuple[int, Value]]:
    """The members of a message: field number, and an int or bytes. Unknown wire types of fixed width are skipped."""
    at, end = 0, len(message)
    while at < end:
        key = message[at]
        at += 1
        if key & 0x80:
            key, at = _long_varint(message, at - 1)
        kind = key & 7
        if kind == 2:
            length, at = _read_varint(message, at)
            if length > end - at:
                raise Malformed("a protobuf member is longer than its message")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind == 0:
            value, at = _read_varint(message, at)
            yield key >> 3, value
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            if at > end:
                raise Malformed("a protobuf member is longer than its message")
        else:
            raise Malformed(f"protobuf wire type {kind}")


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    if at < len(message) and message[at] < 0x80:
        return message[at], at + 1
    return _long_varint(message, at)


def _long_varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise Malformed("a protobuf number is cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
    raise Malformed("a protobuf number is longer than ten bytes")


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise Malformed("a protobuf number where bytes belong")
    return value


def _int(value: Value) -> int:
    """A signed 64-bit number."""
    if not isinstance(value, int):
        raise Malformed("protobuf bytes where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def _str(value: Value) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise Malformed("a protobuf text is not UTF-8") from error


def _entry(message: bytes) -> Entry:
    data: tuple[bytes | None, ...] = ()
    attributes: dict[str, str] = {}
    named: dict[int, Value] = {}
    for number, value in _members(message):
        if number == 9:
            data = _record_data(_bytes(value))
        elif number == 8:
            attributes = _attributes(_bytes(value))
        else:
            named[number] = value
    if not named:
        return Entry(data, attributes)
    texts = [_str(named[number]) if number in named else "" for number in (1, 2, 3, 4, 5)]
    sequence, time = _int(named.get(6, 0)), _int(named.get(7, 0))
    return Entry(data, attributes, texts[0], texts[1], texts[2], sequence, time, texts[3], texts[4])


def _record_data(message: bytes) -> tuple[bytes | None, ...]:
    values: list[bytes | None] = []
    at, end = 0, len(message)
    while at < end:
        # Nearly every field is short: tag, length, tag, length, value. Anything else takes the general way.
        if end - at >= 2 and message[at] == 0x0A and message[at + 1] < 0x80:
            length = message[at + 1]
            stop = at + 2 + length
            if length == 0:
                values.append(None)
                at = stop
                continue
            if stop <= end and length >= 2 and message[at + 2] == 0x0A and message[at + 3] == length - 2:
                values.append(message[at + 4 : stop])
                at = stop
                continue
        for number, value in _members(message[at:]):
            if number == 1:
                values.append(_field(_bytes(value)))
        break
    return tuple(values)


def _field(message: bytes) -> bytes | None:
    found: bytes | None = None
    for number, value in _members(message):
        if number == 1:
            found = _bytes(value)
    return found


def _attributes(message: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, value in _members(message):
        if number == 1:
            pair = dict(_members(_bytes(value)))
            found[_str(pair.get(1, b""))] = _str(pair.get(2, b""))
    return found


def _block(message: bytes) -> Block:
    found = dict(_members(message))
    return Block(
        _bytes(found.get(6, b"")),
        _int(found.get(3, 0)),
        _int(found.get(4, 0)),
        _str(found.get(1, b"")),
        _str(found.get(2, b"")),
        _int(found.get(5, 0)),
    )
