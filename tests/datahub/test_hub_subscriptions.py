"""Subscriptions: offsets, sessions, versions, state. Groups: who reads what. And the client's own consumer on top."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from datahub.core import DatahubProtocolType
from datahub.exceptions import (
    DatahubException,
    InvalidOperationException,
    InvalidParameterException,
    OffsetResetException,
    ResourceNotFoundException,
    SubscriptionOfflineException,
)
from datahub.models import BlobRecord, FieldType, OffsetWithSession, RecordSchema, SubscriptionState, TupleRecord
from hypothesis import given
from hypothesis import strategies as st
from signed import send

from datahub import DataHub
from disync.datahub.errors import Fault
from disync.datahub.groups import MIN_TIMEOUT_MS, Groups, even_plan
from disync.datahub.local import LocalDataHub
from disync.datahub.shards import divide, merge, split

with warnings.catch_warnings():  # one of its dependencies compiles itself by a module that is deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from datahub.client import ConsumerConfig, DatahubConsumer, DatahubProducer, ProducerConfig

SCHEMA = RecordSchema.from_lists(["n", "text"], [FieldType.BIGINT, FieldType.STRING])


@pytest.fixture
def subscription(client: DataHub, project: str) -> str:
    client.create_tuple_topic(project, "t", 2, 3, SCHEMA, "")
    return str(client.create_subscription(project, "t", "mine").sub_id)


def test_a_subscriptions_life(client: DataHub, project: str, subscription: str) -> None:
    client.update_subscription(project, "t", subscription, "ours")
    other = client.create_subscription(project, "t", "theirs").sub_id
    listed = client.list_subscription(project, "t", "", 1, 10)
    assert listed.total_count == 2
    assert {(s.sub_id, s.comment, s.state) for s in listed.subscriptions} == {
        (subscription, "ours", SubscriptionState.ACTIVE),
        (other, "theirs", SubscriptionState.ACTIVE),
    }
    assert [s.sub_id for s in client.list_subscription(project, "t", "their", 1, 10).subscriptions] == [other]
    assert client.list_subscription(project, "t", "", 2, 1).total_count == 2
    client.delete_subscription(project, "t", other)
    with pytest.raises(DatahubException) as caught:
        client.get_subscription_offset(project, "t", other)
    assert caught.value.error_code == "NoSuchSubscription"


def test_offsets_are_kept(client: DataHub, project: str, subscription: str) -> None:
    opened = client.init_and_get_subscription_offset(project, "t", subscription, ["0", "1"]).offsets
    assert {shard: (o.sequence, o.timestamp) for shard, o in opened.items()} == {"0": (-1, -1), "1": (-1, -1)}
    mine = opened["0"]
    commit = {"0": OffsetWithSession(41, 1_700_000_000_000, mine.version, mine.session_id)}
    client.update_subscription_offset(project, "t", subscription, commit)
    found = client.get_subscription_offset(project, "t", subscription).offsets
    assert (found["0"].sequence, found["0"].timestamp) == (41, 1_700_000_000_000)
    assert found["1"].sequence == -1


def test_an_older_session_cannot_commit(client: DataHub, project: str, subscription: str) -> None:
    old = client.init_and_get_subscription_offset(project, "t", subscription, "0").offsets["0"]
    client.init_and_get_subscription_offset(project, "t", subscription, "0")
    commit = OffsetWithSession(1, 1, old.version, old.session_id)
    with pytest.raises(InvalidOperationException) as caught:
        client.update_subscription_offset(project, "t", subscription, {"0": commit})
    assert caught.value.error_code == "OffsetSessionChanged"
    with pytest.raises(InvalidOperationException) as caught:
        client.update_subscription_offset(project, "t", subscription, {"1": commit})
    assert caught.value.error_code == "OffsetSessionClosed"


def test_after_a_reset_the_offsets_must_be_opened_again(client: DataHub, project: str, subscription: str) -> None:
    mine = client.init_and_get_subscription_offset(project, "t", subscription, "0").offsets["0"]
    client.reset_subscription_offset(project, "t", subscription, {"0": {"Sequence": 7, "Timestamp": 70}})
    commit = {"0": OffsetWithSession(9, 9, mine.version, mine.session_id)}
    with pytest.raises(OffsetResetException):
        client.update_subscription_offset(project, "t", subscription, commit)
    opened = client.init_and_get_subscription_offset(project, "t", subscription, "0").offsets["0"]
    assert (opened.sequence, opened.timestamp, opened.version) == (7, 70, mine.version + 1)


def test_an_offline_subscription_is_not_consumed(
    client: DataHub, hub: LocalDataHub, project: str, subscription: str
) -> None:
    protobuf = DataHub("id", "secret", hub.endpoint, protocol_type=DatahubProtocolType.PB)
    client.put_records(project, "t", [TupleRecord(schema=SCHEMA, values=[1, "x"])])
    cursor = send(
        hub.endpoint, "POST", f"/projects/{project}/topics/t/shards/0", b'{"Action":"cursor","Type":"OLDEST"}'
    ).json()["Cursor"]
    protobuf.get_tuple_records(project, "t", "0", SCHEMA, cursor, 1, subscription)
    client.update_subscription_state(project, "t", subscription, SubscriptionState.INACTIVE)
    with pytest.raises(SubscriptionOfflineException):
        client.init_and_get_subscription_offset(project, "t", subscription, "0")
    with pytest.raises(SubscriptionOfflineException):
        client.join_group(project, "t", subscription, 60_000)
    with pytest.raises(SubscriptionOfflineException):
        protobuf.get_tuple_records(project, "t", "0", SCHEMA, cursor, 1, subscription)
    client.update_subscription_state(project, "t", subscription, SubscriptionState.ACTIVE)
    client.init_and_get_subscription_offset(project, "t", subscription, "0")


def test_offsets_of_shards_that_are_not(client: DataHub, project: str, subscription: str) -> None:
    with pytest.raises(ResourceNotFoundException) as caught:
        client.init_and_get_subscription_offset(project, "t", subscription, "2")
    assert caught.value.error_code == "NoSuchShard"
    with pytest.raises(InvalidParameterException):
        huge = OffsetWithSession(1 << 70, 1, 0, 1)
        client.update_subscription_offset(project, "t", subscription, {"0": huge})


def test_offsets_and_state_survive_a_kill(tmp_path: Path) -> None:
    with LocalDataHub(tmp_path, {"id": "secret"}) as own:
        client = DataHub("id", "secret", own.endpoint)
        client.create_project("kept", "")
        client.create_blob_topic("kept", "t", 1, 3, "")
        sub = client.create_subscription("kept", "t", "").sub_id
        mine = client.init_and_get_subscription_offset("kept", "t", sub, "0").offsets["0"]
        commit = OffsetWithSession(5, 6, mine.version, mine.session_id)
        client.update_subscription_offset("kept", "t", sub, {"0": commit})
        own.kill()
        own.start()
        client.update_subscription_offset("kept", "t", sub, {"0": commit})  # its session is still the newest
        found = client.get_subscription_offset("kept", "t", sub, "0").offsets["0"]
        assert (found.sequence, found.timestamp, found.session_id) == (5, 6, mine.session_id)


def test_a_group_shares_the_shards(client: DataHub, project: str, subscription: str) -> None:
    def heartbeat(member: object, hold: list[str], end: list[str] | None = None) -> list[str]:
        ids = (member.consumer_id, member.version_id)  # type: ignore[attr-defined]
        return list(client.heart_beat(project, "t", subscription, *ids, hold, end or []).shard_list)

    one = client.join_group(project, "t", subscription, 60_000)
    assert one.session_timeout == 60_000
    assert heartbeat(one, []) == ["0", "1"]
    two = client.join_group(project, "t", subscription, 60_000)
    assert heartbeat(two, []) == []  # the first still holds both
    assert heartbeat(one, ["0", "1"]) == ["0"]
    client.sync_group(project, "t", subscription, one.consumer_id, one.version_id, ["1"], [])
    assert heartbeat(two, []) == ["1"]
    client.leave_group(project, "t", subscription, one.consumer_id, one.version_id)
    assert heartbeat(two, ["1"]) == ["0", "1"]
    with pytest.raises(DatahubException) as caught:
        heartbeat(one, ["0"])
    assert caught.value.error_code == "NoSuchConsumer"
    client.reset_subscription_offset(project, "t", subscription, {"0": {"Sequence": 1, "Timestamp": 1}})
    with pytest.raises(OffsetResetException):
        heartbeat(two, ["0", "1"])


def test_children_are_read_after_their_parents() -> None:
    groups = Groups(lambda: 0)
    shards = split(divide(1), 0, None, 1)
    name, _ = groups.join("s", 60_000, shards)
    assert groups.heartbeat("s", name, [], [], shards)[1] == [0]
    assert groups.heartbeat("s", name, [0], [0], shards)[1] == [1, 2]
    merged = merge(shards, 1, 2, 2)
    assert groups.heartbeat("s", name, [1, 2], [0, 1], merged)[1] == [2]
    assert groups.heartbeat("s", name, [2], [0, 1, 2], merged)[1] == [3]


def test_who_is_silent_too_long_is_out() -> None:
    now = 0
    groups = Groups(lambda: now)
    shards = divide(2)
    silent, timeout = groups.join("s", 1, shards)
    assert timeout == MIN_TIMEOUT_MS
    groups.heartbeat("s", silent, [], [], shards)
    name, _ = groups.join("s", 60_000, shards)
    assert groups.heartbeat("s", name, [], [], shards)[1] == []
    now = timeout + 1
    assert groups.heartbeat("s", name, [], [], shards)[1] == [0, 1]
    with pytest.raises(Fault, match="no member"):
        groups.heartbeat("s", silent, [0, 1], [], shards)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.integers(0, 20)), min_size=1), st.sets(st.integers(0, 15)))
def test_plans_are_even_and_complete(before: dict[str, set[int]], shards: set[int]) -> None:
    taken: set[int] = set()
    for name in before:  # a shard is planned for one member only
        before[name] = before[name] - taken
        taken |= before[name]
    plans = even_plan(before, shards)
    assert sorted(shard for plan in plans.values() for shard in plan) == sorted(shards)
    sizes = [len(plan) for plan in plans.values()]
    assert max(sizes) - min(sizes) <= 1
    assert even_plan(plans, shards) == plans


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[str]:
    """Where the client logs: it configures the root logger to a file in the working directory."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield str(tmp_path / "client.log")
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()


