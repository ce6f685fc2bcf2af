"""Subscriptions, their offsets, and consumer groups."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec

from disync.datahub import shards
from disync.datahub.errors import Fault, invalid
from disync.datahub.registry import TOPIC, Answer, Call, call
from disync.datahub.subscriptions import Commit, Progress, Subscription

_SUBS = f"{TOPIC}/subscriptions"
_SUB = f"{_SUBS}/{{subscription}}"
_Long = Annotated[int, msgspec.Meta(ge=-1, le=1 << 62)]


class Create(msgspec.Struct, rename="pascal"):
    comment: str = ""


class Search(msgspec.Struct, rename="pascal"):
    page_index: int = 1
    page_size: int = 10
    search: str = ""


class Update(msgspec.Struct, rename="pascal"):
    comment: str | None = None
    state: int | None = None


class Shards(msgspec.Struct, rename="pascal"):
    shard_ids: list[str] = []


class Offset(msgspec.Struct, rename="pascal"):
    """`batch_index` counts records within the block that `sequence` begins, so their sum is the record's sequence."""

    sequence: _Long = -1
    timestamp: _Long = -1
    version: int = 0
    session_id: int | str = 0
    batch_index: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] = 0


class Offsets(msgspec.Struct, rename="pascal"):
    offsets: dict[str, Offset]


class Join(msgspec.Struct, rename="pascal"):
    session_timeout: int = 0


class Member(msgspec.Struct, rename="pascal"):
    consumer_id: str
    version_id: int = -1
    hold_shard_list: list[str] = []
    release_shard_list: list[str] = []
    read_end_shard_list: list[str] = []


@call("POST", _SUBS, "create", Create)
def create_subscription(call: Call) -> Answer:
    return {"SubId": call.hub.subscriptions.create(call.topic.id, call.body.comment).id}


@call("POST", _SUBS, "list", Search)
def list_subscriptions(call: Call) -> Answer:
    body, topic = call.body, call.topic
    if body.page_index < 1 or body.page_size < 1:
        raise invalid("PageIndex", "pages count from 1 and hold at least one subscription")
    found = [s for s in call.hub.subscriptions.list(topic.id) if body.search in s.comment]
    page = found[(body.page_index - 1) * body.page_size : body.page_index * body.page_size]
    return {"TotalCount": len(found), "Subscriptions": [_shown(call, s) for s in page]}


@call("GET", _SUB)
def get_subscription(call: Call) -> Answer:
    return _shown(call, _subscription(call))


@call("PUT", _SUB, body=Update)
def update_subscription(call: Call) -> None:
    subscription, body = _subscription(call), call.body
    if body.state not in (None, 0, 1):
        raise invalid("State", "must be 0 (offline) or 1 (online)")
    comment = subscription.comment if body.comment is None else body.comment
    online = subscription.online if body.state is None else bool(body.state)
    call.hub.subscriptions.update(replace(subscription, comment=comment, online=online))
    if not online:
        call.hub.groups.forget(subscription.id)


@call("DELETE", _SUB)
def delete_subscription(call: Call) -> None:
    subscription = _subscription(call)
    call.hub.subscriptions.delete(subscription)
    call.hub.groups.forget(subscription.id)


@call("POST", f"{_SUB}/offsets", "open", Shards)
def open_offsets(call: Call) -> Answer:
    subscription = _online(call)
    return _offsets(subscription, call.hub.subscriptions.open(subscription, _known(call, call.body.shard_ids)))


@call("POST", f"{_SUB}/offsets", "get", Shards)
def get_offsets(call: Call) -> Answer:
    subscription = _subscription(call)
    wanted = _known(call, call.body.shard_ids) or [str(shard.id) for shard in call.topic.shards]
    return _offsets(subscription, call.hub.subscriptions.read(subscription, wanted))


