"""Following a log: events in, batches and schema changes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from disync.connectors.mysql import alter, ddl, metadata, plans, position
from disync.connectors.mysql.alter import Views
from disync.connectors.mysql.binlog import events, gtids, rows, tablemap, xa
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.ddl import Statement
from disync.connectors.mysql.gtid import Gtids
from disync.connectors.mysql.held import ArrowRows
from disync.connectors.mysql.history import UNSETTLED, History
from disync.connectors.mysql.metadata import Words
from disync.connectors.mysql.plans import Plan
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.prepared import Prepared
from disync.connectors.mysql.refusals import going, refusal, unreadable
from disync.connectors.mysql.stream import MOST_BYTES, LogStream
from disync.model import data
from disync.model.data import Batch, Dirty, Encoded, Idle, Position, Unread
from disync.native import pgcopy
from disync.native.changelog import LogRows, LogTable

TICK_SECONDS = 0.5
"""How long rows and positions wait at most while more comes, and between two Idles."""

MAX_PLANS = 10_000

ADDRESSABLE = 1 << 32
"""A server finds offsets below this. Behind it, in a file that a huge transaction made larger, no place is valid."""


class Follower:
    """Reads one stream. `place` is behind the last whole transaction that was read."""

    def __init__(
        self, stream: LogStream, history: History, place: Place, gtids: Gtids, limit: int, encoded: bool
    ) -> None:
        self._stream = stream
        self._history = history
        self._limit = limit
        self._place = place
        self._gtids = gtids
        self._gtid = ""
        self._told = position.write(place)
        self._next: events.Rotate | None = None
        self._plans: dict[bytes, Plan | None] = {}
        self._maps: dict[int, Plan | None] = {}
        self._tables: dict[Plan, LogTable] = {}
        self._arrow = None if encoded else ArrowRows()
        self._held: ArrowRows | LogRows = self._arrow or stream.rows
        self._unread: list[Dirty] = []
        self._inside = False
        self._undecided = False
        self._spilled = False
        self._prepared = Prepared(history.sessions)
        self._ticked = time.monotonic()
        self._time = 0
        """When the transaction that was begun or ended last was made, by the server's clock, in ms since 1970."""
        self._meant: Words | None = None
        self._folded = history.folds()
        self._shapes, self._altered, _ = history.since(place)

    def events(self, closed: Callable[[], bool], until: Place | None = None) -> Iterator[data.Event]:
        """Until it is closed, or behind a transaction that ends at `until` or after."""
        while not closed():
            if until is not None and not self._inside and self._place.reaches(until):
                yield from self._idle()
                return
            event = self._stream.next(0.0)
            if event is None:
                if self._stream.rows.enough:
                    yield from self._relieve()
                    continue
                if self._held.whole and not self._inside:
                    yield from self._idle()  # nothing waits behind these rows: they need not wait either
                if (event := self._stream.next(TICK_SECONDS)) is None:
                    yield from self._idle(at_end=not self._inside)
                    continue
            yield from self._take(event)
            if time.monotonic() - self._ticked > TICK_SECONDS:
                yield from self._idle()

    # Handing on.

    def _idle(self, at_end: bool = False) -> Iterator[data.Event]:
        """Say where we are; inside a transaction of which rows are out there is nowhere to be."""
        self._ticked = time.monotonic()
        yield from self._flush()
        if not self._spilled:
            yield Idle(self._here(), None if at_end else self._time)

    def _flush(self) -> Iterator[data.Event]:
        """Hand on the rows of whole transactions, or tell that the one whose rows are all out already has ended: what
        comes next is no part of it."""
        before, after = self._told, self._here()
        if self._held.whole or (self._refusals() and not self._held.count):
            self._ticked = time.monotonic()
            self._told = after
            yield from self._batches(whole=True, before=before, after=after)
        elif before != after:
            self._told = after
            yield Idle(after, self._time)

    def _relieve(self) -> Iterator[data.Event]:
        """Hand on what is whole; else, of a transaction too large to be held, what there is: the position stays."""
        whole = self._held.whole
        yield from self._flush()
        if whole:
            return
        if self._undecided:
            self._discard()
        else:
            self._spilled = True
            yield from self._batches(whole=False, before=self._told, after=self._told)

    def _batches(self, whole: bool, before: Position, after: Position) -> Iterator[data.Event]:
        """A batch for each table; only the last one's position is `after`. What was handed on is held no more."""
        taken: list[tuple[Plan, Any, bytes]] = [*self._held.take(whole)]
        if unread := self._refusals():
            self._unread = []
            yield Unread(tuple(unread), before if taken else after)
        for place, (plan_, rows_, ops) in enumerate(taken):
            held = Encoded(pgcopy.FORMAT, (rows_,), len(ops)) if isinstance(rows_, bytes) else rows_
            yield Batch(plan_.table, held, ops, after if place == len(taken) - 1 else before, self._time)

    def _refusals(self) -> list[Dirty]:
        """Rows that could not be read, so far."""
        if self._arrow is None and (refused := self._stream.rows.refused):
            self._unread += [refusal(plan_, mask, image, self._told) for plan_, _, mask, image, *_ in refused]
            refused.clear()
        return self._unread

    def _here(self) -> Position:
        if self._place.gtid != (gtid := str(self._gtids)):
            self._place = replace(self._place, gtid=gtid)
        return position.write(self._place)

    # Taking events.

    def _take(self, event: Event) -> Iterator[data.Event]:
        kind = event.kind
        if kind in _TIMED:
            self._time = event.time * 1000
        if kind in rows.KINDS:
            yield from self._rows(event)
        elif kind == Kind.TABLE_MAP:
            self._map(event.body)
        elif kind == Kind.XID:
            yield from self._commit()
        elif kind in (Kind.QUERY, Kind.MARIA_QUERY_COMPRESSED):
            yield from self._query(event)
        elif kind == Kind.XA_PREPARE:
            yield from self._prepare(event)
        elif kind in gtids.BEGINS:
            yield from self._begin(event)
        else:
            self._note(event)

    def _note(self, event: Event) -> None:
        """Events that only say where we are."""
        kind = event.kind
        if kind == Kind.ROTATE:
            self._rotated(event)
        elif kind == Kind.FORMAT_DESCRIPTION and self._next is not None:
            self._place = replace(self._place, file=self._next.file, at=self._next.at, log=self._stream.log)
            self._next = None
        elif kind in (Kind.EXECUTE_LOAD_QUERY, Kind.EXEC_LOAD):
            raise NotServed(_NOT_ROWS.format("LOAD DATA"))

    def _rotated(self, event: Event) -> None:
        """The next file counts once its description has come: a position names both."""
        target = events.rotate(event.body)
        if event.artificial and target.file == self._place.file:
            return  # what a server says first: where it begins
        if self._inside:
            raise BrokenLog(f"The binary log goes on in {target.file} in the middle of a transaction.")
        self._next, self._stream.rows.offset = target, target.at

    def _commit(self) -> Iterator[data.Event]:
        """A transaction has ended with this event."""
        if self._gtid:
            self._gtids.add(self._gtid)
            self._gtid = ""
        self._inside = self._spilled = False
        if (offset := self._stream.rows.offset) < ADDRESSABLE:
            self._place = replace(self._place, at=offset)
        self._held.end_transaction()
        if len(self._maps) > MAX_PLANS:
            self._maps.clear()  # every statement describes its tables anew
        if self._held.count >= self._limit or self._held.size >= MOST_BYTES:
            yield from self._flush()

    def _rows(self, event: Event) -> Iterator[data.Event]:
        number = tablemap.table_id(event.body)
        if number not in self._maps:
            if number == 0xFFFFFF:
                return  # ends a statement, has no rows
            raise BrokenLog(f"The binary log has rows of table number {number}, which it has not described.")
        found = self._maps[number]
        if found is None:
            return
        if self._arrow is None:
            raise BrokenLog(f"Rows of {found.table.name} come under a number that stands for another table.")
        pending: list[rows.Change] = []
        for told in rows.changes(event, found.fields, found.virtual):
            change = going(found, told) if told.unreadable and told.op in "BD" else told
            if change.unreadable:
                self._set_aside(found, change, pending)
                continue
            pending.append(change)
            if len(pending) >= self._limit and change.op != "B":
                self._arrow.add(found, pending, len(event.body))
                pending = []
                yield from self._relieve()
        self._arrow.add(found, pending, len(event.body))
        if self._arrow.count >= self._limit or self._arrow.size >= MOST_BYTES:
            yield from self._relieve()

    def _set_aside(self, found: Plan, change: rows.Change, pending: list[rows.Change]) -> None:
        """A row that cannot be read. As the row before an update it is left out; a row after one takes its earlier one
        along, unless that had another key: under it the source has nothing any more."""
        if change.op == "B":
            return
        if change.op == "U" and pending and pending[-1].op == "B":
            before = pending.pop().row
            if any(n.key and one != other for n, one, other in zip(found.natives, before, change.row, strict=True)):
                pending.append(rows.Change("D", before))
        self._unread.append(unreadable(found, change.row, self._told))

    def _map(self, body: bytes) -> None:
        """A table's numbers change, and with them the words that describe it; its rows stay in one place."""
        if body not in self._plans:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            self._plans[body] = self._planned(body)
        found = self._plans[body]
        self._maps[tablemap.table_id(body)] = found
        if found is None:
            self._stream.rows.announce(body, None)
        elif self._arrow is None:
            table = self._tables.setdefault(found, LogTable(found.columns, found))
            self._stream.rows.announce(body, table)

    def _planned(self, body: bytes) -> Plan | None:
        map_ = tablemap.parse(body)
        place = (map_.database, map_.name)
        if not self._history.selection.holds(*place):
            return None
        written = None if map_.names is None else metadata.natives(map_, self._words(), self._history.selection.zero)
        shape = self._shapes.get(place)
        if shape is None:
            if self._history.is_other(place):
                return None
            if written is None:
                raise NotServed(
                    f"The log holds rows of {map_.database}.{map_.name}, which is not there any more, so that they "
                    "cannot be read. Set binlog_row_metadata = FULL on the server so that this cannot happen, and "
                    "leave the table out of the task, or start it again behind the place where it was dropped.",
                    [self._history.selection.name(*place)],
                )
            shape = plans.gone(map_, written, self._history.selection.name(*place))
            if shape is None:
                return None
        later = self._altered.get(place)
        return plans.plan(map_, shape, later is not None, later is not None and later.grown, written)

    def _words(self) -> Words:
        if self._meant is None:
            self._meant = self._history.words()
        return self._meant

    # Transactions.

    def _begin(self, event: Event) -> Iterator[data.Event]:
        self._gtid = gtids.of(event)
        self._inside = event.kind == Kind.MARIA_GTID and not gtids.maria(event)[1]
        if gtids.is_prepared(event):
            yield from self._leave_open()

    def _leave_open(self) -> Iterator[data.Event]:
        """An XA transaction begins: its rows may yet be rolled back. All that is held from now on are its own."""
        yield from self._flush()
        self._undecided = True

    def _discard(self) -> None:
        """Rows of an XA transaction: if it is committed, they are read again where they lie."""
        self._held.take(whole=False)
        self._stream.rows.refused.clear()
        self._unread = []

    def _prepare(self, event: Event) -> Iterator[data.Event]:
        xid, decided = xa.prepared(event.body)
        self._discard()
        self._prepared.remember(xid, self._place)
        self._undecided = False
        if decided:
            self._tell(xid)
        else:
            yield from self._commit()

    def _tell(self, xid: xa.Xid) -> None:
        """The next events are those of a prepared transaction, and an end; the position is then behind its decision."""
        self._inside = True
        self._stream.insert(self._prepared.events(xid, self._place))

    # Statements.

    def _query(self, event: Event) -> Iterator[data.Event]:
        query = events.query(event)
        word = query.statement[:12].lstrip().upper()
        if word.startswith(("BEGIN", "XA START", "XA BEGIN")):
            self._inside = True
            if word.startswith("XA"):
                yield from self._leave_open()
        elif word.startswith("XA COMMIT"):
            self._tell(xa.decided(query.statement))
        elif word.startswith("COMMIT"):
            yield from self._commit()
        elif word.startswith(("SAVEPOINT", "XA END", "RELEASE")):
            return
        elif word.startswith(("ROLLBACK", "XA ROLLBACK")):
            if self._held.count > self._held.whole or self._spilled:
                raise NotServed("The log takes back changes that it has already told: load the tables again.")
            if "TO " not in query.statement.upper():
                yield from self._commit()
        else:
            statement = ddl.parse(query.statement, query.database, self._folded)
            statement = statement.of_database({*self._shapes, *self._altered})
            yield from self._statement(statement, query.statement)

    def _statement(self, statement: Statement, text: str) -> Iterator[data.Event]:
        touched = [name for name in statement.tables if self._history.selection.holds(*name)]
        if statement.verb == "DML" and any(name in self._shapes for name in touched):
            raise NotServed(_NOT_ROWS.format(text[:80]))
        yield from self._flush()
        before = self._here()
        if statement.words[-2:] == ("START", "TRANSACTION"):
            self._inside = True
        if not self._inside:  # CREATE TABLE … SELECT: its rows follow, and then the commit
            yield from self._commit()
        if touched and statement.verb not in ("", "DML"):
            yield from self._describe(statement, text, before)

    def _describe(self, statement: Statement, text: str, before: Position) -> Iterator[data.Event]:
        """Read the schema again and tell what has changed; the last of several changes has the new position."""
        altered = frozenset(self._altered)
        described, self._altered, mark = self._history.since(
            # From behind this statement, which may itself stand inside of a transaction.
            replace(self._place, at=self._stream.rows.offset % ADDRESSABLE, schema=UNSETTLED)
        )
        self._plans, self._maps, self._tables = {}, {}, {}
        self._stream.rows.forget()
        self._place = replace(self._place, schema=mark)
        self._told = after = before if self._inside else self._here()
        views = Views(self._history.selection, dict(self._shapes), described, altered, dict(self._altered))
        found = alter.steps(statement, views)
        # Other tables stay as they are known: their statements, if there are any, are still to come.
        self._shapes = alter.known_after(statement, views)
        for number, step in enumerate(found, 1):
            yield step.change(text, after if number == len(found) else before)


_TIMED = gtids.BEGINS | {Kind.XID, Kind.QUERY, Kind.MARIA_QUERY_COMPRESSED, Kind.XA_PREPARE}
"""Kinds of events that begin or end a transaction: whoever has all before one is as the source was at its time."""

_NOT_ROWS = (
    "The log holds a statement in place of the rows it changed ({}…): a session writes with another binlog_format. "
    "Set it to ROW everywhere, and load the tables again."
)
