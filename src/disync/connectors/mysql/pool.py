"""The sessions of one reader: known while they live, so that any thread can hang them up, and lent once more where that
is safe. Tables that are loaded one after the other need no connection each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from disync.connectors.mysql.config import Address
from disync.connectors.mysql.connection import Session

MOST_IDLE = 4
IDLE_SECONDS = 5.0
"""A session that rests longer is not lent again: the server may have hung up."""


class Pool:
    def __init__(self, address: Address, closed: threading.Event) -> None:
        self._address = address
        self._closed = closed
        self._known: set[Session] = set()
        self._idle: list[tuple[float, Session]] = []
        self._lock = threading.Lock()

    @contextmanager
    def open(self) -> Iterator[Session]:
        """A session of its own, for whatever it is used for."""
        session = self._new()
        try:
            yield session
        finally:
            self._drop(session)

    @contextmanager
    def lend(self) -> Iterator[Session]:
        """A session for statements whose results are read to their end; after any failure it is hung up."""
        session = self._rested() or self._new()
        try:
            yield session
        except BaseException:
            self._drop(session)
            raise
        with self._lock:
            if len(self._idle) < MOST_IDLE and not self._closed.is_set():
                self._idle.append((time.monotonic(), session))
                return
        self._drop(session)

    def close(self) -> None:
        with self._lock:
            sessions, self._idle = list(self._known), []
        for session in sessions:
            session.close()

    def _new(self) -> Session:
        session = Session(self._address)
        with self._lock:
            self._known.add(session)
        return session

    def _rested(self) -> Session | None:
        """One that was lent a moment ago; those that rest for too long are hung up."""
        while True:
            with self._lock:
                since, session = self._idle.pop() if self._idle else (0.0, None)
            if session is None or time.monotonic() - since < IDLE_SECONDS:
                return session
            self._drop(session)

    def _drop(self, session: Session) -> None:
        with self._lock:
            self._known.discard(session)
        session.close()
