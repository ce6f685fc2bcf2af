"""Subscriptions: how far each of a topic's consumers has read, and who may say so.

A session belongs to whoever opened a shard's offset last; an older session may not commit. A reset raises the
subscription's version, and whoever still has the older one must open again. Committed offsets are on disk before the
answer.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from disync.datahub.database import transaction
from disync.datahub.errors import Fault

MAX_SUBSCRIPTIONS = 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """Times in seconds since 1970."""

    id: str
    topic_id: int
    comment: str
    online: bool
    version: int
    created: int
    modified: int


@dataclass(frozen=True, slots=True)
class Progress:
    """The last record consumed of a shard (-1: none) and its time; `session` 0: never opened."""

    sequence: int = -1
    timestamp: int = -1
    session: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """What a consumer says it has consumed, and in what right."""

    progress: Progress
    version: int


class Subscriptions:
    """Reads and writes SQLite directly; the connection is the hub's."""

    def __init__(self, database: sqlite3.Connection, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def list(self, topic_id: int) -> list[Subscription]:
        rows = self._database.execute("SELECT * FROM subscription WHERE topic = ? ORDER BY created, id", (topic_id,))
        return [_subscription(row) for row in rows]

    def get(self, topic_id: int, sub_id: str) -> Subscription:
        row = self._database.execute("SELECT * FROM subscription WHERE id = ? AND topic = ?", (sub_id, topic_id))
        found = row.fetchone()
        if found is None:
            raise Fault("NoSuchSubscription", f"there is no subscription {sub_id[:64]!r}")
        return _subscription(found)

    def online(self, topic_id: int, sub_id: str) -> Subscription:
        """The subscription, if it may be used to consume."""
        subscription = self.get(topic_id, sub_id)
        if not subscription.online:
            raise Fault("SubscriptionOffline", f"subscription {sub_id} is offline")
        return subscription

    def create(self, topic_id: int, comment: str) -> Subscription:
        if len(self.list(topic_id)) >= MAX_SUBSCRIPTIONS:
            raise Fault("LimitExceeded", f"a topic has at most {MAX_SUBSCRIPTIONS} subscriptions")
        now = self._clock()
        sub_id = f"{now}{secrets.token_hex(3).upper()}"
        subscription = Subscription(sub_id, topic_id, comment, True, 0, now // 1000, now // 1000)
        self._save(subscription)
        return subscription

    def update(self, subscription: Subscription) -> None:
        self._save(replace(subscription, modified=self._clock() // 1000))

    def delete(self, subscription: Subscription) -> None:
        self._database.execute("DELETE FROM subscription WHERE id = ?", (subscription.id,))

    def open(self, subscription: Subscription, shards: Iterable[str]) -> dict[str, Progress]:
        """Begin a session on each of the shards; older sessions on them end."""
        opened: dict[str, Progress] = {}
        with transaction(self._database):
            found = self.read(subscription, None)
            for shard in shards:
                progress = found.get(shard, Progress())
                opened[shard] = replace(progress, session=progress.session + 1)
            self._write(subscription, opened)
        return opened

    def read(self, subscription: Subscription, shards: Iterable[str] | None) -> dict[str, Progress]:
        """Offsets of these shards, or of all that have one."""
        rows = self._database.execute(
            "SELECT shard, sequence, timestamp, session FROM progress WHERE subscription = ?", (subscription.id,)
        )
        found = {shard: Progress(*rest) for shard, *rest in rows}
        return found if shards is None else {shard: found.get(shard, Progress()) for shard in shards}

    def commit(self, subscription: Subscription, commits: Mapping[str, Commit]) -> None:
        """Keep the offsets, all or none; OffsetReseted, OffsetSessionClosed or OffsetSessionChanged otherwise."""
        found = self.read(subscription, commits)
        for shard, commit in commits.items():
            session = found[shard].session
            if commit.version != subscription.version:
                raise Fault("OffsetReseted", f"the offsets of subscription {subscription.id} were reset")
            if not session:
                raise Fault("OffsetSessionClosed", f"no session is open on shard {shard}")
            if commit.progress.session != session:
                raise Fault("OffsetSessionChanged", f"another consumer has opened shard {shard}")
        with transaction(self._database):
            self._write(subscription, {shard: commit.progress for shard, commit in commits.items()})

    def reset(self, subscription: Subscription, offsets: Mapping[str, Progress]) -> None:
        """Set the offsets, whoever consumes."""
        found = self.read(subscription, offsets)
        with transaction(self._database):
            self._write(
                subscription,
                {shard: replace(progress, session=found[shard].session) for shard, progress in offsets.items()},
            )
            self._save(replace(subscription, version=subscription.version + 1, modified=self._clock() // 1000))

    def _write(self, subscription: Subscription, offsets: Mapping[str, Progress]) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)",
            [(subscription.id, shard, p.sequence, p.timestamp, p.session) for shard, p in offsets.items()],
        )

    def _save(self, s: Subscription) -> None:
        self._database.execute(
            "INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " comment = excluded.comment, online = excluded.online, version = excluded.version,"
            " modified = excluded.modified",
            (s.id, s.topic_id, s.comment, s.online, s.version, s.created, s.modified),
        )


def _subscription(row: tuple[str, int, str, int, int, int, int]) -> Subscription:
    sub_id, topic_id, comment, online, version, created, modified = row
    return Subscription(sub_id, topic_id, comment, bool(online), version, created, modified)
