"""Writing tables: rows and the position they lead to become durable in one transaction, so that each counts once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import psycopg

from disync.connectors.postgres import checkpoint as checkpoints
from disync.connectors.postgres import inspection
from disync.connectors.postgres.alter import follow
from disync.connectors.postgres.catalog import Target, describe
from disync.connectors.postgres.checkpoint import Held
from disync.connectors.postgres.config import Address, WriterParameters
from disync.connectors.postgres.connection import Connection, about, connect, told
from disync.connectors.postgres.inspection import PostgresInspection
from disync.connectors.postgres.lane import Lane
from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.target import POSTGRESQL, Dialect, Wish, fits, make, unlike
from disync.model.compare import Inspection, Method, Trait
from disync.model.connector import Sink, Writer
from disync.model.data import Batch, Dirty, Position, SchemaChange, Table
from disync.model.errors import BadConfig
from disync.model.run import Checkpoint, Split
from disync.native import pgcopy

SPILL_BYTES = 32 * 1024 * 1024
"""What a sink holds of a transaction before it sends it on, uncommitted: a long one needs no more memory than that."""

_SERVER = """
SELECT current_setting('server_encoding'), current_setting('transaction_read_only') = 'on',
       has_database_privilege(current_database(), 'CREATE'),
       (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $1)
"""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a step writes and how: what a writer and its sinks share."""

    address: Address
    parameters: WriterParameters
    owner: str
    """Whose checkpoints these are: a split's id says it within its source only."""
    detect: Callable[[Connection], Dialect] = lambda _: POSTGRESQL

    @property
    def schema(self) -> str:
        return self.parameters.target_schema

    @property
    def append(self) -> bool:
        return self.parameters.write_mode == "insert"

    @property
    def ignore(self) -> bool:
        return self.parameters.conflict_mode == "ignore"

    def relation(self, table: Table) -> Relation:
        if table.path:
            schema, name = table.path
            return Relation(schema or self.schema, name)
        return Relation(self.schema, self.parameters.table or table.name)

    def wish(self, table: Table, lenient: bool = False) -> Wish:
        return Wish(self.relation(table), table, self.append, lenient)

    def connect(self) -> tuple[Connection, Dialect]:
        connection = connect(self.address)
        try:
            with told("opening a session"):
                dialect = self.detect(connection)
                connection.rollback()
        except BaseException:
            connection.close()
            raise
        return connection, dialect


class PostgresWriter(Writer):
    """Writes into one schema of one database; every sink has a session of its own."""

    formats = (pgcopy.FORMAT,)

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._session: tuple[Connection, Dialect] | None = None
        self._sinks: list[PostgresSink] = []
        self._lock = threading.Lock()

    @property
    def appends(self) -> bool:
        return self._destination.append

    def check(self) -> list[str]:
        connection, _ = self._connection()
        schema = self._destination.schema
        with told("checking the server"):
            row = connection.execute(_SERVER, (schema,)).fetchone()
            connection.rollback()
        assert row is not None, "this query always has one row"
        encoding, read_only, may_create_schema, may_create_table = row
        if read_only:
            raise BadConfig("The server of the data source is read-only, a standby perhaps. Name the primary.")
        if may_create_table is None and not may_create_schema:
            raise BadConfig(f"There is no schema {schema}, and the user may not create it. Create it, or grant CREATE.")
        warnings = []
        if may_create_table is False:
            warnings.append(f"The user may not create tables in schema {schema}: they have to be there already.")
        if encoding != "UTF8":
            warnings.append(f"The database is encoded as {encoding}: texts it cannot hold will be refused.")
        return warnings

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        """Make or verify every table, and the table of checkpoints. No table is made unless those there are fit."""
        destination = self._destination
        unlike(tables, destination.parameters.table)
        connection, dialect = self._connection()
        with told("preparing the target tables"):
            checkpoints.create(connection, destination.schema)
            lenient = lenient or checkpoints.goes_on(connection, destination.schema, destination.owner)
            wishes = [destination.wish(table, lenient) for table in tables]
            for wish in [wish for wish in wishes if not fits(connection, wish)]:
                make(connection, wish, dialect)

    def open(self, split: Split) -> Sink:
        sink = PostgresSink(self._destination, split)
        with self._lock:
            self._sinks.append(sink)
        return sink

    def traits(self, table: Table) -> Mapping[str, Trait]:
        connection, _ = self._connection()
        return inspection.traits(connection, self._described(connection, table), table)

    def inspect(self, table: Table, method: Method) -> Inspection:
        connection, _ = self._destination.connect()
        try:
            target = self._described(connection, table)
            return PostgresInspection(connection, target, table, method, self._place_of)
        except BaseException:
            connection.close()
            raise

    def place(self, table: Table) -> str:
        relation = self._destination.relation(table)
        return f"{relation.schema}.{relation.name}"

    def held(self, split: Split) -> Position | None:
        connection, _ = self._connection()
        with told("reading the checkpoint"):
            found = self._place_of(connection, split)
            connection.rollback()
        return found

    def _place_of(self, connection: Connection, split: Split) -> Position | None:
        schema, owner = self._destination.schema, self._destination.owner
        if describe(connection, checkpoints.relation(schema)) is None:
            return None
        found = checkpoints.read(connection, schema, owner, split.id)
        return found.checkpoint.position if found else None

    def _described(self, connection: Connection, table: Table) -> Target:
        relation = self._destination.relation(table)
        if self._destination.append:
            raise BadConfig(f"{relation} holds every change as a row (writeMode insert): it cannot equal its source.")
        with told(f"looking at {relation}"):
            target = describe(connection, relation)
            connection.rollback()
        if target is None:
            raise BadConfig(f"There is no table {relation} in the target. Start the task to have it made.")
        return target

    def close(self) -> None:
        with self._lock:
            sinks, self._sinks = self._sinks, []
            session, self._session = self._session, None
        for sink in sinks:
            sink.close()
        if session is not None:
            session[0].close()

    def _connection(self) -> tuple[Connection, Dialect]:
        if self._session is None or self._session[0].closed:
            self._session = self._destination.connect()
        return self._session


