"""A place in a shard that moves forward as records are fetched, and never over a gap."""

from __future__ import annotations

from disync.connectors.datahub.client import Client
from disync.connectors.datahub.connection import Gone, Rejected
from disync.connectors.datahub.transfer import Transfer
from disync.connectors.datahub.wire import batch
from disync.connectors.datahub.wire.entry import Block
from disync.connectors.datahub.wire.errors import Malformed
from disync.model.data import Position
from disync.model.errors import BadConfig, PositionGone, Unreachable


def position_of(sequence: int, cursor: str) -> Position:
    """`<sequence of the next record>:<cursor there, if known>`: the cursor is quick, the sequence outlives it."""
    return Position(f"{sequence}:{cursor}")


class Tail:
    """Reads one shard from a position on.

    Records are numbered one by one. A service that gives a whole block one number is read rightly too, since what is
    fetched follows the cursors; there a gap may go unnoticed.
    """

    def __init__(self, client: Client, transfer: Transfer, topic: str, shard: str, position: Position) -> None:
        self._client = client
        self._transfer = transfer
        self._topic = topic
        self._shard = shard
        number, _, self._cursor = position.partition(":")
        try:
            self.sequence = int(number)
        except ValueError as error:
            raise BadConfig(f"{position!r} is no position of a DataHub shard. Reset the task's start.") from error
        self._overlapping = False

    @property
    def position(self) -> Position:
        return position_of(self.sequence, self._cursor)

    def fetch(self, limit: int) -> list[tuple[Block, int, Position]] | None:
        """The next blocks, each with its number of records and the position behind it; None at the shard's end."""
        try:
            answer = self._transfer.get(self._shard, self._cursor or self._locate(), limit)
        except Gone as error:
            if not self._cursor:
                raise
            # A cursor that is not even of this shard: the topic may be another one under the same name.
            strange = error.reason == "InvalidCursor"
            answer = self._transfer.get(self._shard, self._newest(error) if strange else self._locate(), limit)
        except Rejected as error:
            if error.reason == "InvalidShardOperation":  # closed, and nothing is left in it
                return None
            raise
        try:
            found = [taken for block in answer.blocks if (taken := self._take(block))]
        except Malformed as error:
            raise Unreachable(f"DataHub sent a block of {self._topic} that cannot be read: {error}.") from error
        self._overlapping = False
        if answer.blocks:
            self._cursor = answer.next_cursor
        return found

    def _take(self, block: Block) -> tuple[Block, int, Position] | None:
        count = batch.count(block.data)
        known = self.sequence - block.sequence
        if self.sequence >= 0 and known < 0:
            raise PositionGone(self._lost(f"the next record that is there is {block.sequence}"))
        if known > 0 and self._overlapping:
            if known >= count:
                return None
            rest = batch.cut(block.data, known)
            block, count = Block(rest, self.sequence, block.system_time, next_cursor=block.next_cursor), count - known
        self.sequence = block.sequence + count
        return block, count, position_of(self.sequence, block.next_cursor)

    def _locate(self) -> str:
        """The cursor for our sequence. Where that record is yet to come, some services only know the one before."""
        if self.sequence < 0:
            return self._client.cursor(self._topic, self._shard, "OLDEST").cursor
        try:
            return self._client.cursor(self._topic, self._shard, "SEQUENCE", self.sequence).cursor
        except Gone as error:
            return self._newest(error)

    def _newest(self, error: Gone) -> str:
        """The cursor of the newest record, if ours is the one to come after it."""
        newest = self._client.cursor(self._topic, self._shard, "LATEST")
        if newest.sequence != self.sequence - 1:
            raise PositionGone(self._lost(str(error))) from error
        self._overlapping = True
        return newest.cursor

    def _lost(self, why: str) -> str:
        return (
            f"Shard {self._shard} of {self._topic} does not hold record {self.sequence} any more: {why}. Records were "
            "removed (lifecycle) before they were read, or the topic was made anew. Reset the start of the task."
        )
