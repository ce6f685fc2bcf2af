"""Writing into the tables of one schema: what is there, what is missing, and a sink for every split."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace

import psycopg

from disync.connectors.network import authority
from disync.connectors.postgres import beginnings, inspection, late_key
from disync.connectors.postgres import checkpoint as checkpoints
from disync.connectors.postgres.catalog import Target, describe, describe_all
from disync.connectors.postgres.connection import Connection, told
from disync.connectors.postgres.destination import Destination, Link
from disync.connectors.postgres.inspection import PostgresInspection
from disync.connectors.postgres.sink import PostgresSink
from disync.connectors.postgres.target import absent, foresee, keys_of, make_all, unlike
from disync.model.compare import Inspection, Method, Trait
from disync.model.connector import Sink, Writer
from disync.model.data import Position, Table
from disync.model.errors import BadConfig
from disync.model.lineage import Dataset
from disync.model.outlook import Outlook
from disync.model.run import Split
from disync.native import pgcopy

MOST_IDLE = 4
IDLE_SECONDS = 5.0
"""How many connections rest for how long until another table needs one."""

_SERVER = """
SELECT current_setting('server_encoding'), current_setting('transaction_read_only') = 'on',
       has_database_privilege(current_database(), 'CREATE'),
       (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = $1)