class PostgresSink(Sink):
    """Puts the rows of one split, of as many tables as it has, in order."""

    keeps_checkpoint = True

    def __init__(self, destination: Destination, split: Split) -> None:
        self._destination = destination
        self._split = split
        self._connection, self._dialect = destination.connect()
        self._lanes: dict[str, Lane] = {}
        self._sending: Lane | None = None
        self._dirty: list[Dirty] = []
        self._rows = self._bytes = 0
        self._locked = False
        self._owner = destination.owner
        try:
            with told("reading the checkpoint"):
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
                self._sending = lane
                self._sequence = lane.take(batch, self._sequence, time.time_ns() // 1_000_000)
            if batch.ops is None:
                return  # sent already
            self._rows += batch.count
            self._bytes += batch.size
            if self._rows >= self._destination.parameters.batch_size or self._bytes >= SPILL_BYTES:
                self._spill()

    def alter(self, change: SchemaChange) -> None:
        """Rows before the change are durable when this is called; it is in effect, and repeatable, when it returns."""
        with about(change.after), told(f"following {change.kind}: {change.statement}"):
            self._pause()
            self._connection.rollback()
            self._lanes.clear()
            checkpoints.keep(
                self._connection, self._destination.schema, self._owner, self._split.id, self._seen
            )  # a run that was replaced must not truncate what the new one has written
            follow(self._connection, self._dialect, change, self._destination.wish)

    def last(self) -> Checkpoint | None:
        return self._seen.checkpoint if self._seen else None

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        new = Held(checkpoint, self._sequence)
        try:
            with told("writing rows"):
                self._pause()
                checkpoints.claim(self._connection, self._destination.schema, self._owner, new, self._seen)
                self._apply()
                kept = replace(checkpoint, refused=(*checkpoint.refused, *self._dirty))
                checkpoints.refuse(self._connection, self._destination.schema, self._owner, kept)
                self._connection.commit()
        except BaseException:
            with suppress(psycopg.Error):
                self._connection.rollback()
            raise
        for lane in self._lanes.values():
            lane.committed()
        self._seen, self._locked = new, False
        dirty, self._dirty = self._dirty, []
        return dirty

    def close(self) -> None:
        if self._sending is not None:
            self._sending.abandon()
            self._sending = None
        self._lanes.clear()
        self._connection.close()

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
            raise BadConfig(f"There is no table {destination.relation(table)}. Start the task again to have it made.")
        lane = Lane(self._connection, target, table, destination.append, destination.ignore)
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
            with about(lane.mapping.table), told(f"writing rows of {lane.mapping.table.name}"):
                lane.pause()

    def _apply(self) -> None:
        self._pause()
        for lane in self._lanes.values():
            if not lane.waits:
                continue
            with about(lane.mapping.table), told(f"writing rows of {lane.mapping.table.name}"):
                self._dirty += lane.apply()
        self._rows = self._bytes = 0
