"""XA transactions that were prepared and decided later: their rows lie before the decision, maybe in older files.

They are not kept: when one is committed, its rows are read again from where they lie. So a position between the two
needs to say nothing of them, and what was prepared before a task began is found as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing

from disync.connectors.mysql import stream
from disync.connectors.mysql.binlog import events, gtids, rows, xa
from disync.connectors.mysql.binlog.errors import BrokenLog, NotServed
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.binlog.xa import Xid
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.logs import Logs
from disync.connectors.mysql.position import Place
from disync.connectors.mysql.stream import FIRST, LogStream

MOST = 10_000
"""Places that are remembered; older ones are found again in the log."""

_ROWS = frozenset({*rows.KINDS, Kind.TABLE_MAP})


class Prepared:
    """Of one server; `sessions` opens connections that whoever owns them can hang up."""

    def __init__(self, sessions: Callable[[], AbstractContextManager[Session]]) -> None:
        self._sessions = sessions
        self._places: dict[Xid, tuple[str, int]] = {}

    def remember(self, xid: Xid, before: Place) -> None:
        """The transaction that begins at this place was prepared."""
        if len(self._places) >= MOST:
            self._places.pop(next(iter(self._places)))
        self._places[xid] = (before.file, before.at)

    def events(self, xid: Xid, until: Place) -> Iterator[bytes]:
        """The row events of the transaction, and then one that ends it; `until` is a place behind its preparation."""
        file, at = self._places.pop(xid) if xid in self._places else self._found(xid, until)
        with self._sessions() as carrier:
            log = LogStream(carrier, file, at)
            while (event := log.next(stream.SILENCE_SECONDS)) is not None:
                if event.kind in _ROWS:
                    yield events.written(event)
                elif event.kind == Kind.XA_PREPARE:
                    if xa.prepared(event.body)[0] != xid:
                        break
                    yield events.written(Event(Kind.XID, event.time, event.server, 0, 0, 0, bytes(8)))
                    return
        raise BrokenLog(f"At {file}:{at} of the binary log there is no XA transaction {xid}.")

    def _found(self, xid: Xid, until: Place) -> tuple[str, int]:
        """Where the transaction begins: the last one of this name, looked for file by file from the newest."""
        logs = Logs(self._sessions)
        end = until.file, until.at
        files = logs.files()
        for file in reversed(files[: files.index(until.file) + 1] if until.file in files else ()):
            with closing(_begins(logs, file, end, xid)) as places:
                found = list(places)
            if found:
                return found[-1]
            end = file, FIRST
        raise NotServed(
            f"The log commits an XA transaction ({xid[0]},{xid[1]},{xid[2]}) whose rows it does not hold any more. "
            "Load the tables again."
        )


def _begins(logs: Logs, file: str, end: tuple[str, int], xid: Xid) -> Generator[tuple[str, int], None, None]:
    began = file, FIRST
    for step in logs.walk(file, FIRST, end):
        if step.event.kind in gtids.BEGINS:
            began = step.file, step.at
        elif step.event.kind == Kind.XA_PREPARE and xa.prepared(step.event.body)[0] == xid:
            yield began
