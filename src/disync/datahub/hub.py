"""Everything the server keeps, behind one object: metadata, logs, subscriptions, groups, and their upkeep."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import structlog

from disync.connectors.datahub.wire.entry import Entry
from disync.datahub import shards as shard_ops
from disync.datahub.catalog import Catalog, Topic
from disync.datahub.database import open_database
from disync.datahub.errors import Fault
from disync.datahub.groups import Groups
from disync.datahub.log import Log, LogSettings
from disync.datahub.shards import Shards
from disync.datahub.subscriptions import Subscriptions
from disync.model.errors import BadConfig

DAY_MS = 86_400_000
SYNC_THREADS = 4
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Hub:
    """Owns the home folder: one process at a time. Used from one thread, the event loop's."""

    def __init__(self, home: Path, clock: Callable[[], int] = now_ms, settings: LogSettings | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(home)
        self._data = home / "data"
        self.clock = clock
        self._settings = settings or LogSettings()
        self._executor = ThreadPoolExecutor(SYNC_THREADS, "datahub-sync")
        self._database = open_database(home)
        self.catalog = Catalog(self._database)
        self.subscriptions = Subscriptions(self._database, clock)
        self.groups = Groups(clock)
        self._logs: dict[tuple[int, int], Log] = {}
        self.decoded: dict[Hashable, list[Entry]] = {}
        self._turn = 0
        self._remove_orphans()
        for topic in self.catalog.topics():
            self._open_logs(topic)
        self.sweep()

    def log(self, topic: Topic, shard_id: int) -> Log:
        """The log of a shard that exists."""
        return self._logs[topic.id, shard_ops.find(topic.shards, shard_id).id]

    def turn(self) -> int:
        """A number that grows: spreads puts that name no shard."""
        self._turn += 1
        return self._turn

    def create_topic(self, topic: Topic) -> None:
        self._open_logs(self.catalog.create_topic(topic))

    async def delete_topic(self, topic: Topic) -> None:
        self.catalog.delete_topic(topic)
        for shard in topic.shards:
            await self._logs.pop((topic.id, shard.id)).close()
        shutil.rmtree(self._data / str(topic.id), ignore_errors=True)

    def split(self, topic: Topic, shard_id: int, key: int | None) -> Topic:
        """Close a shard and open its two halves. No record can come into the closed one after this call."""
        if topic.extend:
            raise Fault("InvalidOperation", "a topic in extend mode is extended, not split")
        return self._reshape(topic, shard_ops.split(topic.shards, shard_id, key, self.clock()))

    def merge(self, topic: Topic, shard_id: int, adjacent_id: int) -> Topic:
        if topic.extend:
            raise Fault("InvalidOperation", "shards of a topic in extend mode cannot be merged")
        return self._reshape(topic, shard_ops.merge(topic.shards, shard_id, adjacent_id, self.clock()))

    def extend(self, topic: Topic, count: int) -> Topic:
        if not topic.extend:
            raise Fault("InvalidOperation", "only a topic in extend mode can be extended; split a shard instead")
        return self._reshape(topic, shard_ops.extend(topic.shards, count))

    def sweep(self) -> None:
        """Remove what has outlived its topic's lifecycle."""
        now = self.clock()
        for topic in self.catalog.topics():
            for shard in topic.shards:
                self.log(topic, shard.id).expire(now - topic.lifecycle * DAY_MS)

    async def keep_swept(self, seconds: float) -> None:
        """`sweep` for ever."""
        while True:
            await asyncio.sleep(seconds)
            try:
                self.sweep()
            except OSError as error:
                _log.error("datahub.sweep_failed", error=str(error))

    async def close(self) -> None:
        for log in self._logs.values():
            await log.close()
        self._executor.shutdown()
        self._database.close()
        os.close(self._lock)

    def _reshape(self, topic: Topic, shards: Shards) -> Topic:
        saved = self.catalog.save_topic(replace(topic, shards=shards, modified=self.clock() // 1000))
        self._open_logs(saved)
        return saved

    def _open_logs(self, topic: Topic) -> None:
        for shard in topic.shards:
            if (topic.id, shard.id) not in self._logs:
                folder = self._data / str(topic.id) / str(shard.id)
                self._logs[topic.id, shard.id] = Log(folder, self._executor, self.clock, self._settings)

    def _remove_orphans(self) -> None:
        """Folders of topics whose deletion a crash interrupted."""
        self._data.mkdir(exist_ok=True)
        known = {str(topic.id) for topic in self.catalog.topics()}
        for folder in self._data.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder)


def _lock(home: Path) -> int:
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise BadConfig(f"Another DataHub server is using {home}: stop it, or give this one another home.") from None
    return descriptor