@pytest.mark.parametrize("protocol", [DatahubProtocolType.PB, DatahubProtocolType.BATCH], ids=lambda p: p.name)
def test_the_clients_own_producer_and_consumer(
    hub: LocalDataHub, client: DataHub, project: str, quiet: str, protocol: DatahubProtocolType
) -> None:
    """Shards named by hand; what one consumer has read to is where the next one begins, also within a block."""
    client.create_blob_topic(project, "t", 1, 3, "")
    sub = client.create_subscription(project, "t", "").sub_id
    producing = ProducerConfig("id", "secret", hub.endpoint, protocol)
    producing.logging_filename, producing.async_thread_limit = quiet, 2
    producer = DatahubProducer(project, "t", producing)
    for start in (0, 10):
        producer.write([BlobRecord(blob_data=b"%d" % (start + n)) for n in range(10)])
    producer.close()
    consuming = ConsumerConfig("id", "secret", hub.endpoint, protocol)
    consuming.logging_filename, consuming.async_thread_limit = quiet, 2
    read: list[int] = []
    for count in (13, 7):
        consumer = DatahubConsumer(project, "t", sub, consuming, shard_ids=["0"])
        read += [int(consumer.read(timeout=10).blob_data) for _ in range(count)]
        consumer.close()
    assert read == list(range(20))
    assert client.get_subscription_offset(project, "t", sub).offsets["0"].sequence == 19


def test_the_clients_consumer_in_a_group(
    hub: LocalDataHub, client: DataHub, project: str, subscription: str, quiet: str
) -> None:
    """The client waits five seconds before its first heartbeat, and so does this test."""
    producing = ProducerConfig("id", "secret", hub.endpoint)
    producing.logging_filename, producing.async_thread_limit = quiet, 2
    producer = DatahubProducer(project, "t", producing)
    for number in range(10):
        producer.write_async([TupleRecord(schema=SCHEMA, values=[number, "x"])])
    producer.flush()
    producer.close()
    consuming = ConsumerConfig("id", "secret", hub.endpoint)
    consuming.logging_filename, consuming.async_thread_limit = quiet, 2
    consumer = DatahubConsumer(project, "t", subscription, consuming)
    read = {consumer.read(timeout=20).values[0] for _ in range(10)}
    consumer.close()
    assert read == set(range(10))
