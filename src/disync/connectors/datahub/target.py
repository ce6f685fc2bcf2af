"""The topic that is written: its layout, and which shard holds which part of the hash space now."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import md5

import structlog

from disync.connectors.datahub.client import Client, Shard
from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.layout import Layout
from disync.connectors.datahub.transfer import Transfer
from disync.connectors.datahub.types import layout_of
from disync.connectors.datahub.wire.schema import same_layout
from disync.model.data import SchemaChange
from disync.model.errors import BadConfig, Unreachable

SPACE = 1 << 128
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits for the children of a shard that has just been closed, in seconds."""

log = structlog.get_logger()


class Target:
    """Shared by the sinks of one writer, each in its own thread."""

    def __init__(self, client: Client, topic: str) -> None:
        self.client = client
        self.topic = topic
        self.layout = Layout(client, topic)
        self.transfer = Transfer(client, self.layout)
        self._lock = threading.Lock()
        self._shards: list[Shard] = client.shards(topic)
        self.view = 0
        """Grows whenever the shards are seen to have changed."""

    def shard_at(self, point: int) -> str:
        """The active shard that holds a point of the hash space."""
        for pause in (0.0, *_PAUSES):
            if pause and self.client.connection.wait(pause):
                break
            for shard in self._shards:
                if shard.active and shard.begin <= point < shard.end:
                    return shard.id
            self.look_again()
        raise Unreachable(f"No active shard of {self.topic} covers the hash {point:032X}.")

    def look_again(self) -> None:
        """A shard was closed: see which there are now."""
        shards = self.client.shards(self.topic)
        with self._lock:
            if shards != self._shards:
                self._shards = shards
                self.view += 1

    def follow(self, change: SchemaChange) -> None:
        """Append the fields that the source got, if the target had the source's schema until now."""
        with self._lock:
            self.layout.load()
            before, after, now = layout_of(change.before), layout_of(change.after), self.layout.schema
            if now is None or after is None or same_layout(after, now):
                return
            names = {field.name.lower() for field in now.fields}
            fresh = [field for field in after.fields if field.name.lower() not in names]
            if not same_layout(before, now):
                log.warning("datahub.columns_not_followed", topic=self.topic, columns=[field.name for field in fresh])
                return
            for field in fresh:
                try:
                    self.client.append_field(self.topic, field)
                except Rejected as error:
                    raise BadConfig(
                        f"The source has a new field {field.name} and topic {self.topic} does not take it: {error}"
                    ) from error
            self.layout.load()


def point_of(at: float) -> int:
    """The point of the hash space at a fraction of it."""
    return min(int(at * SPACE), SPACE - 1)


def point_of_key(values: Sequence[bytes | None]) -> int:
    """The point of the hash space for the values of a key: lengths keep ("a", "bc") and ("ab", "c") apart."""
    parts = [b"-" if value is None else b"%d:%s" % (len(value), value) for value in values]
    return int.from_bytes(md5(b"".join(parts), usedforsecurity=False).digest(), "big")
