"""Keys of target tables that are made when the load of a table has ended, before any change is written by key."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence, Set

import structlog

from disync.model.connector import Sink
from disync.model.data import Table
from disync.model.run import Split
from disync.model.table_mapping import Route

log = structlog.get_logger()


class LateKeys:
    """`keyless`: tables of the target that wait for their key. `open`: a sink for a split."""

    def __init__(self, keyless: Sequence[Table], routes: Sequence[Route], open: Callable[[Split], Sink]) -> None:
        waiting = {_place(table): table for table in keyless}
        self._open = open
        self._lock = threading.Lock()
        self._target = {r.source.name: waiting[_place(r.target)] for r in routes if _place(r.target) in waiting}
        self._loading: dict[Table, set[str]] = {}
        """Of each table of the target: the splits that still have rows for it."""

    def begin(self, load: Sequence[Split], ended: Set[str]) -> None:
        """Of what is loaded already, or never will be, the key is made now."""
        for split in load:
            if split.id not in ended and (table := self._target.get(split.table.name)):
                self._loading.setdefault(table, set()).add(split.id)
        self.require([name for name, table in self._target.items() if table not in self._loading])

    def require(self, sources: Iterable[str]) -> None:
        """Make the keys that the targets of these tables still wait for, whatever is still to be loaded."""
        tables = {table.name: table for name in sources if (table := self._target.get(name))}
        if tables:
            sink = self._open(Split("keys", next(iter(tables.values()))))
            try:
                for table in tables.values():
                    self._put(table, sink)
            finally:
                sink.close()

    def ended(self, split: Split, sink: Sink) -> None:
        """A split of the load has ended, and its rows are flushed; the last one of a table makes the key."""
        with self._lock:
            table = self._target.get(split.table.name)
            left = self._loading.get(table, set()) if table else set()
            left.discard(split.id)
            last = not left
        if table and last:
            self._put(table, sink)

    def waits(self, split: Split) -> bool:
        """Whether the table of this part of the load still gets its key."""
        return split.table.name in self._target

    def _put(self, table: Table, sink: Sink) -> None:
        sink.keyed(table)
        log.info("a table has its key", table=table.name)
        with self._lock:
            self._target = {name: other for name, other in self._target.items() if other is not table}


def _place(table: Table) -> tuple[str | None, ...]:
    return table.path or (table.name,)
