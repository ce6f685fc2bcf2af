"""Shards: where keys go, what splits and merges leave behind, and places in a shard."""

from __future__ import annotations

import threading
import time
from hashlib import md5

import pytest
from datahub.exceptions import (
    InvalidOperationException,
    InvalidParameterException,
    ResourceNotFoundException,
    SeekOutOfRangeException,
    ShardSealedException,
)
from datahub.models import BlobRecord, CursorType, ShardState
from hypothesis import given
from hypothesis import strategies as st
from signed import send

from datahub import DataHub
from disync.datahub import shards as ops
from disync.datahub.errors import Fault
from disync.datahub.local import LocalDataHub

LAST = "F" * 32


def blobs(*data: bytes, shard: str = "", key: str = "", hash_key: str = "") -> list[BlobRecord]:
    records = [BlobRecord(blob_data=item) for item in data]
    for record in records:
        record.shard_id, record.partition_key, record.hash_key = shard, key, hash_key
    return records


def held(client: DataHub, project: str, shard: str) -> list[bytes]:
    """What a shard holds, read to the end, also of a closed one."""
    cursor = client.get_cursor(project, "t", shard, CursorType.OLDEST).cursor
    found: list[bytes] = []
    while True:
        try:
            result = client.get_blob_records(project, "t", shard, cursor, 100)
        except ShardSealedException:
            return found
        if not result.records:
            return found
        found += [record.blob_data for record in result.records]
        cursor = result.next_cursor


def test_the_first_shards_divide_the_space(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 3, 3, "")
    shards = client.list_shard(project, "t").shards
    assert [(s.shard_id, s.state, s.parent_shard_ids) for s in shards] == [
        (number, ShardState.ACTIVE, []) for number in ("0", "1", "2")
    ]
    assert [s.begin_hash_key for s in shards] == ["0" * 32, "5" * 32, "A" * 32]
    assert [s.end_hash_key for s in shards] == ["5" * 32, "A" * 32, LAST]
    assert [(s.left_shard_id, s.right_shard_id) for s in shards] == [
        (ops.NO_NEIGHBOUR, "1"),
        ("0", "2"),
        ("1", ops.NO_NEIGHBOUR),
    ]


def test_records_go_where_their_key_says(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 2, 3, "")
    low = next(f"key{n}" for n in range(99) if md5(b"key%d" % n).digest()[0] < 0x80)
    high = next(f"key{n}" for n in range(99) if md5(b"key%d" % n).digest()[0] >= 0x80)
    records = [
        *blobs(b"shard", shard="1"),
        *blobs(b"low hash", hash_key="7" + "F" * 31),
        *blobs(b"high hash", hash_key=LAST),
        *blobs(b"low key", key=low),
        *blobs(b"high key", key=high),
    ]
    assert client.put_records(project, "t", records).failed_record_count == 0
    assert held(client, project, "0") == [b"low hash", b"low key"]
    assert held(client, project, "1") == [b"shard", b"high hash", b"high key"]


def test_records_without_a_key_are_spread_put_by_put(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 2, 3, "")
    for number in range(4):
        client.put_records(project, "t", blobs(b"%da" % number, b"%db" % number))
    assert sorted([*held(client, project, "0"), *held(client, project, "1")]) == [
        b"%d%s" % (n, x) for n in range(4) for x in (b"a", b"b")
    ]
    assert len(held(client, project, "0")) == 4


def test_split(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "")
    client.put_records(project, "t", blobs(b"before"))
    new = client.split_shard(project, "t", "0").new_shards
    assert [(s.shard_id, s.begin_hash_key, s.end_hash_key) for s in new] == [
        ("1", "0" * 32, "7" + "F" * 31),  # the client's own middle
        ("2", "7" + "F" * 31, LAST),
    ]
    old, left, right = client.list_shard(project, "t").shards
    assert (old.state, left.state, right.state) == (ShardState.CLOSED, ShardState.ACTIVE, ShardState.ACTIVE)
    assert old.closed_time > 1_600_000_000_000
    assert left.parent_shard_ids == right.parent_shard_ids == ["0"]
    assert held(client, project, "0") == [b"before"]
    with pytest.raises(ShardSealedException):
        client.split_shard(project, "t", "0", "1")
    refused = client.put_records(project, "t", blobs(b"late", shard="0")).failed_records
    assert [f.error_code for f in refused] == ["InvalidShardOperation"]
    client.put_records(project, "t", blobs(b"after", hash_key="1"))
    assert held(client, project, "1") == [b"after"]


def test_a_closed_shard_says_so_only_at_its_end(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "")
    client.put_records(project, "t", blobs(b"1", b"2"))
    client.split_shard(project, "t", "0")
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    result = client.get_blob_records(project, "t", "0", cursor, 10)
    assert result.record_count == 2
    with pytest.raises(ShardSealedException):
        client.get_blob_records(project, "t", "0", result.next_cursor, 10)


def test_merge(client: DataHub, hub: LocalDataHub, project: str) -> None:
    """Not by the client, which cannot construct its own MergeShardResult."""
    client.create_blob_topic(project, "t", 3, 3, "")
    with pytest.raises(InvalidParameterException):
        client.merge_shard(project, "t", "0", "2")
    body = b'{"Action":"merge","ShardId":"2","AdjacentShardId":"1"}'
    answer = send(hub.endpoint, "POST", f"/projects/{project}/topics/t/shards", body)
    assert answer.json() == {"ShardId": "3", "BeginHashKey": "5" * 32, "EndHashKey": LAST}
    assert client.list_shard(project, "t").shards[3].parent_shard_ids == ["1", "2"]
    with pytest.raises(ShardSealedException):
        client.merge_shard(project, "t", "0", "1")


