"""The end of a log, and what happened to tables on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from disync.connectors.mysql import ddl, dialect, schema, sql
from disync.connectors.mysql.binlog import events
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.connectors.mysql.stream import LogStream
from disync.model.errors import Unreachable

UNSETTLED = "-"
"""The `schema` of a place behind which there are statements whose effect the server's description already shows."""

_STATEMENTS: frozenset[int] = frozenset({Kind.QUERY, Kind.MARIA_QUERY_COMPRESSED})
"""Changes of tables are never inside of compressed transactions."""


@dataclass(frozen=True, slots=True)
class History:
    """Asks one server; `sessions` opens connections that whoever owns them can hang up."""

    sessions: Callable[[], AbstractContextManager[Session]]
    selection: Selection

    def now(self) -> tuple[Place, dict[Name, Shape]]:
        """The end of the log, and the tables as they were at just that place."""
        with self.sessions() as session:
            shapes = schema.read(session, self.selection)
            for _ in range(10):
                file, at, gtid = dialect.newest(session)
                again = schema.read(session, self.selection)
                if schema.fingerprint(again) == schema.fingerprint(shapes):
                    mark = schema.fingerprint(shapes)
                    return Place(file, at, dialect.identity(session), self._log(file, at), mark, gtid), again
                shapes = again
        raise Unreachable("The selected tables are being altered all the time; their shape cannot be read.")

    def since(self, place: Place) -> tuple[dict[Name, Shape], dict[Name, bool], str]:
        """The tables as described now, those altered between `place` and now, and the `schema` of `place`.

        An altered table's value says whether all that happened is that columns came at its end. What the server
        describes must not be believed of rows that are older: a column may since have been put in another's place.
        """
        now, shapes = self.now()
        if now.schema == place.schema or (now.file, now.at) == (place.file, place.at):
            return shapes, {}, now.schema
        altered = self._altered(place, now)
        return shapes, altered, UNSETTLED if altered else now.schema

    def told(self, place: Place) -> frozenset[Name]:
        """The selected tables whose every row the log tells behind `place`: made since, or renamed from such or from
        one that was selected already."""
        now, _ = self.now()
        found: set[Name] = set()
        for step in Logs(self.sessions).walk(place.file, place.at, (now.file, now.at), _STATEMENTS):
            query = events.query(step.event)
            statement = ddl.parse(query.statement, query.database)
            if statement.verb == "CREATE":
                found.update(statement.tables)
            found.update(new for old, new in statement.renames if old in found or self.selection.holds(*old))
        return frozenset(found)

    def is_other(self, place: Name) -> bool:
        """Whether there is something of this name that is no table (MariaDB logs sequences as if they were)."""
        with self.sessions() as session:
            return bool(session.query(sql.kind_of(*place)))

    def _log(self, file: str, at: int) -> str:
        with self.sessions() as carrier:
            return LogStream(carrier, file, at).begin()

    def _altered(self, place: Place, now: Place) -> dict[Name, bool]:
        found: dict[Name, bool] = {}
        for step in Logs(self.sessions).walk(place.file, place.at, (now.file, now.at), _STATEMENTS):
            self._note(step.event, found)
        return found

    def _note(self, event: Event, found: dict[Name, bool]) -> None:
        query = events.query(event)
        statement = ddl.parse(query.statement, query.database)
        if statement.verb in ("ALTER", "RENAME", "CREATE", "DROP"):
            for name in statement.tables:
                if self.selection.holds(*name):
                    found[name] = found.get(name, True) and ddl.only_adds(statement)
