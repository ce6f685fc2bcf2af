"""Shards: their list, their splits and merges, places in them, and their size."""

from __future__ import annotations

import msgspec

from disync.datahub import cursor as cursors
from disync.datahub import shards
from disync.datahub.catalog import Topic
from disync.datahub.errors import Fault, invalid
from disync.datahub.records import time_of
from disync.datahub.registry import TOPIC, Answer, Call, call
from disync.datahub.shards import Shard

_SHARD = f"{TOPIC}/shards/{{shard}}"


class Split(msgspec.Struct, rename="pascal"):
    shard_id: str
    split_key: str = ""


class Merge(msgspec.Struct, rename="pascal"):
    shard_id: str
    adjacent_shard_id: str


class Extend(msgspec.Struct, rename="pascal"):
    shard_number: int
    extend_mode: str = "TO"


class Seek(msgspec.Struct, rename="pascal"):
    type: str
    system_time: int = -1
    sequence: int = -1


@call("GET", f"{TOPIC}/shards")
def list_shards(call: Call) -> Answer:
    topic = call.topic
    return {"Shards": [_shown(topic, shard) for shard in topic.shards], "Protocol": "http1.1", "Interval": 60_000}


@call("POST", f"{TOPIC}/shards", "split", Split)
def split_shard(call: Call) -> Answer:
    body: Split = call.body
    key = shards.parse_hash_key(body.split_key) if body.split_key else None
    topic = call.hub.split(call.topic, shards.number(body.shard_id), key)
    return {"NewShards": [_range(shard) for shard in topic.shards[-2:]]}


@call("POST", f"{TOPIC}/shards", "merge", Merge)
def merge_shards(call: Call) -> Answer:
    body: Merge = call.body
    topic = call.hub.merge(call.topic, shards.number(body.shard_id), shards.number(body.adjacent_shard_id))
    return _range(topic.shards[-1])


@call("POST", f"{TOPIC}/shards", "extend", Extend)
def extend_shards(call: Call) -> None:
    if call.body.extend_mode.upper() != "TO":
        raise invalid("ExtendMode", "only TO is known")
    call.hub.extend(call.topic, call.body.shard_number)


@call("POST", _SHARD, "cursor", Seek)
def get_cursor(call: Call) -> Answer:
    """OLDEST and LATEST are the places of the oldest and the newest record, SYSTEM_TIME that of the first record not
    older, SEQUENCE that of a record or of the next one to come.

    Where there is no such record the cursor is the place of the next one to come, with RecordTime -1. `Sequence` is
    the place's; only for LATEST it is always the newest record's, so one less than the place in an empty shard.
    """
    topic, seek = call.topic, call.body
    shard_id = shards.number(call.names["shard"])
    log = call.hub.log(topic, shard_id)
    latest = seek.type.upper() == "LATEST"
    place = max(log.oldest, log.next - 1) if latest else _place(call, topic, shard_id)
    return {
        "Cursor": cursors.dump(topic.id, shard_id, place),
        "RecordTime": time_of(call.hub, topic, shard_id, place),
        "Sequence": log.next - 1 if latest else place,
    }


@call("POST", _SHARD, "meter")
def meter(call: Call) -> Answer:
    topic = call.topic
    log = call.hub.log(topic, shards.number(call.names["shard"]))
    active = max(0, call.hub.clock() // 1000 - topic.created)
    return {"ActiveTime": active, "Storage": log.storage}


def _place(call: Call, topic: Topic, shard_id: int) -> int:
    seek: Seek = call.body
    log = call.hub.log(topic, shard_id)
    match seek.type.upper():
        case "OLDEST":
            return log.oldest
        case "SYSTEM_TIME":
            if seek.system_time < 0:
                raise invalid("SystemTime", "must be milliseconds since 1970")
            return log.at_time(seek.system_time)
        case "SEQUENCE":
            if not log.oldest <= seek.sequence <= log.next:
                held = f"the shard holds {log.oldest} to {log.next - 1}"
                raise Fault("SeekOutOfRange", f"sequence {seek.sequence} is not there; {held}")
            return seek.sequence
        case _:
            raise invalid("Type", "must be OLDEST, LATEST, SYSTEM_TIME or SEQUENCE")


def _range(shard: Shard) -> dict[str, object]:
    return {
        "ShardId": str(shard.id),
        "BeginHashKey": shards.hash_key(shard.begin),
        "EndHashKey": shards.hash_key(shard.end),
    }


def _shown(topic: Topic, shard: Shard) -> dict[str, object]:
    left, right = shards.neighbours(topic.shards, shard)
    shown = {
        "State": "ACTIVE" if shard.active else "CLOSED",
        "ClosedTime": shard.closed_time,
        "ParentShardIds": [str(parent) for parent in shard.parents],
    }
    return {**_range(shard), **shown, "LeftShardId": left, "RightShardId": right}
