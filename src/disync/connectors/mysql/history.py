"""The end of a log, and what happened to tables on the way to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from disync.connectors.mysql import ddl, dialect, metadata, plans, schema, sql
from disync.connectors.mysql.binlog import events, tablemap
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.binlog.tablemap import TableMap
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.metadata import Words
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.schema import Name, Shape
from disync.connectors.mysql.selection import Selection
from disync.connectors.mysql.stream import LogStream
from disync.model.errors import Unreachable

UNSETTLED = "-"
"""The `schema` of a place behind which there are statements whose effect the server's description already shows."""

_STATEMENTS: frozenset[int] = frozenset({Kind.QUERY, Kind.MARIA_QUERY_COMPRESSED})
"""Changes of tables are never inside of compressed transactions."""

_TOLD = _STATEMENTS | {Kind.TABLE_MAP}


@dataclass(frozen=True, slots=True)
class Later:
    """What statements do to a table that come later than a place: `grown`, if all is that columns come at its end;
    `added`: columns that come, in upper case."""

    grown: bool
    added: frozenset[str]


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

    def since(self, place: Place) -> tuple[dict[Name, Shape], dict[Name, Later], str]:
        """The tables as described now, those altered between `place` and now, and the `schema` of `place`.

        What the server describes must not be believed of rows that are older than that: a column may since have been
        put in another's place.
        Among the tables are those that are gone by now, as far as the log describes them, and has rows of them.
        """
        now, shapes = self.now()
        if now.schema == place.schema or (now.file, now.at) == (place.file, place.at):
            return shapes, {}, now.schema
        altered, gone = self._altered(place, now, shapes)
        return {**gone, **shapes}, altered, UNSETTLED if altered else now.schema

    def told(self, place: Place, renamed: bool) -> frozenset[Name]:
        """The selected tables whose every row the log tells behind `place`: made since, or, where tables that are
        `renamed` are followed, renamed from such or from one that was selected already."""
        found: set[Name] = set()
        for statement in self._statements(place):
            if statement.verb == "CREATE":
                found.update(name for name in statement.tables if self.selection.holds(*name))
            for old, new in statement.renames if renamed else ():
                if old in found or self.selection.holds(*old):
                    found.add(new)
                else:
                    found.discard(new)
        return frozenset(found)

    def renamed(self, place: Place) -> frozenset[Name]:
        """The selected tables, by the names that they have now, of which a column was renamed behind `place`."""
        found: set[Name] = set()
        for statement in self._statements(place):
            if ddl.renames_columns(statement):
                found.update(statement.tables)
            found.update(new for old, new in statement.renames if old in found)
        return frozenset(name for name in found if self.selection.holds(*name))

    def _statements(self, place: Place) -> Iterator[ddl.Statement]:
        """What the log has behind `place`, up to now, that is no change of a row."""
        now, _ = self.now()
        folded = self.folds()
        for step in Logs(self.sessions).walk(place.file, place.at, (now.file, now.at), _STATEMENTS):
            query = events.query(step.event)
            yield ddl.parse(query.statement, query.database, folded)

    def is_other(self, place: Name) -> bool:
        """Whether there is something of this name that is no table (MariaDB logs sequences as if they were)."""
        with self.sessions() as session:
            return bool(session.query(sql.kind_of(*place)))

    def _log(self, file: str, at: int) -> str:
        with self.sessions() as carrier:
            return LogStream(carrier, file, at).begin()

    def folds(self) -> bool:
        with self.sessions() as session:
            return dialect.folds(session)

    def words(self) -> Words:
        with self.sessions() as session:
            return dialect.words(session)

    def gone(self, map_: TableMap, words: Words) -> Shape | None:
        """A table that is not there any more, as the log describes it; None where it says too little, or it is none."""
        if map_.names is None:
            return None
        written = metadata.natives(map_, words, self.selection.zero)
        return plans.gone(map_, written, self.selection.name(map_.database, map_.name))

    def _altered(
        self, place: Place, now: Place, there: Mapping[Name, Shape]
    ) -> tuple[dict[Name, Later], dict[Name, Shape]]:
        found: dict[Name, Later] = {}
        maps: dict[bytes, TableMap] = {}
        folded = self.folds()
        for step in Logs(self.sessions).walk(place.file, place.at, (now.file, now.at), _TOLD):
            if step.event.kind == Kind.TABLE_MAP:
                body = step.event.body
                if body not in maps:
                    maps[body] = tablemap.parse(body)
            else:
                self._note(step.event, found, folded)
        return found, self._lost(maps.values(), there)

    def _lost(self, maps: Iterable[TableMap], there: Mapping[Name, Shape]) -> dict[Name, Shape]:
        """The selected tables that are gone, each as its first rows were."""
        first: dict[Name, TableMap] = {}
        for map_ in maps:
            name = (map_.database, map_.name)
            if name not in there and self.selection.holds(*name):
                first.setdefault(name, map_)
        lost = {name: map_ for name, map_ in first.items() if map_.names is not None and not self.is_other(name)}
        if not lost:
            return {}
        words = self.words()
        return {name: shape for name, map_ in lost.items() if (shape := self.gone(map_, words)) is not None}

    def _note(self, event: Event, found: dict[Name, Later], folded: bool) -> None:
        query = events.query(event)
        statement = ddl.parse(query.statement, query.database, folded)
        if statement.verb in ("ALTER", "RENAME", "CREATE", "DROP"):
            for name in statement.tables:
                if self.selection.holds(*name):
                    was = found.get(name, Later(True, frozenset()))
                    grown = was.grown and ddl.only_adds(statement)
                    found[name] = Later(grown, was.added | ddl.added(statement))
