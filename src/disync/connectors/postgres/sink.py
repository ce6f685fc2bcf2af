"""Rows and the position they lead to become durable in one transaction, so that each counts once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psycopg

from disync.connectors.postgres import beginnings, late_key
from disync.connectors.postgres import checkpoint as checkpoints
from disync.connectors.postgres.alter import follow
from disync.connectors.postgres.catalog import describe
from disync.connectors.postgres.checkpoint import Held
from disync.connectors.postgres.connection import about, told
from disync.connectors.postgres.destination import Destination, Link
from disync.connectors.postgres.lane import Lane
from disync.connectors.postgres.parting import parting
from disync.connectors.postgres.stages import Stages
from disync.connectors.postgres.target import lacking
from disync.model.connector import Parting, Sink
from disync.model.data import Batch, Dirty, Position, SchemaChange, Table
from disync.model.errors import BadConfig, BegunAnew
from disync.model.run import Checkpoint, Split

SPILL_BYTES = 32 * 1024 * 1024
"""What a sink holds of a transaction before it sends it on, uncommitted: a long one needs no more memory than that. The
sinks of one stream share it."""

_NO_DEADLOCK = "SET lock_timeout = '90s'"
"""Where sessions of one stream wait for each other here, and not in the server, it would not notice. Rows that are
parted by key do not meet; but a server may lock more than rows, and a trigger elsewhere may do more than it should."""


class PostgresSink(Sink):
    """Puts the rows of one split, of as many tables as it has, in order."""

    keeps_checkpoint = True

    def __init__(
        self,
        destination: Destination,
        split: Split,
        link: Link,
        left: Callable[[PostgresSink, Link, bool], None] = lambda _sink, link, _clean: link[0].close(),
    ) -> None:
        """`left` is told when it is done with its connection, and whether that is as good as new."""
        self._destination = destination
        self._split = split
        self._connection, self._dialect = link
        self._left = left
        self._open = True
        self._stages = Stages(self._connection)
        self._lanes: dict[str, Lane] = {}
        self._waiting: dict[str, Lane] = {}
        """Those that have taken something since it was last put into their tables."""
        self._sending: Lane | None = None
        self._dirty: list[Dirty] = []
        self._rows = self._bytes = 0
        self._locked = False
        self._share = destination.writers if split.endless else 1
        self._owner = destination.owner
        try:
            with told("reading the checkpoint"):
                if self._share > 1:
                    with suppress(psycopg.errors.UndefinedObject), self._connection.transaction():
                        self._connection.execute(_NO_DEADLOCK)
                self._seen = checkpoints.read(self._connection, destination.schema, self._owner, split.id)
                self._connection.rollback()
        except BaseException:
            self._connection.close()
            raise
        self._sequence = self._seen.sequence if self._seen else 0

    def write(self, batch: Batch) -> None:
        with told(f"writing rows of {batch.table.name}"):
            with about(batch.table):
                lane = self._lane(batch.table)
                self._sending = self._waiting[batch.table.name] = lane
                self._sequence = lane.take(batch, self._sequence, time.time_ns() // 1_000_000)
            self._rows += batch.count if batch.ops is not None else 0  # rows of a load are sent already
            self._bytes += batch.size
            rows, size = self._rows * self._share, self._bytes * self._share
            if rows >= self._destination.parameters.batch_size or size >= SPILL_BYTES:
                self._spill()

    def alter(self, change: SchemaChange) -> None:
        """Rows before the change are durable when this is called; it is in effect, and repeatable, when it returns."""
        with about(change.after), told(f"following {change.kind}: {change.statement}"):
            self._pause()
            self._connection.rollback()
            self._start_anew()
            # A run that was replaced must not truncate what the new one has written.
            schema = self._destination.schema
            if self._seen is None:
                beginnings.require_latest(self._connection, schema, self._owner, self._dialect.shares)
            checkpoints.keep(self._connection, schema, self._owner, self._split.id, self._seen)
            for one in (change, *change.together):
                follow(self._connection, self._dialect, one, self._destination.wish)
            if change.together and self._seen is not None:
                self._pass(change.position)
            self._connection.commit()

    def _pass(self, position: Position) -> None:
        """Tables that have changed places would change back if the same came again: so the place goes with it."""
        assert self._seen is not None, "the caller has looked"
        new = replace(self._seen, checkpoint=replace(self._seen.checkpoint, position=position, refused=()))
        checkpoints.claim(self._connection, self._destination.schema, self._owner, new, self._seen)
        self._seen = new

    def keyed(self, table: Table) -> None:
        wish = self._destination.wish(table)
        with about(table), told(f"making the primary key of {wish.relation}"):
            self._pause()
            self._start_anew()
            late_key.put(self._connection, wish.relation, wish.primary)

    def parts(self) -> list[str]:
        with told("reading the checkpoint"):
            found = checkpoints.parts(self._connection, self._destination.schema, self._owner, self._split.id)
            self._connection.rollback()
        return sorted(found.keys() - {self._split.id})

    def parting(self, table: Table) -> Parting:
        with about(table), told(f"looking at the target of {table.name}"):
            self._pause()
            return parting(self._connection, table, self._destination)

    def hold(self) -> None:
        if self._connection.info.transaction_status is psycopg.pq.TransactionStatus.INTRANS:
            with told("holding a transaction"):
                self._connection.execute("SELECT 1")

    def forget(self) -> None:
        with told("ending a transaction"):
            self._pause()
            self._connection.rollback()
            self._start_anew()

    def last(self) -> Checkpoint | None:
        if self._seen is not None and self._seen.closed:
            raise BegunAnew
        return self._seen.checkpoint if self._seen else None

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        new = Held(checkpoint, self._sequence)
        try:
            with told("writing rows"):
                self._pause()
                schema, lead = self._destination.schema, self._split.lead
                if self._seen is None:
                    beginnings.require_latest(self._connection, schema, self._owner, self._dialect.shares)
                if lead and (self._seen is None or self._seen.checkpoint.done):  # it begins to be one
                    checkpoints.require_lead(self._connection, schema, self._owner, lead, checkpoint.epoch)
                checkpoints.claim(self._connection, schema, self._owner, new, self._seen)
                self._apply()
                kept = replace(checkpoint, refused=(*checkpoint.refused, *self._dirty))
                checkpoints.refuse(self._connection, schema, self._owner, kept)
                self._connection.commit()
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.rollback()
            raise
        self._stages.committed()
        self._seen, self._locked = new, False
        dirty, self._dirty = self._dirty, []
        return dirty

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._sending is not None:
            self._sending.abandon()
        idle = self._connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE
        clean = idle and self._sending is None and not self._split.endless and not self._stages.left
        self._sending = None
        self._start_anew()
        self._left(self, (self._connection, self._dialect), clean)

    def _start_anew(self) -> None:
        """Nothing is known of the tables any more."""
        self._lanes.clear()
        self._waiting.clear()
        self._stages.forget()

    def _lane(self, table: Table) -> Lane:
        """The lane of a table; another one when its columns are others than before."""
        destination = self._destination
        lane = self._lanes.get(table.name)
        if lane is not None and lane.mapping.table == table:
            self._pause(lane)
            return lane
        self._pause()
        if lane is not None:
            self._apply()
        target = describe(self._connection, destination.relation(table))
        if target is None:
            raise BadConfig(
                f"There is no table {destination.relation(table)}: have it loaded again (RetryDISyncTables)."
            )
        # A log tells of a column before its first row. What is read of a table may be ahead of the log.
        if self._split.endless and (lacks := lacking(destination.wish(table), target)):
            raise lacks
        lane = Lane(self._connection, target, table, destination, self._stages, self._dialect.counts)
        self._lanes[table.name] = lane
        return lane

    def _spill(self) -> None:
        """Send on what waits, and commit nothing: the transaction of the source has not ended yet."""
        self._pause()
        if not self._locked:
            checkpoints.read(self._connection, self._destination.schema, self._owner, self._split.id, lock=True)
            self._locked = True
        self._apply()

    def _pause(self, goes_on: Lane | None = None) -> None:
        """Only one table at a time can have rows on their way, and while it has, nothing else is asked."""
        lane = self._sending
        if lane is not None and lane is not goes_on:
            self._sending = None
            with self._writing(lane):
                lane.pause()

    def _apply(self) -> None:
        self._pause()
        for lane in self._waiting.values():
            if not lane.waits:
                continue
            with self._writing(lane):
                self._dirty += lane.apply()
        self._waiting.clear()
        self._rows = self._bytes = 0

    @contextmanager
    def _writing(self, lane: Lane) -> Iterator[None]:
        table = lane.mapping.table
        with about(table), told(f"writing rows of {table.name}"):
            try:
                yield
            except psycopg.errors.UndefinedColumn as error:
                self._connection.rollback()
                target = describe(self._connection, self._destination.relation(table))
                raise (target and lacking(self._destination.wish(table), target)) or error from error
