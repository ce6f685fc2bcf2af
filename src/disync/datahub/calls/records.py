"""Record calls, in the three protocols: JSON, protobuf, and protobuf around BATCH blocks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from disync.connectors.datahub.wire import frame, protobuf
from disync.connectors.datahub.wire import json as wire_json
from disync.connectors.datahub.wire.entry import Records
from disync.connectors.datahub.wire.errors import Malformed
from disync.datahub import shards
from disync.datahub.catalog import Topic
from disync.datahub.errors import Fault, invalid
from disync.datahub.hub import Hub
from disync.datahub.records import MAX_RECORDS, get_blocks, get_entries, put_blocks, put_entries
from disync.datahub.registry import BATCH, JSON, PROTOBUF, TOPIC, Call, call

_SHARD = f"{TOPIC}/shards/{{shard}}"


@dataclass(frozen=True, slots=True)
class Protocol:
    """`put` takes the shard, None where each record says its own; both take the body and return the answer's."""

    put: Callable[[Hub, Topic, int | None, bytes], Awaitable[bytes]]
    read_get: Callable[[bytes], tuple[str, int]]
    get: Callable[[Hub, Topic, int, str, int], bytes]


class Get(msgspec.Struct, rename="pascal"):
    cursor: str
    limit: int = 1


@call("POST", f"{TOPIC}/shards", "pub", body=None)
async def put(call: Call) -> bytes:
    return await _PROTOCOLS[call.protocol].put(call.hub, call.topic, None, call.raw)


@call("POST", _SHARD, "pub", body=None)
async def put_by_shard(call: Call) -> bytes:
    shard_id = shards.number(call.names["shard"])
    return await _PROTOCOLS[call.protocol].put(call.hub, call.topic, shard_id, call.raw)


@call("POST", _SHARD, "sub", body=None)
def get(call: Call) -> bytes:
    topic, shard_id = call.topic, shards.number(call.names["shard"])
    if call.sub_id:
        call.hub.subscriptions.online(topic.id, call.sub_id)
    protocol = _PROTOCOLS[call.protocol]
    cursor, limit = protocol.read_get(call.raw)
    return protocol.get(call.hub, topic, shard_id, cursor, min(max(limit, 1), MAX_RECORDS))


async def _put_json(hub: Hub, topic: Topic, shard_id: int | None, body: bytes) -> bytes:
    try:
        entries = wire_json.decode_put(body, not topic.is_tuple)
    except Malformed as error:
        raise invalid("Records", str(error)) from error
    return wire_json.encode_put_reply(await put_entries(hub, topic, entries, shard_id))


async def _put_protobuf(hub: Hub, topic: Topic, shard_id: int | None, body: bytes) -> bytes:
    entries = protobuf.decode_put(frame.unwrap(body))
    return frame.wrap(protobuf.encode_put_reply(await put_entries(hub, topic, entries, shard_id)))


async def _put_batch(hub: Hub, topic: Topic, shard_id: int | None, body: bytes) -> bytes:
    if shard_id is None:
        raise Fault("InvalidOperation", "BATCH records are put by shard")
    await put_blocks(hub, topic, shard_id, protobuf.decode_binary_put(frame.unwrap(body)))
    return frame.wrap(protobuf.encode_put_reply([]))


def _read_get_json(body: bytes) -> tuple[str, int]:
    try:
        get = msgspec.json.decode(body, type=Get)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise invalid("body", str(error)) from error
    return get.cursor, get.limit


def _read_get_protobuf(body: bytes) -> tuple[str, int]:
    return protobuf.decode_get(frame.unwrap(body))


def _get_json(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> bytes:
    reply = get_entries(hub, topic, shard_id, cursor, limit)
    blob = not topic.is_tuple
    try:
        return wire_json.encode_records(reply, blob)
    except Malformed:
        # A text put by BATCH need not be UTF-8. What stands before it is delivered first.
        return wire_json.encode_records(_before_the_broken(reply, blob), blob)


def _before_the_broken(reply: Records, blob: bool) -> Records:
    for number, entry in enumerate(reply.entries):
        try:
            wire_json.encode_records(Records("", 0, [entry]), blob)
        except Malformed as error:
            if number:
                return Records(entry.cursor, reply.start_sequence, reply.entries[:number])
            raise Fault("MalformedRecord", f"record {entry.sequence} is broken: {error}") from error
    return reply


def _get_protobuf(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> bytes:
    return frame.wrap(protobuf.encode_records(get_entries(hub, topic, shard_id, cursor, limit)))


def _get_batch(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> bytes:
    return frame.wrap(protobuf.encode_blocks(get_blocks(hub, topic, shard_id, cursor, limit)))


_PROTOCOLS = {
    JSON: Protocol(_put_json, _read_get_json, _get_json),
    PROTOBUF: Protocol(_put_protobuf, _read_get_protobuf, _get_protobuf),
    BATCH: Protocol(_put_batch, _read_get_protobuf, _get_batch),
}
