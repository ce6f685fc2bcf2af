"""Reading ahead: a split's next events are made ready while the target is busy with the last ones."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

AHEAD = 1
"""Items that wait. One more is in the reader's hands and one in the writer's: what is held stays bounded."""

_BLINK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


Item = TypeVar("Item")


class Ahead(Iterator[Item], Generic[Item]):
    """The items of another iterator, which a thread of its own asks for them: in the same order, and with the same end
    or error. Leaving the `with` ends the thread; what it had read and nobody has asked for is dropped."""

    def __init__(self, events: Iterator[Item], name: str) -> None:
        self._events = events
        self._waiting: queue.Queue[Item | _End] = queue.Queue(AHEAD)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)

    def __enter__(self) -> Ahead[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()

    def __next__(self) -> Item:
        found = self._waiting.get()
        if not isinstance(found, _End):
            return found
        self._waiting.put(found)  # for whoever asks again
        raise found.error or StopIteration

    def _read(self) -> None:
        end = _End(None)
        try:
            for event in self._events:
                if not self._hand(event):
                    break
        except BaseException as error:
            end = _End(error)
        finally:
            if isinstance(self._events, Generator):
                self._events.close()
        self._hand(end)

    def _hand(self, item: Item | _End) -> bool:
        """Whether somebody is still there to take it."""
        while not self._left.is_set():
            try:
                self._waiting.put(item, timeout=_BLINK_SECONDS)
                return True
            except queue.Full:
                continue
        return False
