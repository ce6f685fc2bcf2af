"""Following a topic for ever: one stream a shard, through splits and merges."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from disync.connectors.datahub.reader import DataHubReader
from disync.connectors.datahub.tail import position_of
from disync.model.connector import ChangeReader
from disync.model.data import Event, Idle, Position, SchemaChange
from disync.model.errors import BadConfig, PositionGone, TaskError
from disync.model.run import Split, Start

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Between two looks into a shard that had nothing, in seconds: the pause doubles while it stays empty."""

SEALED_SECONDS = 2.0
"""How often a shard that stays empty is asked whether it has been closed."""


class DataHubChangeReader(DataHubReader, ChangeReader):
    """Follows every shard of a topic. Nothing is told to the service: positions are kept by whoever runs the task."""

    def streams(self) -> list[Split]:
        return self.shards()

    def seek(self, stream: Split, start: Start) -> Position:
        if start.at == "earliest":
            found = self.cursor(stream, "OLDEST")
            return position_of(found.sequence, found.cursor) if found else position_of(0, "")
        if start.at == "time":
            found = self.cursor(stream, "SYSTEM_TIME", start.time_ms)
            if found is not None:
                return position_of(found.sequence, found.cursor)
        newest = self.cursor(stream, "LATEST")
        return position_of(newest.sequence + 1 if newest else 0, "")

    def locate(self, split: Split, text: str) -> Position:
        """By the number of the next record. A cursor that stands behind it is not kept: it might lead elsewhere."""
        number = text.partition(":")[0]
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            raise BadConfig(
                f"{text!r} is no position of a DataHub shard: give the sequence of the record to go on with, as 42."
            )
        self._must_hold(split, int(number))
        return position_of(int(number), "")

    def _must_hold(self, split: Split, sequence: int) -> None:
        oldest, newest = self.cursor(split, "OLDEST"), self.cursor(split, "LATEST")
        last = newest.sequence if newest else -1
        if sequence > last + 1:
            raise BadConfig(f"The shard's next record will be {last + 1}: there is none {sequence} to go on with yet.")
        if oldest is not None and sequence < oldest.sequence:
            raise PositionGone(f"The oldest record that the shard still has is {oldest.sequence}.")

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        tail = self.tail(stream, after or self.seek(stream, Start()))
        pause, asked, sealed = FIRST_PAUSE, time.monotonic(), False
        while not self.client.connection.closed:
            try:
                fetched = tail.fetch(self.batch_size)
            except TaskError:
                if self.client.connection.closed:
                    return
                raise
            if fetched is None or (sealed and not fetched):
                return
            if fetched:
                pause = FIRST_PAUSE
                for event in self.events(stream, fetched):
                    if isinstance(event, SchemaChange):
                        stream = replace(stream, table=event.after)
                    yield event
                continue
            yield Idle(tail.position)
            if self.client.connection.wait(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            if time.monotonic() - asked > SEALED_SECONDS:
                asked, sealed = time.monotonic(), self._is_sealed(stream)

    def ack(self, stream: Split, upto: Position) -> None:
        """DataHub keeps records for the topic's lifecycle, read or not."""

    def _is_sealed(self, stream: Split) -> bool:
        """Whether the shard is closed. What it held when it closed is read before the stream ends."""
        shard_id = self.shard_of(stream)
        return not any(shard.active for shard in self.client.shards(self.topic) if shard.id == shard_id)
