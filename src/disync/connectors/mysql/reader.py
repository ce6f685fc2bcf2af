"""Reading tables as they are: ranges of the key, page by page, each page a short statement of its own.

A page sees the table at its own moment. That is enough: whoever loads a table takes the log's position first and
follows the log from there afterwards, so that every change made meanwhile is applied again, in order, by key.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from disync.connectors.mysql import checks, chunks, schema, sql
from disync.connectors.mysql.config import Address, ReaderParameters, Selection
from disync.connectors.mysql.connection import Row, Session
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.values import from_text
from disync.model.connector import Reader
from disync.model.data import Batch, Event, Position, Table, record_batch
from disync.model.errors import BadConfig, Unreachable
from disync.model.run import Split

PAGE_ROWS = 50_000
BATCH_BYTES = 4 * 1024 * 1024

BEGINNING = Position("")


class MySQLReader(Reader):
    """Reads the selected tables. A position is the last key read; a table without a key is read from its beginning."""

    def __init__(self, address: Address, selection: Selection, parameters: ReaderParameters) -> None:
        self.address = address
        self.selection = selection
        self.batch_rows = parameters.batch_size
        self.closed = threading.Event()
        self._sessions: set[Session] = set()
        self._lock = threading.Lock()

    def check(self) -> list[str]:
        with self.session() as session:
            return checks.check(session, self.selection)

    def tables(self) -> list[Table]:
        return [shape.table for shape in self.shapes().values()]

    def split(self, want: int) -> list[Split]:
        with self.session() as session:
            return chunks.split(session, list(schema.read(session, self.selection).values()), want)

    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        range_ = chunks.range_of(split.bounds)
        with self.session() as session:
            shape = schema.read(session, self.selection).get((range_.database, range_.name))
            if shape is None:
                raise BadConfig(f"Table {range_.database}.{range_.name} is not there any more. Start the task anew.")
            if split.table.columns and shape.table.columns != split.table.columns:
                raise Unreachable(f"Table {shape.database}.{shape.name} was altered since the load was planned.")
            pages = Pages(session, shape, range_)
            if not shape.keys:
                yield from pages.rows_without_key(self.batch_rows)
                return
            last = _last(after) if after else None
            while not self.closed.is_set():
                yield from pages.rows_after(last, self.batch_rows)
                last = pages.last
                if pages.short:
                    return

    def close(self) -> None:
        self.closed.set()
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    # What both ways of reading need.

    def shapes(self) -> dict[Name, Shape]:
        with self.session() as session:
            return schema.read(session, self.selection)

    def session(self) -> Held:
        """A connection that `close` hangs up, too."""
        return Held(self.address, self._sessions, self._lock)


class Held:
    """A session for the length of a `with`, known to its reader while it lives."""

    def __init__(self, address: Address, known: set[Session], lock: threading.Lock) -> None:
        self._known = known
        self._lock = lock
        self._session = Session(address)

    def __enter__(self) -> Session:
        with self._lock:
            self._known.add(self._session)
        return self._session

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._known.discard(self._session)
        self._session.close()


class Pages:
    """The pages of one key range. `last`: the key of the last row read; `short`: there was less than a page left."""

    def __init__(self, session: Session, shape: Shape, range_: chunks.Range) -> None:
        self._session = session
        self._shape = shape
        self._table = shape.table
        self._range = chunks.conditions(shape, range_) if shape.keys else []
        self._columns = [sql.expression(native) for native in shape.natives]
        self._read = [from_text(native) for native in shape.natives]
        self._key = self._places(shape)
        self.last: tuple[bytes, ...] | None = None
        self.short = False

    def rows_after(self, last: tuple[bytes, ...] | None, limit: int) -> Iterator[Batch]:
        shape = self._shape
        conditions = [*self._range, *([sql.beyond(shape.keys, last)] if last else [])]
        source = sql.table(*shape.place)
        statement = sql.page(source, self._columns, shape.index, shape.keys, conditions, PAGE_ROWS)
        count = 0
        self.last = last
        for rows in _bounded(self._session.stream(statement), limit):
            count += len(rows)
            self.last = tuple(_present(rows[-1][place]) for place in self._key)
            yield self._batch(rows, position_of(self.last))
        self.short = count < PAGE_ROWS

    def rows_without_key(self, limit: int) -> Iterator[Batch]:
        """One statement, one moment; there is no place inside from which to go on."""
        statement = sql.whole(sql.table(*self._shape.place), self._columns)
        for rows in _bounded(self._session.stream(statement), limit):
            yield self._batch(rows, BEGINNING)

    def _batch(self, rows: Sequence[Row], position: Position) -> Batch:
        values = zip(*(row[: len(self._read)] for row in rows), strict=True)
        columns = [_column(read, column) for read, column in zip(self._read, values, strict=True)]
        return Batch(self._table, record_batch(self._table, list(zip(*columns, strict=True))), None, position)

    def _places(self, shape: Shape) -> list[int]:
        """Where each key column's value is found in a row; an ENUM's number is asked for besides its label."""
        places = []
        for native in shape.keys:
            if native.type in ("enum", "set"):
                self._columns.append(sql.key_expression(native))
                places.append(len(self._columns) - 1)
            else:
                places.append(shape.natives.index(native))
        return places


def position_of(key: Sequence[bytes]) -> Position:
    return Position(msgspec.json.encode(chunks.hexes(key)).decode())


def _last(position: Position) -> tuple[bytes, ...]:
    try:
        found = msgspec.json.decode(position, type=list[str])
        return tuple(bytes.fromhex(value) for value in found)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadConfig(f"The position {position!r} is no key of a table. Load the table again.") from error


def _bounded(rows: Iterator[Row], limit: int) -> Iterator[list[Row]]:
    """Rows in lists that are bounded in number and in bytes."""
    held: list[Row] = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(len(value) for value in row if value is not None)
        if len(held) >= limit or size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _column(read: Callable[[bytes], Any], values: Sequence[bytes | None]) -> list[Any]:
    return [None if value is None else read(value) for value in values]


def _present(value: bytes | None) -> bytes:
    if value is None:
        raise BadConfig("A key holds a null: give the table a primary key.")
    return value
