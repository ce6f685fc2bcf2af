"""Records on their way to shards: gathered to puts of the right size, and sent in order even while shards change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from disync.connectors.datahub.connection import Rejected
from disync.connectors.datahub.mapping import as_json
from disync.connectors.datahub.target import Target
from disync.connectors.datahub.wire import batch
from disync.connectors.datahub.wire.entry import Failed
from disync.connectors.datahub.wire.errors import Malformed
from disync.model.data import Dirty, Position
from disync.model.errors import Unreachable

MAX_BYTES = 4_000_000
"""Of records in one put: under the service's limit of 4 MB a body, with room for the framing."""

PAUSES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Before records are sent again that the service did not take for now, in seconds."""

_CLOSED = frozenset({"InvalidShardOperation", "NoSuchShard"})
_BAD_RECORD = "MalformedRecord"


@dataclass(frozen=True, slots=True)
class Piece:
    """A block on its way: `count` records of `size` bytes. `points`: their places in the hash space, one for all
    where all are equal. `position`: the source's, after the batch they came in."""

    block: bytes
    count: int
    size: int
    points: tuple[int, ...]
    position: Position


class Lanes:
    """One queue a shard, all under one view of the shards: records of one key are never in two queues."""

    def __init__(self, target: Target, batch_size: int) -> None:
        self._target = target
        self._batch_size = batch_size
        self._lanes: dict[str, deque[Piece]] = {}
        self._view = target.view
        self._repeats = 0

    def put(self, piece: Piece) -> None:
        """Queue a piece where its records belong now."""
        while True:
            self._settle()
            placed = [(self._target.shard_at(part.points[0]), part) for part in self._by_shard(piece)]
            if self._view == self._target.view:
                break
        for shard, part in placed:
            self._lanes.setdefault(shard, deque()).extend(self._fitting(part))

    def send_full(self) -> list[Dirty]:
        """Send what makes full puts, so that no more than one put waits in a lane."""
        self._settle()
        full = [shard for shard, lane in self._lanes.items() if sum(p.count for p in lane) >= self._batch_size]
        return [dirty for shard in full for dirty in self._send(shard)]

    def send_all(self) -> list[Dirty]:
        """Send everything; when this returns the service has acknowledged it, or named it as refused."""
        dirty: list[Dirty] = []
        while self._lanes:
            self._settle()
            dirty += self._send(next(iter(self._lanes)))
        return dirty

    def drop(self) -> None:
        self._lanes.clear()

    def _settle(self) -> None:
        """Queue everything anew if the shards have changed: what is queued must not be overtaken by what comes."""
        if self._view == self._target.view:
            return
        self._view = self._target.view
        waiting = [piece for lane in self._lanes.values() for piece in lane]
        self._lanes.clear()
        for piece in waiting:
            self.put(piece)

    def _send(self, shard: str) -> list[Dirty]:
        """Send a lane. If its shard turns out to be closed, the rest is queued again under the shards there are now."""
        work = deque(self._groups(self._lanes.pop(shard)))
        dirty: list[Dirty] = []
        while work:
            group = work.popleft()
            try:
                failed = self._target.transfer.put(shard, [piece.block for piece in group])
            except Rejected as error:
                if error.reason in _CLOSED:
                    self._queue_again([*group, *(piece for rest in work for piece in rest)], str(error.detail))
                    break
                if error.reason != _BAD_RECORD:
                    raise
                if sum(piece.count for piece in group) == 1:
                    dirty.append(self._dirty(group[0], str(error.detail)))
                else:
                    work.extendleft(reversed(_halves(group)))
                continue
            if failed:
                bad, rest = self._sort_out(group, failed)
                dirty += bad
                if rest:
                    self._queue_again([*rest, *(piece for later in work for piece in later)], failed[0].message)
                    break
            self._repeats = 0
        return dirty

    def _queue_again(self, pieces: Iterable[Piece], why: str) -> None:
        """Queue under the shards there are now; slower each time while nothing gets through."""
        if self._repeats == len(PAUSES):
            raise Unreachable(f"DataHub does not take records for {self._target.topic}: {why}.")
        self._target.client.connection.wait(PAUSES[self._repeats])
        self._repeats += 1
        self._target.look_again()
        for piece in pieces:
            self.put(piece)

    def _groups(self, lane: Iterable[Piece]) -> list[list[Piece]]:
        """Puts of at most batch_size records and MAX_BYTES."""
        groups: list[list[Piece]] = []
        count = size = 0
        for piece in lane:
            if not groups or count + piece.count > self._batch_size or size + piece.size > MAX_BYTES:
                groups.append([])
                count = size = 0
            groups[-1].append(piece)
            count += piece.count
            size += piece.size
        return groups

    def _by_shard(self, piece: Piece) -> list[Piece]:
        if len(piece.points) == 1:
            return [piece]
        parts: dict[str, list[tuple[bytes, int]]] = {}
        for one, point in zip(batch.unpack(piece.block), piece.points, strict=True):
            parts.setdefault(self._target.shard_at(point), []).append((one, point))
        return [_piece(part, piece.position) for part in parts.values()]

    def _fitting(self, piece: Piece) -> list[Piece]:
        """The piece, cut where it is more than one put may hold."""
        if piece.count <= self._batch_size and piece.size <= MAX_BYTES:
            return [piece]
        parts: list[Piece] = []
        run: list[tuple[bytes, int]] = []
        size = 0
        for one in _records(piece):
            if run and (len(run) == self._batch_size or size + len(one[0]) > MAX_BYTES):
                parts.append(_piece(run, piece.position))
                run, size = [], 0
            run.append(one)
            size += len(one[0])
        return [*parts, _piece(run, piece.position)]

    def _sort_out(self, group: Sequence[Piece], failed: Sequence[Failed]) -> tuple[list[Dirty], list[Piece]]:
        """Of the records that a put names as not taken: those that never will be, and those to send again."""
        records = [(one, piece) for piece in group for one in _records(piece)]
        dirty: list[Dirty] = []
        again: list[tuple[tuple[bytes, int], Piece]] = []
        for failure in failed:
            one, piece = records[failure.index]
            if failure.code == _BAD_RECORD:
                dirty.append(self._dirty(_piece([one], piece.position), failure.message))
            else:
                again.append((one, piece))
        rest = [
            _piece([one for one, _ in run], piece_run)
            for piece_run, grouped in groupby(again, key=lambda item: item[1].position)
            for run in [list(grouped)]
        ]
        return dirty, rest

    def _dirty(self, piece: Piece, reason: str) -> Dirty:
        schema = self._target.layout.schema
        names = ["data"] if schema is None else [field.name for field in schema.fields]
        try:
            row = as_json(names, batch.decode(piece.block, schema)[0].data)
        except Malformed:
            row = as_json(["record"], [piece.block])
        return Dirty(self._target.topic, row, reason, piece.position)


def _records(piece: Piece) -> list[tuple[bytes, int]]:
    """The records of a piece, each with its point."""
    records = batch.unpack(piece.block)
    points = piece.points if len(piece.points) == len(records) else piece.points * len(records)
    return list(zip(records, points, strict=True))


def _piece(records: Sequence[tuple[bytes, int]], position: Position) -> Piece:
    block = batch.pack([one for one, _ in records])
    points = tuple(point for _, point in records)
    if len(set(points)) == 1:
        points = points[:1]
    return Piece(block, len(records), sum(len(one) for one, _ in records), points, position)


def _halves(group: Sequence[Piece]) -> list[list[Piece]]:
    if len(group) > 1:
        return [list(group[: len(group) // 2]), list(group[len(group) // 2 :])]
    records = _records(group[0])
    middle = len(records) // 2
    return [[_piece(part, group[0].position)] for part in (records[:middle], records[middle:])]
