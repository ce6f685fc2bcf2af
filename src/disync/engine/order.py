"""Which splits are to be read next: the parts of a full load in their order, and streams behind what they follow.

Tasks have tens of thousands of parts: what is asked whenever one of them ends costs no more for that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Iterator, Sequence

from disync.model.run import Split


class Order:
    """`streams`: the streams there are just now; asked at first, when one has ended, when a stream's part of the load
    has, and when `ask` says so."""

    def __init__(self, load: Sequence[Split], streams: Callable[[], Sequence[Split]], ended: Container[str]) -> None:
        self._ask = streams
        self._stream_of = {split.id: split.stream for split in load}
        self._waiting = deque(split for split in load if split.id not in ended)
        self._open = Counter(split.stream for split in self._waiting)
        self._behind: dict[str, str] = {}
        """Of what has to wait, a part that was not ended at the last look: most likely it still is not."""
        self._streams: Sequence[Split] = ()
        self._stale = True

    def ask(self) -> None:
        """There may be other streams than before."""
        self._stale = True

    @property
    def parts(self) -> int:
        """How many parts wait to be read."""
        return len(self._waiting)

    def again(self, split: Split) -> None:
        """A part that was given out has not been read."""
        self._waiting.append(split)

    def ended(self, split: str) -> None:
        """The thread of this one is over."""
        stream = self._stream_of.get(split)
        if stream is None:
            self._stale = True
            return
        self._open[stream] -= 1
        self._stale = self._stale or not self._open[stream]

    def ready(self, begun: Container[str], ended: Container[str], room: int) -> Iterator[Split]:
        """What may begin: streams that have not `begun`, and at most `room` parts, which are not given again."""
        if self._stale:
            self._streams, self._stale = self._ask(), False
        for _ in range(len(self._waiting)):
            if room <= 0:
                break
            split = self._waiting.popleft()
            if self._follows(split, ended):
                self._waiting.append(split)
            else:
                room -= 1
                yield split
        for split in self._streams:
            if split.id not in ended and split.id not in begun and not self._follows(split, ended):
                yield split

    def over(self, ended: Container[str]) -> bool:
        """Whether nothing is left to begin, if nothing is under way."""
        return not self._waiting and not self._stale and all(split.id in ended for split in self._streams)

    def _follows(self, split: Split, ended: Container[str]) -> bool:
        """Whether it has to wait for others, of those there are."""
        if (part := self._behind.get(split.id)) is not None and part not in ended:
            return True
        streams = {stream.id for stream in self._streams} if split.parents else frozenset()
        there = (parent for parent in split.parents if parent in self._stream_of or parent in streams)
        parent = next((parent for parent in there if parent not in ended), None)
        if parent in self._stream_of:
            self._behind[split.id] = parent
        return parent is not None
