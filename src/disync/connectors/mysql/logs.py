"""The files of a server's log: which there are, how each begins, and the events from a place to another."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from disync.connectors.mysql import stream
from disync.connectors.mysql.binlog import events, gtids
from disync.connectors.mysql.binlog.events import Event, Kind
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.stream import FIRST, LogStream
from disync.model.errors import Unreachable

ADDRESSABLE = 1 << 32


@dataclass(frozen=True, slots=True)
class Head:
    """How a file begins: when, by whom (`log`, as in a Place), and the state of GTIDs up to there."""

    file: str
    log: str
    time: int
    gtids: str


@dataclass(frozen=True, slots=True)
class Step:
    """An event and where it begins."""

    file: str
    at: int
    log: str
    event: Event


@dataclass(frozen=True, slots=True)
class Logs:
    """Asks one server; `sessions` opens connections that whoever owns them can hang up."""

    sessions: Callable[[], AbstractContextManager[Session]]

    def files(self) -> list[str]:
        """From the oldest that is left to the one being written."""
        with self.sessions() as session:
            return [(row[0] or b"").decode() for row in session.query("SHOW BINARY LOGS")]

    def head(self, file: str) -> Head:
        with self.sessions() as carrier:
            log = LogStream(carrier, file, FIRST)
            log.begin()
            while (event := log.next(stream.SILENCE_SECONDS)) is not None:
                if event.kind in gtids.HEADS:
                    return Head(file, log.log, int(log.log.partition(".")[0]), gtids.head(event))
                if event.kind in gtids.BEGINS:
                    break  # a server that knows no GTIDs
            return Head(file, log.log, int(log.log.partition(".")[0]), "")

    def newest_where(self, files: Sequence[str], holds: Callable[[Head], bool]) -> int:
        """The number of the last file whose head `holds`, given that all older ones do; -1 where none does."""
        low, high = -1, len(files) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if holds(self.head(files[middle])):
                low = middle
            else:
                high = middle - 1
        return low

    def walk(
        self, file: str, at: int, end: tuple[str, int], kinds: frozenset[int] | None = None
    ) -> Generator[Step, None, None]:
        """The events of the log from a place on up to the place `end`: all, or much faster those of some kinds."""
        offset = at
        if (file, offset) == end:
            return
        with self.sessions() as carrier:
            log = LogStream(carrier, file, at)
            while (event := _next(log, kinds)) is not None:
                if event.kind == Kind.ROTATE:
                    target = events.rotate(event.body)
                    if target.file != file:
                        file, offset = target.file, target.at
                elif not event.artificial:
                    behind = offset + event.size
                    behind += (event.end - behind) % ADDRESSABLE
                    if kinds is None or event.kind in kinds:
                        yield Step(file, behind - event.size, log.log, event)
                    offset = behind
                elif kinds is None:
                    yield Step(file, offset, log.log, event)
                if (file, offset) == end:
                    return
        raise Unreachable("The server does not go on sending its binary log.")


def _next(log: LogStream, kinds: frozenset[int] | None) -> Event | None:
    return log.next(stream.SILENCE_SECONDS) if kinds is None else log.glance(stream.SILENCE_SECONDS, kinds)
