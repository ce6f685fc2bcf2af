"""Tables in a dict: the smallest whole connector, an example for authors, and the double that tests of the engine use.

A `Memory` is a named place in this process (`place(name)`); it does not reach into worker processes. It holds tables
(what writers wrote and bounded reads read), streams (logs that change readers follow) and, as a database would, the
checkpoints that were committed together with the rows.

Step parameters: `place`, `table`, and for a reader `follow` (true: read the streams of the table as an endless source)
and `load` (with `follow`: the log does not reach back, so load the table before following it),
for a writer `transactional` (false: behave like a target that cannot hold checkpoints: rows become durable at `flush`,
`last()` is None).

Faults, for tests: set `place(name).faults = Faults(...)`. Each fires once, then disarms itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import msgspec

from disync.model.connector import ChangeReader, Connector, Reader, Sink, Site, Writer
from disync.model.data import Batch, Dirty, Encoded, Event, Idle, Position, SchemaChange, Table, record_batch
from disync.model.data import rows_of as rows_of_batch
from disync.model.errors import BadConfig, Fenced, PositionGone, Unreachable
from disync.model.kept import Kept
from disync.model.run import Checkpoint, Split, Start

FORMAT = "memory.rows"
"""One msgpack array of rows a buffer."""

Row = tuple[Any, ...]


@dataclass(slots=True)
class Stream:
    """A log: rows with an op each, in order. `gone` rows at its start have expired; `sealed`: no more will come."""

    id: str
    at: float = 0.0
    parents: tuple[str, ...] = ()
    rows: list[tuple[str, Row]] = field(default_factory=list)
    gone: int = 0
    sealed: bool = False


@dataclass(slots=True)
class Faults:
    """What is to go wrong. A count of 0 fires at once, None never.

    `read_after`: a reader raises Unreachable after it has handed out so many more rows.
    `write_after`: a sink raises Unreachable in `write` after so many more rows: nothing of them is durable.
    `flush_after`: `flush` makes so many of its rows durable and raises Unreachable before the checkpoint is written.
    In a transactional writer rows and checkpoint are one: there nothing becomes durable.
    `refuse`: the reason why a row is refused (it becomes Dirty), or None. Stays armed.
    """

    read_after: int | None = None
    write_after: int | None = None
    flush_after: int | None = None
    refuse: Callable[[Row], str | None] | None = None

    def passed(self, fault: Literal["read_after", "write_after"], rows: int) -> None:
        """Count rows towards a fault; raise, and disarm it, when there are more than it lets through."""
        left: int | None = getattr(self, fault)
        if left is None:
            return
        setattr(self, fault, left - rows if left >= rows else None)
        if left < rows:
            raise Unreachable(f"The memory was told to fail ({fault}).")


@dataclass(slots=True)
class Stored:
    """A table as it stands: keyed rows by their key, others in the order they came."""

    table: Table
    rows: dict[Row | int, Row] = field(default_factory=dict)
    appended: int = 0


@dataclass(slots=True)
class Memory:
    """One place. `changed` guards everything in it and wakes readers that wait."""

    tables: dict[str, Stored] = field(default_factory=dict)
    streams: dict[str, list[Stream]] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    acknowledged: dict[str, Position] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def create(self, table: Table) -> Stored:
        with self.changed:
            return self.tables.setdefault(table.name, Stored(table))

    def append(self, table: str, stream: str, rows: Sequence[Row], op: str = "I") -> None:
        """Put rows at the end of a stream, making the stream if it is not there."""
        with self.changed:
            known = self.streams.setdefault(table, [])
            found = next((s for s in known if s.id == stream), None)
            if found is None:
                known.append(found := Stream(stream))
            found.rows.extend((op, row) for row in rows)
            self.changed.notify_all()

    def rows(self, table: str) -> list[Row]:
        with self.changed:
            return list(self.tables[table].rows.values()) if table in self.tables else []


_places: dict[str, Memory] = {}


def place(name: str = "default") -> Memory:
    """The Memory of this name, empty when it is first asked for."""
    return _places.setdefault(name, Memory())


def forget(name: str = "default") -> None:
    """Drop a place and all it holds."""
    _places.pop(name, None)


class ReaderParameters(msgspec.Struct, rename="camel"):
    table: str
    place: str = "default"
    follow: bool = False
    load: bool = False


class WriterParameters(msgspec.Struct, rename="camel"):
    table: str
    place: str = "default"
    transactional: bool = True
    batch_size: int = 1000


class MemoryReader(Reader):
    """Bounded reads of a table; a position is the number of rows read."""

    formats = (FORMAT,)

    def __init__(self, memory: Memory, table: str) -> None:
        self._memory = memory
        self._table = table

    def check(self) -> list[str]:
        if self._table not in self._memory.tables:
            raise BadConfig(f"There is no table {self._table!r} in memory. Create it before the task starts.")
        return []

    def tables(self) -> list[Table]:
        self.check()
        return [self._memory.tables[self._table].table]

    def split(self, want: int) -> list[Split]:
        table, total = self.tables()[0], len(self._memory.rows(self._table))
        count = max(1, min(want, total))
        edges = [total * i // count for i in range(count + 1)]
        return [
            Split(f"{table.name}/{i}", table, i / count, bounds=f"{low}:{high}")
            for i, (low, high) in enumerate(pairwise(edges))
        ]

    def read(self, split: Split, after: Position | None) -> Iterator[Event]:
        low, high = (int(edge) for edge in split.bounds.split(":"))
        at = int(after) if after else low
        everything = self._memory.rows(self._table)
        while at < high:
            rows = everything[at : min(high, at + 100)]
            at += len(rows)
            yield _batch(self._memory, split, rows, None, Position(str(at)))

    def reread(self, table: Table, rows: Sequence[Kept]) -> Iterator[Batch]:
        """By key, where the table has one."""
        if not table.keys:
            yield from super().reread(table, rows)
            return
        with self._memory.changed:
            there = dict(self._memory.tables[self._table].rows)
        names = [column.name for column in table.columns]
        for row in rows:
            key = {name: row.named.get(name.lower()) for name in table.keys}
            found = there.get(tuple(key.values()))
            gone = tuple(key.get(name) for name in names)
            yield Batch(table, record_batch(table, [found or gone]), b"U" if found else b"D", row.position)


class MemoryChangeReader(MemoryReader, ChangeReader):
    """Follows the streams of a table; a position is the number of rows of the stream that came before."""

    def __init__(self, memory: Memory, table: str, loads: bool = False) -> None:
        super().__init__(memory, table)
        self.loads = loads
        self._closed = False

    def streams(self) -> list[Split]:
        table = self.tables()[0]
        with self._memory.changed:
            return [Split(s.id, table, s.at, s.parents) for s in self._memory.streams.get(self._table, [])]

    def seek(self, stream: Split, start: Start) -> Position:
        log = self._stream(stream)
        if start.at == "time":
            raise BadConfig("Rows in memory have no time: start at `earliest` or `latest`.")
        return Position(str(len(log.rows) if start.at == "latest" else log.gone))

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        log, at = self._stream(stream), int(after)
        while not self._closed:
            with self._memory.changed:
                if at < log.gone:
                    raise PositionGone(f"Stream {stream.id} begins at {log.gone}, position {at} has expired.")
                pending = log.rows[at : at + 100]
                if not pending and log.sealed:
                    return
                if not pending:
                    self._memory.changed.wait(0.2)
            at += len(pending)
            if pending:
                ops = "".join(op for op, _ in pending).encode()
                yield _batch(self._memory, stream, [row for _, row in pending], ops, Position(str(at)))
            else:
                yield Idle(Position(str(at)))

    def locate(self, split: Split, text: str) -> Position:
        log = self._stream(split)
        if not (text.isascii() and text.isdigit() and int(text) <= len(log.rows)):
            raise BadConfig(f"{text!r} is no number of rows from 0 to {len(log.rows)}.")
        if int(text) < log.gone:
            raise PositionGone(f"Stream {split.id} begins at {log.gone}, position {text} has expired.")
        return Position(text)

    def ack(self, stream: Split, upto: Position) -> None:
        with self._memory.changed:
            self._memory.acknowledged[stream.id] = upto

    def close(self) -> None:
        with self._memory.changed:
            self._closed = True
            self._memory.changed.notify_all()

    def _stream(self, split: Split) -> Stream:
        with self._memory.changed:
            for stream in self._memory.streams.get(self._table, []):
                if stream.id == split.id:
                    return stream
        raise PositionGone(f"Stream {split.id} of {self._table} is not in memory any more.")


class MemoryWriter(Writer):
    formats = (FORMAT,)

    def __init__(self, memory: Memory, parameters: WriterParameters) -> None:
        self._memory = memory
        self._parameters = parameters

    def check(self) -> list[str]:
        return []

    def prepare(self, tables: Sequence[Table], lenient: bool = False) -> None:
        for table in tables:
            self._memory.create(replace(table, name=self._parameters.table))

    def ended(self, among: Sequence[str] | None = None) -> Set[str] | None:
        if not self._parameters.transactional:
            return None
        with self._memory.changed:
            held = self._memory.checkpoints.items()
            return {s for s, kept in held if kept.done and (among is None or s in among)}

    def open(self, split: Split) -> Sink:
        return MemorySink(self._memory, self._parameters, split)


class MemorySink(Sink):
    """Rows wait here until `flush` puts them into the table, together with the checkpoint where that is asked for."""

    def __init__(self, memory: Memory, parameters: WriterParameters, split: Split) -> None:
        self._memory = memory
        self._name = parameters.table
        self._transactional = parameters.transactional
        self._split = split
        self._pending: list[tuple[str, Row, Position]] = []

    def write(self, batch: Batch) -> None:
        rows = self._by_name(batch)
        ops = batch.ops.decode() if batch.ops else "I" * len(rows)
        with self._memory.changed:
            self._memory.faults.passed("write_after", len(rows))
            self._pending += [(op, row, batch.position) for op, row in zip(ops, rows, strict=True)]

    def alter(self, change: SchemaChange) -> None:
        with self._memory.changed:
            stored = self._memory.tables[self._name]
            stored.table = replace(change.after, name=self._name)
            width = len(change.after.columns)
            stored.rows = {key: row + (None,) * (width - len(row)) for key, row in stored.rows.items()}

    def last(self) -> Checkpoint | None:
        with self._memory.changed:
            return self._memory.checkpoints.get(self._split.id) if self._transactional else None

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        with self._memory.changed:
            held = self._memory.checkpoints.get(checkpoint.split)
            if held is not None and held.epoch > checkpoint.epoch:
                newer = held.epoch
                raise Fenced(f"Run {newer} writes {checkpoint.split} now; this is run {checkpoint.epoch}.", newer)
            limit = self._memory.faults.flush_after
            if limit is not None:
                self._memory.faults.flush_after = None
                if not self._transactional:
                    self._apply(self._pending[:limit])
                self._pending.clear()
                raise Unreachable("The memory failed before the checkpoint was written.")
            dirty = self._apply(self._pending)
            if self._transactional:
                kept = replace(checkpoint, refused=(*checkpoint.refused, *dirty))
                self._memory.checkpoints[checkpoint.split] = kept
            self._pending.clear()
            self._memory.changed.notify_all()
            return dirty

    def close(self) -> None:
        self._pending.clear()

    def _by_name(self, batch: Batch) -> list[Row]:
        """The batch's rows with the columns of the stored table: found by name, letter case aside, or else null."""
        rows = _rows_of(batch)
        with self._memory.changed:
            wanted = [column.name.lower() for column in self._memory.tables[self._name].table.columns]
        names = [column.name.lower() for column in batch.table.columns]
        if names == wanted:
            return rows
        places = [names.index(name) if name in names else None for name in wanted]
        return [tuple([None if place is None else row[place] for place in places]) for row in rows]

    def _apply(self, changes: Sequence[tuple[str, Row, Position]]) -> list[Dirty]:
        stored, refuse = self._memory.tables[self._name], self._memory.faults.refuse
        keys = [i for i, column in enumerate(stored.table.columns) if column.name in stored.table.keys]
        dirty: list[Dirty] = []
        for op, row, position in changes:
            reason = refuse(row) if refuse else None
            if reason is not None:
                named = dict(zip((column.name for column in stored.table.columns), row, strict=False))
                dirty.append(Dirty(self._name, msgspec.json.encode(named).decode(), reason, position))
                continue
            stored.appended += 1
            key = tuple(row[i] for i in keys) if keys else stored.appended
            if op in "DB" and keys:  # of an update, the row as it was goes: its key may have changed
                stored.rows.pop(key, None)
            else:
                stored.rows[key] = row
        return dirty


