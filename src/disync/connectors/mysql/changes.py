"""Following a server's binary log: one stream, in which whole transactions come in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from disync.connectors.mysql import chosen, dialect, failover, moment, position, stream
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.follow import Follower
from disync.connectors.mysql.gtid import Gtids, MariaGtids, MySQLGtids
from disync.connectors.mysql.history import UNSETTLED, History
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.reader import MySQLReader
from disync.connectors.mysql.stream import LogStream
from disync.model.connector import ChangeReader
from disync.model.data import Event, Idle, Position, Table
from disync.model.errors import BadConfig, PositionGone, TaskError, Unreachable
from disync.model.run import Split, Start
from disync.native import pgcopy

STREAM = "binlog"

LOOK_SECONDS = 10.0
"""How often a log in which nothing happens is asked where it ends."""

NEAR_BYTES = 16 << 20
"""Of a log, read and written within about a second."""


class MySQLChangeReader(MySQLReader, ChangeReader):
    """Reads tables, and follows the log. The log does not reach back to the first row: `earliest` loads first."""

    loads = True

    def came(self, tables: Sequence[Table], after: Position, renamed: bool) -> frozenset[str]:
        with self.session() as session:
            told = self._history.told(self._current(session, position.read(after)), renamed)
        return frozenset(table.name for table in tables if table.path in told)

    def renamed(self, tables: Sequence[Table], after: Position) -> frozenset[str]:
        place = position.read(after)
        if self._history.now()[0].schema == place.schema:
            return frozenset()
        with self.session() as session:
            found = self._history.renamed(self._current(session, place))
        return frozenset(table.name for table in tables if table.path in found)

    def streams(self) -> list[Split]:
        return [Split(STREAM, Table(STREAM))]

    def seek(self, stream: Split, start: Start) -> Position:
        if start.at == "time":
            with self.session() as session:
                return position.write(moment.find(session, Logs(self.session), start.time_ms))
        return position.write(self._history.now()[0])

    def locate(self, split: Split, text: str) -> Position:
        if split.bounds:
            return super().locate(split, text)
        with self.session() as session:
            return position.write(chosen.find(session, Logs(self.session), text))

    def mark(self, stream: Split) -> Position:
        """Without a look at the tables, as nobody begins there."""
        with self.session() as session:
            file, at, gtid = dialect.newest(session)
            return position.write(Place(file, at, dialect.identity(session), UNSETTLED, UNSETTLED, gtid))

    def passed(self, held: Position, mark: Position) -> bool:
        """By file and offset on the same server, or else by the transactions. A file that has just begun holds none,
        and nobody gets there before one comes."""
        here, there = position.read(held), position.read(mark)
        if here.server == there.server != position.NOWHERE and (position.number(here), here.at) >= (
            position.number(there),
            there.at,
        ):
            return True
        group: type[Gtids] = MariaGtids if there.server.startswith("id-") else MySQLGtids
        return bool(there.gtid) and group(here.gtid).holds(there.gtid)

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        try:
            yield from self._follow(stream, position.read(after))
        except TaskError:
            if not self.closed.is_set():
                raise

    def near(self, one: Position, other: Position) -> bool:
        here, there = position.read(one), position.read(other)
        return here.file == there.file and abs(here.at - there.at) < NEAR_BYTES

    def ack(self, stream: Split, upto: Position) -> None:
        """A server keeps its log for as long as it is told to, read or not."""

    @property
    def _history(self) -> History:
        return History(self.session, self.selection)

    def _follow(self, stream_: Split, place: Place) -> Iterator[Event]:
        history = History(self.session, self.selection.limited(stream_.tables, stream_.without))
        with self.session() as session, self.session() as carrier:
            place = self._current(session, place)
            until = self._current(session, position.read(stream_.until)) if stream_.until else None
            gtids = dialect.gtids(session, place.gtid)
            left_out = gtids if place.server == position.NOWHERE else None
            log = LogStream(carrier, place.file, place.at, self.batch_rows, left_out)
            if left_out is None:
                self._verify(log, place)
            follower = Follower(log, history, place, gtids, self.batch_rows, stream_.format == pgcopy.FORMAT)
            yield from self._watched(follower.events(self.closed.is_set, until))

    def _watched(self, events: Iterator[Event]) -> Iterator[Event]:
        """A log that is begun anew while it is followed goes on elsewhere: the server sends no more, and is silent as
        one is in which nothing happens."""
        looked = time.monotonic()
        for event in events:
            yield event
            if isinstance(event, Idle) and event.time is None and time.monotonic() - looked >= LOOK_SECONDS:
                looked = time.monotonic()
                self._require_end(position.read(event.position))

    def _require_end(self, place: Place) -> None:
        with self.session() as session:
            file, at, _ = dialect.end(session)
            found = replace(place, file=file, at=at)
            behind = (position.number(found), at) < (position.number(place), place.at)
            if behind and place.server == dialect.identity(session):
                raise Unreachable(f"The log ends before {place.file}:{place.at}: it was begun anew (RESET).")

    def _current(self, session: Session, place: Place) -> Place:
        """The place in the log of the server that answers now."""
        logs = Logs(self.session)
        if dialect.identity(session) != place.server:
            return failover.find(session, logs, place)
        try:
            with self.session() as carrier:
                stream.verify(LogStream(carrier, place.file, place.at), place.log, place.file)
        except PositionGone:
            with self.session() as now:
                if dialect.identity(now) != place.server:  # it has been replaced just now
                    return failover.find(now, logs, place)
                # The files may have been named anew; whoever has the very transactions is still the same server.
                with suppress(PositionGone, BadConfig, NotServed, BrokenLog):
                    return failover.find(now, logs, place)
            raise
        return place

    def _verify(self, log: LogStream, place: Place) -> None:
        """Another server may have begun to answer since the place was looked up."""
        try:
            stream.verify(log, place.log, place.file)
        except PositionGone as error:
            raise Unreachable("Another server answers than a moment ago.") from error
