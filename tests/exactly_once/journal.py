"""What happened under a seed, in order, for whoever has to find out why it ended badly."""

from __future__ import annotations

import threading
import time
from typing import Any

from disync.model.data import Batch, Idle, SchemaChange
from disync.model.run import Checkpoint, Split

LONGEST = 140
SHOWN = 400


class Journal:
    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lines: list[str] = []
        self._lock = threading.Lock()

    def note(self, who: str, *what: Any) -> None:
        said = " ".join(_short(part) for part in what)
        with self._lock:
            self._lines.append(f"{time.monotonic() - self._began:7.3f} {who:9} {said}")

    def show(self) -> str:
        """Its last lines."""
        with self._lock:
            return "\n".join(self._lines[-SHOWN:])


def _short(part: Any) -> str:
    match part:
        case Batch():
            text = f"{part.count} rows of {part.table.name} to {_place(part.position)}"
        case SchemaChange():
            text = f"{part.kind} to {_place(part.position)}: {part.statement}"
        case Idle():
            text = f"idle at {_place(part.position)}"
        case Checkpoint():
            text = f"{part.split} at {_place(part.position)}, run {part.epoch}{', done' if part.done else ''}"
        case Split():
            text = part.id
        case BaseException():
            text = repr(part)
        case _:
            text = str(part)
    return text[:LONGEST]


def _place(position: str) -> str:
    return position.split(" ")[0]
