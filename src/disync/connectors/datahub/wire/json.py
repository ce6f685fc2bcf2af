"""Record bodies of `application/json`: a put's Records and a get's answer."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from disync.connectors.datahub.wire.entry import Entry, Failed, Records
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.value import text_of

Data = str | list[str | int | float | bool | None]
"""Base64 text for BLOB; for TUPLE a text or null a field (bare numbers and booleans are taken too)."""


class _Record(msgspec.Struct, rename="pascal"):
    data: Data
    shard_id: str | None = None
    hash_key: str | None = None
    partition_key: str | None = None
    attributes: dict[str, str] | None = None
    sequence: int = 0
    system_time: int = 0
    cursor: str = ""
    next_cursor: str = ""


class _Put(msgspec.Struct, rename="pascal"):
    records: list[_Record]


class _Got(msgspec.Struct, rename="pascal"):
    next_cursor: str
    start_seq: int
    records: list[_Record]


class _Failed(msgspec.Struct, rename="pascal"):
    index: int
    error_code: str = ""
    error_message: str = ""


class _PutReply(msgspec.Struct, rename="pascal"):
    failed_records: list[_Failed] = []


_T = TypeVar("_T")
_put = msgspec.json.Decoder(_Put)
_got = msgspec.json.Decoder(_Got)
_put_reply = msgspec.json.Decoder(_PutReply)


def encode_put(entries: Sequence[Entry], blob: bool) -> bytes:
    """The body of a put."""
    items = []
    for entry in entries:
        item: dict[str, object] = {"Data": _data(entry, blob)}
        if entry.shard_id:
            item["ShardId"] = entry.shard_id
        if entry.hash_key:
            item["HashKey"] = entry.hash_key
        if entry.partition_key:
            item["PartitionKey"] = entry.partition_key
        if entry.attributes:
            item["Attributes"] = entry.attributes
        items.append(item)
    return msgspec.json.encode({"Action": "pub", "Records": items})


def decode_put(body: bytes, blob: bool) -> list[Entry | Failed]:
    """The records of a put, in order; a record whose Data has the wrong form comes out as Failed."""
    return [_entry(index, item, blob) for index, item in enumerate(_read(_put, body).records)]


def encode_put_reply(failed: Sequence[Failed]) -> bytes:
    """The answer to a put."""
    items = [{"Index": f.index, "ErrorCode": f.code, "ErrorMessage": f.message} for f in failed]
    return msgspec.json.encode({"FailedRecordCount": len(items), "FailedRecords": items})


def decode_put_reply(body: bytes) -> list[Failed]:
    """The records that a put's answer names as failed."""
    return [Failed(f.index, f.error_code, f.error_message) for f in _read(_put_reply, body).failed_records]


def encode_get(cursor: str, limit: int) -> bytes:
    """The body of a get."""
    return msgspec.json.encode({"Action": "sub", "Cursor": cursor, "Limit": limit})


def encode_records(reply: Records, blob: bool) -> bytes:
    """The answer to a get."""
    items = [
        {
            "Data": _data(entry, blob),
            "Attributes": entry.attributes,
            "Sequence": entry.sequence,
            "SystemTime": entry.system_time,
            "Cursor": entry.cursor,
            "NextCursor": entry.next_cursor,
        }
        for entry in reply.entries
    ]
    head = {"NextCursor": reply.next_cursor, "RecordCount": len(items), "StartSeq": reply.start_sequence}
    return msgspec.json.encode({**head, "Records": items})


def decode_records(body: bytes, blob: bool) -> Records:
    """The answer to a get."""
    got = _read(_got, body)
    entries: list[Entry] = []
    for index, item in enumerate(got.records):
        entry = _entry(index, item, blob)
        if isinstance(entry, Failed):
            raise Malformed(entry.message, index)
        entries.append(entry)
    return Records(got.next_cursor, got.start_seq, entries)


def _data(entry: Entry, blob: bool) -> object:
    if blob:
        return b64encode(entry.data[0] or b"").decode()
    try:
        return [None if value is None else value.decode() for value in entry.data]
    except UnicodeDecodeError as error:
        raise Malformed("a text is not UTF-8") from error


def _entry(index: int, item: _Record, blob: bool) -> Entry | Failed:
    data = item.data
    if isinstance(data, str) is not blob:
        form = "a base64 text" if blob else "a list of texts"
        return Failed(index, "MalformedRecord", f"Data must be {form} in this topic")
    try:
        values: tuple[bytes | None, ...]
        if isinstance(data, str):
            values = (b64decode(data, validate=True),)
        else:
            values = tuple([None if value is None else text_of(value) for value in data])
    except (binascii.Error, ValueError) as error:
        return Failed(index, "MalformedRecord", f"Data: {error}")
    return Entry(
        values,
        item.attributes or {},
        item.shard_id or "",
        item.hash_key or "",
        item.partition_key or "",
        item.sequence,
        item.system_time,
        item.cursor,
        item.next_cursor,
    )


def _read(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Malformed(f"the JSON body: {error}") from error