"""


class PostgresWriter(Writer):
    """Writes into one schema of one database; every sink has a session of its own."""

    formats = (pgcopy.FORMAT,)
    shared = True

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._session: Link | None = None
        self._sinks: set[PostgresSink] = set()
        self._idle: list[tuple[float, Link]] = []
        self._closed = False
        self._lock = threading.Lock()

    @property
    def appends(self) -> bool:
        return self._destination.append

    @property
    def writers(self) -> int:
        return self._destination.writers

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

    def dismiss(self, helpers: Set[str]) -> None:
        connection, _ = self._connection()
        with told("ending the sessions of earlier runs"):
            self._destination.holder.dismiss(connection, helpers)

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        """Make or verify every table, and the table of checkpoints. No table is made unless those there are fit."""
        self._prepare(tables, lenient, late=False)

    def prepare_load(
        self, tables: Sequence[Table], lenient: bool = False, small: Set[str] = frozenset()
    ) -> list[Table]:
        return self._prepare(tables, lenient, late=True, small=small)

    def _prepare(
        self, tables: Sequence[Table], lenient: bool, late: bool, small: Set[str] = frozenset()
    ) -> list[Table]:
        """`late`: keys come when the rows are in, where the server can do that, but for tables made now that are
        `small`. The tables that still wait for one."""
        destination = self._destination
        unlike(tables, destination.parameters.table)
        connection, dialect = self._connection()
        with told("preparing the target tables"):
            checkpoints.create(connection, destination.schema)
            beginnings.require_latest(connection, destination.schema, destination.owner, dialect.shares)
            connection.rollback()
            goes_on = checkpoints.goes_on(connection, destination.schema, destination.owner)
            wishes = destination.wishes(tables, lenient or goes_on, late_key.waiting(connection))
            late = late and dialect.late_keys
            made = [
                replace(wish, keyless=late and bool(wish.keys) and wish.table.name not in small)
                for wish in absent(connection, wishes)
            ]
            make_all(connection, made, dialect)
            waiting = [wish for wish in wishes if wish.keyless]
            if not (late and goes_on):  # marked by a task that is no more, whose rows may be in it
                for wish in waiting:
                    late_key.put(connection, wish.relation, wish.primary)
                waiting = []
            if not beginnings.begun(connection, destination.schema, destination.owner):
                beginnings.begin(connection, destination.schema, destination.owner)
            return [wish.table for wish in (*waiting, *made) if wish.keyless]

    def foresee(self, table: Table) -> Outlook:
        connection, dialect = self._connection()
        wish = self._destination.wish(table)
        with told(f"looking at {wish.relation}"):
            return replace(foresee(connection, wish, dialect), place=self.place(table))

    def missing(self, tables: Sequence[Table]) -> list[Table]:
        connection, _ = self._connection()
        relations = [self._destination.relation(table) for table in tables]
        with told("looking for the target tables"):
            there = describe_all(connection, relations)
            connection.rollback()
        return [table for table, relation in zip(tables, relations, strict=True) if relation not in there]

    def filled(self, tables: Sequence[Table]) -> list[Table]:
        if self._destination.append:
            return []
        connection, _ = self._connection()
        places = {self._destination.relation(table): table for table in tables}
        with told("looking into the target tables"):
            there = describe_all(connection, list(places))
            found = [
                table
                for relation, table in places.items()
                if (target := there.get(relation)) is not None
                and not keys_of(target, table)
                and connection.execute(f"SELECT 1 FROM {relation} LIMIT 1".encode()).fetchone()
            ]
            connection.rollback()
        return found

    def ended(self, among: Sequence[str] | None = None) -> Set[str]:
        connection, _ = self._connection()
        with told("reading how far the target is"):
            return checkpoints.ended(connection, self._destination.schema, self._destination.owner, among)

    def open(self, split: Split) -> Sink:
        sink = PostgresSink(self._destination, split, self._link(), self._left)
        with self._lock:
            self._sinks.add(sink)
        return sink

    def _link(self) -> Link:
        return self._rested() or self._destination.connect(self._destination.holder.session)

    def _rested(self) -> Link | None:
        """A connection that another sink let go of a moment ago; whether the server still has it, its first use tells.
        One that rests for longer is hung up."""
        while True:
            with self._lock:
                since, link = self._idle.pop() if self._idle else (0.0, None)
            if link is None or time.monotonic() - since < IDLE_SECONDS:
                return link
            link[0].close()

    def _left(self, sink: PostgresSink, link: Link, clean: bool) -> None:
        """A sink is done with its connection."""
        with self._lock:
            self._sinks.discard(sink)
            if clean and not self._closed and len(self._idle) < MOST_IDLE:
                self._idle.append((time.monotonic(), link))
                return
        link[0].close()

    def traits(self, table: Table) -> Mapping[str, Trait]:
        connection, _ = self._connection()
        return inspection.traits(connection, self._described(connection, table), table)

    def inspect(self, table: Table, method: Method) -> Inspection:
        connection, _ = self._destination.connect()
        try:
            target = self._described(connection, table)
            return PostgresInspection(connection, target, table, method, self._places_of)
        except BaseException:
            connection.close()
            raise

    def place(self, table: Table) -> str:
        return ".".join(self._destination.relation(table).place)

    def dataset(self, table: Table) -> Dataset:
        address, relation = self._destination.address, self._destination.relation(table)
        namespace = f"{self._destination.scheme}://{authority(address.host, address.port)}"
        return Dataset(namespace, f"{address.database}.{relation.schema}.{relation.name}")

    def held(self, split: Split) -> Position | None:
        connection, _ = self._connection()
        with told("reading the checkpoint"):
            found = self._places_of(connection, split)
            connection.rollback()
        return found.pop() if len(found) == 1 else None

    def _places_of(self, connection: Connection, split: Split) -> set[Position]:
        """Where its sinks are: one place, but for a moment in which some have written and others have not."""
        schema, owner = self._destination.schema, self._destination.owner
        if describe(connection, checkpoints.relation(schema)) is None:
            return set()
        return set(checkpoints.parts(connection, schema, owner, split.id).values())

    def _described(self, connection: Connection, table: Table) -> Target:
        relation = self._destination.relation(table)
        if self._destination.append:
            raise BadConfig(f"{relation} holds every change as a row (writeMode insert): it cannot equal its source.")
        with told(f"looking at {relation}"):
            target = describe(connection, relation)
            connection.rollback()
        if target is None:
            raise BadConfig(f"There is no table {relation} in the target: have it loaded again (RetryDISyncTables).")
        return target

    def close(self) -> None:
        with self._lock:
            self._closed = True
            sinks, links = list(self._sinks), [link for _, link in self._idle]
            session, self._session = self._session, None
            self._idle.clear()
        for sink in sinks:
            sink.close()
        for connection, _ in [*links, *([session] if session else [])]:
            connection.close()

    def _connection(self) -> Link:
        """For questions, which come in the middle of a long run, too: a session that has rested may be cut off."""
        if self._session is not None:
            connection, _ = self._session
            with suppress(psycopg.Error):
                connection.execute("SELECT 1")
                connection.rollback()
        if self._session is None or self._session[0].closed:
            self._session = self._destination.connect()
        return self._session