def test_a_keys_records_stay_in_order_over_splits_and_merges(hub: LocalDataHub, client: DataHub, project: str) -> None:
    """Two writers, each with a key of its own, while the shards under them are split and merged."""
    client.create_blob_topic(project, "t", 1, 3, "")
    counts = {"2" * 32: 0, "E" * 32: 0}
    done = threading.Event()

    def write(key: str) -> None:
        mine = DataHub("id", "secret", hub.endpoint)
        while not done.is_set():
            put = blobs(*[f"{key} {counts[key] + n}".encode() for n in range(3)], hash_key=key)
            assert mine.put_records(project, "t", put).failed_record_count == 0
            counts[key] += 3

    def wait_for_more() -> None:
        before = dict(counts)
        until = time.monotonic() + 20
        while any(counts[key] <= before[key] for key in counts) and time.monotonic() < until:
            time.sleep(0.005)

    writers = [threading.Thread(target=write, args=(key,)) for key in counts]
    for writer in writers:
        writer.start()
    path = f"/projects/{project}/topics/t/shards"
    for action, shard, other in (("split", 0, 0), ("split", 2, 0), ("merge", 1, 3), ("merge", 5, 4), ("split", 6, 0)):
        wait_for_more()
        key = "" if action == "split" else f',"AdjacentShardId":"{other}"'
        body = f'{{"Action":"{action}","ShardId":"{shard}"{key}}}'.encode()
        assert send(hub.endpoint, "POST", path, body).status_code == 200
    wait_for_more()
    done.set()
    for writer in writers:
        writer.join()
    shards = client.list_shard(project, "t").shards
    found = [data.decode() for shard in shards for data in held(client, project, shard.shard_id)]  # parents come first
    for key, count in counts.items():
        assert [record for record in found if record.startswith(key)] == [f"{key} {n}" for n in range(count)]
        assert count >= 18


def test_extend_is_for_topics_in_extend_mode(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "", extend_mode=True)
    client.extend_shard(project, "t", 4)
    shards = client.list_shard(project, "t").shards
    assert [(s.shard_id, s.state, s.parent_shard_ids) for s in shards] == [
        (str(n), ShardState.ACTIVE, []) for n in range(4)
    ]
    client.put_records(project, "t", blobs(b"x", hash_key=LAST))
    assert held(client, project, "3") == [b"x"]
    with pytest.raises(InvalidOperationException):
        client.split_shard(project, "t", "0")
    with pytest.raises(InvalidParameterException):
        client.extend_shard(project, "t", 2)
    client.create_blob_topic(project, "u", 1, 3, "")
    with pytest.raises(InvalidOperationException):
        client.extend_shard(project, "u", 2)


def test_cursors(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "")
    empty = client.get_cursor(project, "t", "0", CursorType.LATEST)
    assert (empty.sequence, empty.record_time) == (-1, -1)
    assert client.get_cursor(project, "t", "0", CursorType.OLDEST).sequence == 0
    for data in (b"0", b"1", b"2"):
        client.put_records(project, "t", blobs(data))
    cursor = client.get_cursor(project, "t", "0", CursorType.OLDEST).cursor
    times = [r.system_time for r in client.get_blob_records(project, "t", "0", cursor, 10).records]
    latest = client.get_cursor(project, "t", "0", CursorType.LATEST)
    assert (latest.sequence, latest.record_time) == (2, times[2])
    assert client.get_blob_records(project, "t", "0", latest.cursor, 10).record_count == 1
    second = client.get_cursor(project, "t", "0", CursorType.SEQUENCE, 1)
    assert (second.sequence, second.record_time) == (1, times[1])
    assert client.get_cursor(project, "t", "0", CursorType.SYSTEM_TIME, times[0]).sequence == 0
    assert client.get_cursor(project, "t", "0", CursorType.SYSTEM_TIME, times[2] + 1).sequence == 3
    assert client.get_cursor(project, "t", "0", CursorType.SEQUENCE, 3).record_time == -1
    with pytest.raises(SeekOutOfRangeException):
        client.get_cursor(project, "t", "0", CursorType.SEQUENCE, 4)
    with pytest.raises(ResourceNotFoundException):
        client.get_cursor(project, "t", "1", CursorType.OLDEST)


def test_meter(client: DataHub, project: str) -> None:
    client.create_blob_topic(project, "t", 1, 3, "")
    client.put_records(project, "t", blobs(bytes(1000)))
    meter = client.get_metering_info(project, "t", "0")
    assert meter.storage > 0
    assert meter.active_time >= 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=25), st.integers(0, ops.SPACE - 1))
def test_after_any_splits_and_merges_every_point_has_one_active_shard(
    steps: list[tuple[bool, int]], point: int
) -> None:
    shards = ops.divide(3)
    for splits, number in steps:
        active = sorted((s for s in shards if s.active), key=lambda s: s.begin)
        chosen = active[number % len(active)]
        if splits:
            shards = ops.split(shards, chosen.id, None, 1)
        elif chosen is not active[-1]:
            shards = ops.merge(shards, chosen.id, active[number % len(active) + 1].id, 1)
    assert [s.id for s in shards if s.active and s.begin <= point < s.end] == [ops.covering(shards, point).id]
    assert all(shards[parent].closed_time for s in shards for parent in s.parents)


@pytest.mark.parametrize("key", ["", "x", "-1", "F" * 33, "1_0", " 1", "0x1", "１"])
def test_what_is_no_hash_key(key: str) -> None:
    with pytest.raises(Fault, match="HashKey"):
        ops.parse_hash_key(key)
