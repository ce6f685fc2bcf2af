"""Sinks of one stream that never flush side by side: who dies at a flush, or between two, leaves them at two places."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from crash import Gate, gated
from host import Part

from disync.engine.plan import Pipeline
from disync.model.connector import Parting, Sink, Writer
from disync.model.data import Batch, Dirty, SchemaChange, Table
from disync.model.run import Checkpoint, Split

MOST_SECONDS = 0.003
"""By which a sink is late, so that now the one is the first and now the other."""


class Wrapped(Sink):
    """Another sink, call by call."""

    keeps_checkpoint = True

    def __init__(self, inner: Sink) -> None:
        self.inner = inner

    def parts(self) -> Sequence[str]:
        return self.inner.parts()

    def parting(self, table: Table) -> Parting:
        return self.inner.parting(table)

    def hold(self) -> None:
        self.inner.hold()

    def forget(self) -> None:
        self.inner.forget()

    def write(self, batch: Batch) -> None:
        self.inner.write(batch)

    def alter(self, change: SchemaChange) -> None:
        self.inner.alter(change)

    def keyed(self, table: Table) -> None:
        self.inner.keyed(table)

    def last(self) -> Checkpoint | None:
        return self.inner.last()

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        return self.inner.flush(checkpoint)

    def close(self) -> None:
        self.inner.close()


class _Turn(Wrapped):
    def __init__(self, inner: Sink, lock: threading.Lock, chance: random.Random) -> None:
        super().__init__(inner)
        self._lock, self._chance = lock, chance

    def flush(self, checkpoint: Checkpoint) -> list[Dirty]:
        time.sleep(self._chance.random() * MOST_SECONDS)
        with self._lock:
            return self.inner.flush(checkpoint)


class InTurn(Part):
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def pipeline(self, pipeline: Pipeline, gate: Gate) -> Pipeline:
        behind, lock = gated(pipeline, gate), threading.Lock()
        return replace(behind, writer=opening(behind.writer, lambda sink: _Turn(sink, lock, self._chance)))


def opening(writer: Writer, become: Callable[[Sink], Sink]) -> Writer:
    """The same writer, but for what becomes of the sinks of a log."""

    def open_(_: Writer, split: Split) -> Sink:
        sink = writer.open(split)
        return become(sink) if split.endless else sink

    found: Writer = type("Opening", (type(writer),), {"open": open_})()
    return found