def _batch(memory: Memory, split: Split, rows: list[Row], ops: bytes | None, position: Position) -> Batch:
    memory.faults.passed("read_after", len(rows))
    if split.format == FORMAT:
        return Batch(split.table, Encoded(FORMAT, (msgspec.msgpack.encode(rows),), len(rows)), ops, position)
    return Batch(split.table, record_batch(split.table, rows), ops, position)


def _rows_of(batch: Batch) -> list[Row]:
    if isinstance(batch.rows, Encoded):
        return [
            row for buffer in batch.rows.buffers for row in msgspec.msgpack.decode(buffer, type=list[tuple[Any, ...]])
        ]
    return rows_of_batch(batch.rows)


def _reader(site: Site) -> Reader:
    parameters = msgspec.convert(site.parameter, ReaderParameters)
    if parameters.follow:
        return MemoryChangeReader(place(parameters.place), parameters.table, parameters.load)
    return MemoryReader(place(parameters.place), parameters.table)


def _writer(site: Site) -> Writer:
    parameters = msgspec.convert(site.parameter, WriterParameters)
    return MemoryWriter(place(parameters.place), parameters)


CONNECTOR = Connector(
    name="memory",
    content=None,
    reader_parameters=ReaderParameters,
    writer_parameters=WriterParameters,
    reader=_reader,
    writer=_writer,
)
