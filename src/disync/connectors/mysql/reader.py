"""Reading tables as they are: ranges of the key, page by page, each page a short statement of its own.

A page sees the table at its own moment. That is enough: whoever loads a table takes the log's position first and
follows the log from there afterwards, so that every change made meanwhile is applied again, in order, by key.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from disync.connectors.mysql import checks, chunks, dialect, digest, inspection, schema
from disync.connectors.mysql import reread as rereading
from disync.connectors.mysql.config import Address, ReaderParameters
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.inspection import MySQLInspection
from disync.connectors.mysql.pages import Pages, key_of
from disync.connectors.mysql.pool import Pool
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.connectors.network import authority
from disync.model.compare import Hash, Inspection, Method, Trait
from disync.model.connector import Reader
from disync.model.data import Batch, Event, Position, Table
from disync.model.errors import BadConfig, TaskError, Unreachable
from disync.model.kept import Kept
from disync.model.lineage import Dataset
from disync.model.outlook import Seen
from disync.model.run import Split
from disync.native import pgcopy


class MySQLReader(Reader):
    """Reads the selected tables. A position is the last key read; a table without a key is read from its beginning."""

    formats = (pgcopy.FORMAT,)

    def __init__(self, address: Address, selection: Selection, parameters: ReaderParameters) -> None:
        self.address = address
        self.selection = selection
        self.batch_rows = parameters.batch_size
        self.closed = threading.Event()
        self._pool = Pool(address, self.closed)

    def check(self) -> list[str]:
        with self.session() as session:
            return checks.check(session, self.selection)

    def tables(self) -> list[Table]:
        return [shape.table for shape in self.shapes().values()]

    def names(self) -> list[Table]:
        with self.session() as session:
            return schema.names(session, self.selection)

    def look(self, tables: Sequence[Table]) -> list[Seen]:
        with self.session() as session:
            return list(schema.look(session, self.selection, tables))

    def estimates(self, tables: Sequence[Table]) -> Mapping[str, int]:
        names = {(table.path[0], table.path[1]): table.name for table in tables}
        with self._pool.lend() as session:
            found = schema.measures(session, list(names)) if names else {}
        return {names[place]: one.rows for place, one in found.items() if one.rows is not None}

    def split(self, want: int) -> list[Split]:
        with self._pool.lend() as session:
            return chunks.split(session, list(schema.read(session, self.selection).values()), want)

    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        try:
            yield from self._read(split, after)
        except TaskError:
            if not self.closed.is_set():
                raise

    def locate(self, split: Split, text: str) -> Position:
        """Of a part of a load: the key of a row, behind which reading goes on."""
        place, key = chunks.range_of(split.bounds), key_of(Position(text))
        with self.session() as session:
            shape = schema.read(session, self.selection, (place.database, place.name)).get((place.database, place.name))
        if shape is None or not shape.keys:
            raise BadConfig(f"{split.table.name} is not there or has no key: nobody can go on in the middle of it.")
        if len(key) != len(shape.keys):
            raise BadConfig(f"The key of {split.table.name} has {len(shape.keys)} columns, and {text} has {len(key)}.")
        return Position(text)

    def reread(self, table: Table, rows: Sequence[Kept]) -> Iterator[Batch]:
        with self.session() as session:
            yield from rereading.batches(session, self.selection, table, rows)

    def traits(self, table: Table) -> Mapping[str, Trait]:
        return {native.name: digest.trait(native) for native in self._shape_of(table).natives}

    def hash(self) -> Hash:
        with self.session() as session:
            return dialect.hash_of(session)

    def inspect(self, table: Table, method: Method) -> Inspection:
        return MySQLInspection(self.session(), inspection.of_table(self._shape_of(table), table), method)

    def dataset(self, table: Table) -> Dataset:
        """MariaDB, too, is named as MySQL."""
        return Dataset(f"mysql://{authority(self.address.host, self.address.port)}", ".".join(table.path))

    def close(self) -> None:
        self.closed.set()
        self._pool.close()

    def _read(self, split: Split, after: Position | None) -> Iterator[Event]:
        range_ = chunks.range_of(split.bounds)
        with self._pool.lend() as session:
            place = (range_.database, range_.name)
            shape = schema.read(session, self.selection, place).get(place)
            if shape is None:
                raise BadConfig(
                    f"Table {range_.database}.{range_.name} is not there any more. Start the task anew.",
                    [split.table.name],
                )
            _require_key(shape, range_, after)
            shape = _as_planned(shape, split.table)
            pages = Pages(session, shape, range_, split.format == pgcopy.FORMAT)
            if not shape.keys:
                yield from pages.rows_without_key(self.batch_rows)
                _require_unaltered(session, shape)
                return
            last = key_of(after) if after else None
            while not self.closed.is_set():
                yield from pages.rows_after(last, self.batch_rows)
                _require_unaltered(session, shape)
                last = pages.last
                if pages.short:
                    return

    # What both ways of reading need.

    def _shape_of(self, table: Table) -> Shape:
        place = (table.path[0], table.path[1])
        with self.session() as session:
            shape = schema.read(session, self.selection, place).get(place)
        if shape is None:
            raise BadConfig(f"Table {table.name} is not in the source any more.")
        return shape

    def shapes(self) -> dict[Name, Shape]:
        with self._pool.lend() as session:
            return schema.read(session, self.selection)

    def session(self) -> AbstractContextManager[Session]:
        """A connection that `close` hangs up, too."""
        return self._pool.open()


def _require_key(shape: Shape, range_: chunks.Range, after: Position | None) -> None:
    """What was cut by a key, or read up to one, is gone on with by that key: by another one, or by none, rows would
    come twice or not at all."""
    if range_.whole and not after:
        return
    now = tuple(native.name for native in shape.keys)
    if now and range_.key in (None, now):
        return
    was, is_ = (f"({', '.join(key)})" if key else unknown for key, unknown in ((range_.key, "another"), (now, "none")))
    raise BadConfig(
        f"The key of {shape.database}.{shape.name} was {was} when its load was cut, and is now {is_}: nobody can go on "
        "in the middle of it. Give it that key again and start the task; or have it loaded again (RetryDISyncTables), "
        "or empty the target's table and begin the task anew.",
        [shape.table.name],
    )


def _as_planned(shape: Shape, table: Table) -> Shape:
    """The columns that a load was planned with, though more have come at the end: the log will tell of those."""
    if not table.columns or table.columns == shape.table.columns:
        return shape
    planned = len(table.columns)
    if table.keys != shape.table.keys or table.columns != shape.table.columns[:planned]:
        raise _altered(shape)
    return replace(shape, table=table, natives=shape.natives[:planned])


def _require_unaltered(session: Session, shape: Shape) -> None:
    """A page names the columns that it reads, and one of them may since be another one that has taken its name. That a
    table is gone says nothing about what was read of it."""
    now = schema.column_names(session, shape.place)
    if now and now[: len(shape.natives)] != [native.name for native in shape.natives]:
        raise _altered(shape)


def _altered(shape: Shape) -> Unreachable:
    """The next run sees what became of the table, and whether what was read of it counts."""
    return Unreachable(f"Table {shape.database}.{shape.name} was altered since its load was planned.")
