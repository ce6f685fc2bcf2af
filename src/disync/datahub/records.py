"""Records in and out. There is one stored form, the BATCH block; JSON and protobuf are converted at this border."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from disync.connectors.datahub.wire import batch, record
from disync.connectors.datahub.wire.entry import Block, Blocks, Entry, Failed, Records
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Schema
from disync.datahub import cursor as cursors
from disync.datahub import shards
from disync.datahub.catalog import SchemaVersion, Topic
from disync.datahub.errors import Fault, invalid
from disync.datahub.hub import Hub
from disync.datahub.log import Log
from disync.datahub.segment import Frame

MAX_RECORDS = 10_000
MAX_BODY = 4 << 20
MAX_BLOCK = MAX_BODY + (256 << 10)
"""A block made of the largest allowed JSON or protobuf record must pass as a BATCH put elsewhere."""
MAX_BLOCKS = 4 * MAX_BODY
READ_BYTES = 4 << 20
KEEP_DECODED = 4


async def put_entries(hub: Hub, topic: Topic, entries: Sequence[Entry | Failed], shard_id: int | None) -> list[Failed]:
    """Store records by the shard, hash key or partition key that each names; the ones that were not taken.

    With `shard_id` all go there, and one bad record refuses the whole put, since its answer cannot name it.
    """
    if len(entries) > MAX_RECORDS:
        raise invalid("Records", f"{len(entries)} are more than the {MAX_RECORDS} allowed")
    route = _router(hub, topic, shard_id)
    routed: dict[int, list[tuple[int, Entry]]] = {}
    failed: list[Failed] = []
    for index, entry in enumerate(entries):
        try:
            if isinstance(entry, Failed):
                failed.append(entry)
            else:
                routed.setdefault(route(entry), []).append((index, entry))
        except Fault as fault:
            failed.append(Failed(index, fault.code, str(fault)))
    blocks: list[tuple[Log, list[tuple[bytes, int]]]] = []
    for number, items in routed.items():
        encoded, refused = _encode(topic, [entry for _, entry in items])
        failed += [Failed(items[f.index][0], f.code, f.message) for f in refused]
        blocks.append((hub.log(topic, number), _pack(encoded)))
    failed.sort(key=lambda f: f.index)
    if failed and shard_id is not None:
        raise Fault(failed[0].code, f"record {failed[0].index}: {failed[0].message}")
    await _store(blocks)
    return failed


async def put_blocks(hub: Hub, topic: Topic, shard_id: int, blocks: Sequence[bytes]) -> None:
    """Store BATCH blocks as they came, after checks that look into no field."""
    shards.active(topic.shards, shard_id)
    counted: list[tuple[bytes, int]] = []
    total = 0
    for block in blocks:
        count = batch.validate(block, MAX_BLOCK)
        total += batch.raw_size(block)
        if count > MAX_RECORDS or total > MAX_BLOCKS:
            raise invalid("Records", f"a block holds at most {MAX_RECORDS} records, a put {MAX_BLOCKS} bytes")
        _check_versions(topic, batch.versions(block))
        if count:
            counted.append((block, count))
    await _store([(hub.log(topic, shard_id), counted)])


def get_entries(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> Records:
    """At most `limit` records from the cursor on, decoded; fewer before a block that is broken inside."""
    sequence, frames = _read(hub, topic, shard_id, cursor, limit)
    entries: list[Entry] = []
    here = cursors.dump(topic.id, shard_id, sequence)
    for frame in frames:
        try:
            decoded = _decoded(hub, topic, shard_id, frame)
        except Fault:
            if entries:
                break
            raise
        start = max(0, sequence - frame.sequence)
        for number, entry in enumerate(decoded[start : start + limit - len(entries)], frame.sequence + start):
            behind = cursors.dump(topic.id, shard_id, number + 1)
            entries.append(Entry(entry.data, entry.attributes, "", "", "", number, frame.time, here, behind))
            here = behind
    return Records(here, sequence if entries else -1, entries)


def get_blocks(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> Blocks:
    """Whole blocks from the cursor on, about `limit` records; only a block that the cursor points into is cut."""
    sequence, frames = _read(hub, topic, shard_id, cursor, limit)
    blocks: list[Block] = []
    for frame in frames:
        first = max(sequence, frame.sequence)
        data = frame.block if first == frame.sequence else batch.cut(frame.block, first - frame.sequence)
        here, behind = cursors.dump(topic.id, shard_id, first), cursors.dump(topic.id, shard_id, frame.next)
        blocks.append(Block(data, first, frame.time, here, behind))
    log = hub.log(topic, shard_id)
    after = blocks[-1].next_cursor if blocks else cursors.dump(topic.id, shard_id, sequence)
    return Blocks(after, sequence if blocks else -1, blocks, log.next - 1, log.newest_time)


def time_of(hub: Hub, topic: Topic, shard_id: int, sequence: int) -> int:
    """When a record was accepted, in ms; -1 when there is none at that place."""
    log = hub.log(topic, shard_id)
    frames = log.read(sequence, 1, 1) if log.oldest <= sequence < log.next else []
    return frames[0].time if frames else -1


def _read(hub: Hub, topic: Topic, shard_id: int, cursor: str, limit: int) -> tuple[int, list[Frame]]:
    shard = shards.find(topic.shards, shard_id)
    log = hub.log(topic, shard_id)
    sequence = cursors.parse(cursor, topic.id, shard_id)
    if not log.oldest <= sequence <= log.next:
        raise Fault("SeekOutOfRange", f"sequence {sequence} is gone; the shard holds {log.oldest} to {log.next - 1}")
    if sequence == log.next and not shard.active and not log.pending:
        raise Fault("InvalidShardOperation", f"shard {shard_id} is closed and read to its end")
    return sequence, log.read(sequence, limit, READ_BYTES)


def _router(hub: Hub, topic: Topic, shard_id: int | None) -> Callable[[Entry], int]:
    """Which shard a record goes to. Those that name nothing go together to one shard, another one each put."""
    if shard_id is not None:
        shards.active(topic.shards, shard_id)
        return lambda _: shard_id
    open_ones = [shard.id for shard in topic.shards if shard.active]
    any_shard = open_ones[hub.turn() % len(open_ones)]

    def route(entry: Entry) -> int:
        if entry.shard_id:
            return shards.active(topic.shards, shards.number(entry.shard_id)).id
        if entry.hash_key:
            return shards.covering(topic.shards, shards.parse_hash_key(entry.hash_key)).id
        if entry.partition_key:
            return shards.covering(topic.shards, shards.hash_of(entry.partition_key)).id
        return any_shard

    return route


def _encode(topic: Topic, entries: Sequence[Entry]) -> tuple[list[bytes], list[Failed]]:
    version = topic.schema
    if version is None:
        return batch.encode_each(entries, None)
    return batch.encode_each(entries, version.schema, version.version)


def _pack(encoded: Sequence[bytes]) -> list[tuple[bytes, int]]:
    """Blocks of these records, none larger than a BATCH put may be."""
    blocks: list[tuple[bytes, int]] = []
    start = size = 0
    for at, one in enumerate(encoded):
        if size + len(one) > MAX_BODY and at > start:
            blocks.append((batch.pack(encoded[start:at]), at - start))
            start, size = at, 0
        size += len(one)
    if len(encoded) > start:
        blocks.append((batch.pack(encoded[start:]), len(encoded) - start))
    return blocks


async def _store(blocks: Sequence[tuple[Log, Sequence[tuple[bytes, int]]]]) -> None:
    """Append everything, then wait until all of it is on disk."""
    for log, items in blocks:
        for block, count in items:
            log.append(block, count)
    if len(blocks) == 1:
        await blocks[0][0].flush()
    else:
        await asyncio.gather(*[log.flush() for log, _ in blocks])


def _check_versions(topic: Topic, versions: frozenset[int]) -> None:
    known = {v.version for v in topic.schemas if not v.deleted} if topic.is_tuple else {batch.BLOB_VERSION}
    unknown = versions - known
    if unknown:
        raise Fault("InvalidSchema", f"the topic has no schema version {min(unknown)}; it has {sorted(known)}")


def _decoded(hub: Hub, topic: Topic, shard_id: int, frame: Frame) -> list[Entry]:
    """As `_decode`. The last few blocks are kept: who reads one record a call must not decode the block each time."""
    key = (topic.id, shard_id, frame.sequence, topic.schemas)
    found = hub.decoded.pop(key, None)
    hub.decoded[key] = found = _decode(topic, frame) if found is None else found
    while len(hub.decoded) > KEEP_DECODED:
        del hub.decoded[next(iter(hub.decoded))]
    return found


def _decode(topic: Topic, frame: Frame) -> list[Entry]:
    """A block's entries, each with the fields of the topic's schema of today."""
    now = topic.schema
    try:
        if now is None:
            return batch.decode(frame.block, None)
        if len(topic.schemas) == 1:
            return batch.decode(frame.block, now.schema)
        return _decode_versions(topic.schemas, now, frame.block)
    except ValueError as error:  # Malformed, or a text that is not UTF-8
        where = f"records {frame.sequence} to {frame.next - 1}"
        raise Fault("MalformedRecord", f"{where} were put in a broken block: {error}") from error


def _decode_versions(versions: Sequence[SchemaVersion], now: SchemaVersion, block: bytes) -> list[Entry]:
    schemas = {v.version: v.schema for v in versions}
    readers = {number: record.entries_of(schema) for number, schema in schemas.items()}
    found: list[Entry] = []
    for one in batch.unpack(block):
        number = record.version_of(one)
        if number not in readers:
            raise Malformed(f"there is no schema version {number}")
        entry = readers[number](one)
        found.append(entry if number == now.version else _under(entry, schemas[number], now.schema))
    return found


def _under(entry: Entry, schema: Schema, now: Schema) -> Entry:
    """A record of another schema version, its fields found again by name and type."""
    values = {(f.name, f.type): value for f, value in zip(schema.fields, entry.data, strict=True)}
    return Entry(tuple([values.get((f.name, f.type)) for f in now.fields]), entry.attributes)
