"""Rows that seemed to differ: read again on both sides until they are equal, or are shown to differ for good.

While a task runs, a row is read in the source; when all that the source's log held after that is in the target, it is
read there. Most rows that were only on their way are equal then. Of one that still differs, the log has the last word:
the target is read together with its own checkpoint, at one moment, and the log is read from that place to its end. The
first change that it has of the row tells what the row was before it, at just that place; where it has none, the source
has the row now as it was then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from disync.engine.tide import Tide
from disync.model.bound import bind
from disync.model.compare import Inspection, Key, Method, Pair, Row, plain, plain_key

ROUNDS = 2
"""Readings before the log is asked."""

WORDS = 2
"""Times that it is asked: a change may be in the log a moment before the source shows it."""

_PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row that differs: as the source has it and as the target does, None where it is not there. `columns`: the
    places of those that differ. `others`: what the target has in added columns that are not as they should be.
    `trouble`: why the source's row cannot be read. `hidden`: the source has it, and the target is not to, by the task's
    filter."""

    key: Key
    here: Row | None
    there: Row | None
    columns: tuple[int, ...] = ()
    trouble: str = ""
    hidden: bool = False
    others: Mapping[str, str | None] = field(default_factory=dict)


Rows = Mapping[Key, Row]
Open = dict[Key, Key]
"""Keys by their plain ones."""


@dataclass(slots=True)
class Judge:
    pair: Pair
    method: Method
    source: Inspection
    target: Inspection
    tide: Tide
    unsettled: list[Key] = field(default_factory=list)
    """Keys of rows that change all the time, in a target that does not say how far it is."""

    def judge(self, keys: Sequence[Key]) -> list[Verdict]:
        """What differs of these rows. Raises Unreachable where the task does not get on."""
        open_ = {plain_key(self.pair, self.method, key): key for key in keys}
        verdicts: dict[Key, Verdict] = {}
        for _ in range(ROUNDS):
            verdicts = self._round(open_)
            if not open_:
                return []
        if not self.tide.running:
            return list(verdicts.values())
        for _ in range(WORDS):
            time.sleep(_PAUSE_SECONDS)
            verdicts = self._word(open_)
            if not open_:
                break
        return list(verdicts.values())

    def _round(self, open_: Open) -> dict[Key, Verdict]:
        """Close what is equal; how the others differ. The source is read before and after the target."""
        keys = list(open_.values())
        here = self.source.rows(keys)
        self.tide.flow()
        there = self.target.rows(keys)
        again = self.source.rows(keys)
        for plain_ in list(open_):
            other = there.get(plain_)
            if self._same(here.get(plain_), other) or self._same(again.get(plain_), other):
                del open_[plain_]
        return {plain_: self._verdict(key, again.get(plain_), there.get(plain_)) for plain_, key in open_.items()}

    def _meant(self, row: Row | None) -> Row | None:
        """A row of the source, if the target is to have it."""
        rows = self.method.rows
        hidden = row is not None and rows is not None and not bind(rows, self.pair.source.columns).holds(row.values)
        return None if hidden else row

    def _word(self, open_: Open) -> dict[Key, Verdict]:
        """The log's: exact, however fast a row changes."""
        self.tide.flow()
        stream, keys = self.tide.stream, list(open_.values())
        begun = self.tide.begun(stream)
        there, place = self.target.moment(keys, stream) if stream is not None else ({}, None)
        if stream is None or place is None or not (place or begun):
            self.unsettled += keys
            open_.clear()
            return {}
        here = self.source.rows(keys)
        before = self.tide.before(self.pair, self.method, set(open_), stream, place or begun)
        found: dict[Key, Verdict] = {}
        for plain_, key in list(open_.items()):
            truth = before[plain_] if plain_ in before else here.get(plain_)
            if self._same(truth, there.get(plain_)):
                del open_[plain_]
            else:
                found[plain_] = self._verdict(key, truth, there.get(plain_))
        return found

    def _same(self, source: Row | None, there: Row | None) -> bool:
        here = self._meant(source)
        if here is None or there is None:
            return here is there
        return not here.trouble and not there.others and self._facts(here) == self._facts(there)

    def _facts(self, row: Row) -> tuple[Any, ...]:
        return tuple(self._plain(place, value) for place, value in enumerate(row.values))

    def _plain(self, place: int, value: Any) -> Any:
        if isinstance(value, Exception):
            return str(value)
        return plain(self.pair.source.columns[place].kind, value, self.method.forms[place])

    def _verdict(self, key: Key, source: Row | None, there: Row | None) -> Verdict:
        columns: tuple[int, ...] = ()
        here = self._meant(source)
        if here is not None and there is not None:
            both = zip(self._facts(here), self._facts(there), strict=True)
            columns = tuple(place for place, (one, other) in enumerate(both) if one != other)
        others = there.others if here is not None and there is not None else {}
        return Verdict(key, here, there, columns, here.trouble if here else "", source is not here, others)