@call("PUT", f"{_SUB}/offsets", "commit", Offsets)
def commit_offsets(call: Call) -> None:
    offsets: dict[str, Offset] = call.body.offsets
    subscription = _online(call)
    _known(call, list(offsets))
    commits = {
        shard: Commit(Progress(o.sequence + o.batch_index, o.timestamp, _session(o.session_id)), o.version)
        for shard, o in offsets.items()
    }
    call.hub.subscriptions.commit(subscription, commits)


@call("PUT", f"{_SUB}/offsets", "reset", Offsets)
def reset_offsets(call: Call) -> None:
    offsets: dict[str, Offset] = call.body.offsets
    subscription = _subscription(call)
    _known(call, list(offsets))
    call.hub.subscriptions.reset(subscription, {s: Progress(o.sequence, o.timestamp) for s, o in offsets.items()})


@call("POST", _SUB, "joingroup", Join)
def join_group(call: Call) -> Answer:
    subscription = _online(call)
    name, timeout = call.hub.groups.join(subscription.id, call.body.session_timeout, call.topic.shards)
    return {"ConsumerId": name, "VersionId": subscription.version, "SessionTimeout": timeout}


@call("POST", _SUB, "heartbeat", Member)
def heartbeat(call: Call) -> Answer:
    subscription = _member_of(call)
    body: Member = call.body
    version, listed, total = call.hub.groups.heartbeat(
        *(subscription.id, body.consumer_id, _numbers(body.hold_shard_list), _numbers(body.read_end_shard_list)),
        call.topic.shards,
    )
    plan = {name: [str(shard) for shard in ids] for name, ids in total.items()}
    return {
        "PlanVersion": version,
        "ShardList": [str(shard) for shard in listed],
        "TotalPlan": msgspec.json.encode(plan).decode(),
    }


@call("POST", _SUB, "syncgroup", Member)
def sync_group(call: Call) -> None:
    subscription = _member_of(call)
    body: Member = call.body
    call.hub.groups.sync(
        *(subscription.id, body.consumer_id, _numbers(body.release_shard_list), _numbers(body.read_end_shard_list)),
        call.topic.shards,
    )


@call("POST", _SUB, "leavegroup", Member)
def leave_group(call: Call) -> None:
    call.hub.groups.leave(_subscription(call).id, call.body.consumer_id, call.topic.shards)


def _subscription(call: Call) -> Subscription:
    return call.hub.subscriptions.get(call.topic.id, call.names["subscription"])


def _online(call: Call) -> Subscription:
    return call.hub.subscriptions.online(call.topic.id, call.names["subscription"])


def _member_of(call: Call) -> Subscription:
    subscription = _online(call)
    if call.body.version_id != subscription.version:
        raise Fault("OffsetReseted", f"the offsets of subscription {subscription.id} were reset")
    return subscription


def _known(call: Call, shard_ids: list[str]) -> list[str]:
    for shard_id in shard_ids:
        shards.find(call.topic.shards, shards.number(shard_id))
    return shard_ids


def _numbers(shard_ids: list[str]) -> list[int]:
    return [shards.number(shard_id) for shard_id in shard_ids]


def _session(session_id: int | str) -> int:
    """-1 for what no session of ours can be."""
    text = str(session_id)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _offsets(subscription: Subscription, found: dict[str, Progress]) -> Answer:
    return {
        "Offsets": {
            shard: {
                "Sequence": progress.sequence,
                "Timestamp": progress.timestamp,
                "Version": subscription.version,
                "SessionId": progress.session,
                "BatchIndex": 0,
            }
            for shard, progress in found.items()
        }
    }


def _shown(call: Call, subscription: Subscription) -> dict[str, object]:
    return {
        "SubId": subscription.id,
        "TopicName": call.names["topic"],
        "Comment": subscription.comment,
        "State": int(subscription.online),
        "Type": 1,
        "IsOwner": True,
        "CreateTime": subscription.created,
        "LastModifyTime": subscription.modified,
    }
