"""Following a server's binary log: one stream, in which whole transactions come in their order."""

from __future__ import annotations

from collections.abc import Iterator

from disync.connectors.mysql import dialect, position, stream
from disync.connectors.mysql.follow import Follower
from disync.connectors.mysql.history import History
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.reader import MySQLReader
from disync.connectors.mysql.stream import LogStream
from disync.model.connector import ChangeReader
from disync.model.data import Event, Position, Table
from disync.model.errors import BadConfig, PositionGone, TaskError
from disync.model.run import Split, Start
from disync.native import pgcopy

STREAM = "binlog"


class MySQLChangeReader(MySQLReader, ChangeReader):
    """Reads tables, and follows the log. The log does not reach back to the first row: `earliest` loads first."""

    loads = True

    def streams(self) -> list[Split]:
        return [Split(STREAM, Table(STREAM))]

    def seek(self, stream: Split, start: Start) -> Position:
        if start.at == "time":
            raise BadConfig(
                "A MySQL task cannot start at a time yet: start it at `latest`, or at `earliest`, which loads the "
                "tables first."
            )
        return position.write(self._history.now()[0])

    def changes(self, stream: Split, after: Position) -> Iterator[Event]:
        try:
            yield from self._follow(position.read(after), stream.format == pgcopy.FORMAT)
        except TaskError:
            if not self.closed.is_set():
                raise

    def ack(self, stream: Split, upto: Position) -> None:
        """A server keeps its log for as long as it is told to, read or not."""

    @property
    def _history(self) -> History:
        return History(self.session, self.selection)

    def _follow(self, place: Place, as_bytes: bool) -> Iterator[Event]:
        with self.session() as session, self.session() as carrier:
            if (server := dialect.identity(session)) != place.server:
                raise PositionGone(
                    f"The position is one of server {place.server}, and this is server {server}. Load the tables "
                    "again, or start at another position."
                )
            log = LogStream(carrier, place.file, place.at, self.batch_rows)
            stream.verify(log, place.log, place.file)
            gtids = dialect.gtids(session, place.gtid)
            follower = Follower(log, self._history, place, gtids, self.batch_rows, as_bytes)
            yield from follower.events(self.closed.is_set)
