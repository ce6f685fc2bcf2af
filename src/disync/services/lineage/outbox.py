"""Tells a receiver what happens to tasks, in order, from the events in the store: they are the queue.

Nothing waits for it: who writes an event does not know of it. What a receiver does not take is offered again and again,
less and less often; of more than `MOST` events that wait the oldest are dropped. How far it has come is kept in a file,
so that a restart goes on there: what was told just before a crash may be told again.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from disync.services.clock import now_ms
from disync.services.lineage.run_event import TOLD, run_event
from disync.store import lineage
from disync.store.database import Store

log = structlog.get_logger()

TICK_SECONDS = 1.0
MOST = 10_000
AT_ONCE = 100
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
SETTLED_MS = 2000
"""An event that is older than this has no other that is before it and still to be committed."""


class Unwanted(Exception):
    """The receiver will never take this event."""


class Receiver(Protocol):
    """`name`: for metrics and files. `take` raises Unwanted, or anything else where it may be tried again."""

    name: str

    def take(self, event: bytes) -> None: ...

    def close(self) -> None: ...


class Outbox:
    """`sent`, `refused` (for good), `failed` (attempts) and `dropped` events since the server was started."""

    def __init__(self, store: Store, receiver: Receiver, namespace: str, position: Path) -> None:
        self.name = receiver.name
        self.sent = self.refused = self.failed = self.dropped = 0
        self._store = store
        self._receiver = receiver
        self._namespace = namespace
        self._file = position
        self._seen = 0
        self._pause = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go, name=f"lineage-{receiver.name}", daemon=True)

    def start(self) -> None:
        """From where it was; the first time from now on."""
        self._seen = self._kept()
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        self._stop.set()
        self._receiver.close()
        self._thread.join(seconds)

    @property
    def waiting(self) -> int:
        """Events that are still to be told."""
        with self._store.read() as db:
            return lineage.waiting(db, self._seen, TOLD)

    def _go(self) -> None:
        while not self._stop.wait(self._pause or TICK_SECONDS):
            try:
                while self._turn() and not self._stop.is_set():
                    pass
            except Exception:
                log.exception("lineage cannot be told now", receiver=self.name)
                self._fail()

    def _turn(self) -> bool:
        """Tell some events; whether there may be more to tell at once."""
        with self._store.read() as db:
            surplus = lineage.waiting(db, self._seen, TOLD) - MOST
            rows = lineage.behind(db, self._seen, TOLD, self._settled(), max(surplus, AT_ONCE))
        for row in rows:
            if surplus > 0:
                surplus -= 1
                self.dropped += 1
            elif not self._tell(row):
                return False
            self._keep(row.id)
        return len(rows) >= AT_ONCE

    def _tell(self, row: Any) -> bool:
        with self._store.read() as db:
            event = run_event(db, row, self._namespace)
        if event is None:
            return True
        try:
            self._receiver.take(msgspec.json.encode(event))
        except Unwanted as error:
            self.refused += 1
            log.warning("a lineage event was refused", receiver=self.name, task=row.file_id, why=str(error))
        except Exception as error:
            if not self._stop.is_set():
                log.warning("a lineage event was not taken", receiver=self.name, task=row.file_id, why=str(error))
                self._fail()
            return False
        else:
            self.sent += 1
        self._pause = 0.0
        return True

    def _fail(self) -> None:
        self.failed += 1
        self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)

    def _settled(self) -> int:
        """SQLite commits one after the other, in the order of the ids."""
        return now_ms() if self._store.sqlite else now_ms() - SETTLED_MS

    def _kept(self) -> int:
        try:
            return int(self._file.read_text("ascii"))
        except (OSError, ValueError):
            with self._store.read() as db:
                return lineage.newest(db)

    def _keep(self, seen: int) -> None:
        self._seen = seen
        part = self._file.with_suffix(".part")
        part.write_text(str(seen), "ascii")
        part.replace(self._file)
