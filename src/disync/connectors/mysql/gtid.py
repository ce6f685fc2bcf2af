"""Global transaction ids seen so far, as each dialect writes them, and where in a log they end.

A GTID says which transaction it is only as long as nobody begins to count anew: after a RESET the same one names
another transaction. So wherever a log tells when a transaction was made, the last one is kept with its moment:
`0-1-100@seconds`. A server of the same group has it with the same moment; one that counted anew has not.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

from disync.model.errors import BadConfig

Range = tuple[int, int]
Ranges = Mapping[str, tuple[Range, ...]]
"""For each source the numbers that are in a set: ranges in ascending order that do not touch; both ends are in them."""


class Diverged(Exception):
    """A log can never hold the rest of a position's transactions; the text says why."""


class Search(Protocol):
    """Finds the end of a position's transactions in a log that is read from the beginning of a file."""

    def passes(self, gtid: str) -> bool:
        """Whether the next transaction of the log is one of the position's. Diverged where the log shows that it never
        will hold the rest of them."""

    @property
    def complete(self) -> bool:
        """Whether all of the position's transactions are behind us."""

    @property
    def sure(self) -> bool:
        """Whether the last ones were seen and were those that the position means, told by their moments."""

    @property
    def missing(self) -> str:
        """Those that have not come yet."""

    @property
    def lags(self) -> bool:
        """Whether the missing ones can still come: all are newer than what the log holds."""


class MariaGtids:
    """The last transaction of each domain: `0-1-100,1-2-7`, each with its moment where it is known."""

    def __init__(self, text: str = "") -> None:
        self._last: dict[str, str] = {}
        for gtid in filter(None, text.split(",")):
            _maria(gtid)
            self.add(gtid)

    def add(self, gtid: str) -> None:
        self._last[gtid.split("-", 1)[0]] = gtid

    def __str__(self) -> str:
        return ",".join(self._last[domain] for domain in sorted(self._last))

    @property
    def bare(self) -> str:
        """Without moments: as a server takes it."""
        return ",".join(self._last[domain].partition("@")[0] for domain in sorted(self._last))

    def holds(self, head: str) -> bool:
        """Whether everything in the state `head`, of which a later entry of a domain is the newer one, is in here."""
        return all(self._reached(gtid) for gtid in MariaGtids(head)._last.values())

    def _reached(self, gtid: str) -> bool:
        domain, server, number, _ = _maria(gtid)
        known = self._last.get(domain)
        if known is None:
            return False
        _, other, last, _ = _maria(known)
        return number < last or (number, server) == (last, other)

    def search(self, head: str) -> Search:
        return _MariaSearch(self._last, MariaGtids(head)._last)


class _MariaSearch:
    """In a domain the transactions have one order on every server of the group."""

    def __init__(self, wanted: Mapping[str, str], head: Mapping[str, str]) -> None:
        bare = {domain: gtid.partition("@")[0] for domain, gtid in wanted.items()}
        self._wanted = wanted
        self._known = set(head)
        self._open = {domain for domain in wanted if head.get(domain) != bare[domain]}
        self._unseen = set(wanted)

    def passes(self, gtid: str) -> bool:
        domain, server, number, moment = _maria(gtid)
        self._known.add(domain)
        if domain not in self._open:
            return False
        _, other, last, known = _maria(self._wanted[domain])
        if number < last:
            return True
        if (server, number) != (other, last):
            raise Diverged(f"its log goes on with {gtid} and never had {self._wanted[domain]}, so it has diverged.")
        self._open.remove(domain)
        if moment and known:
            if moment != known:
                raise Diverged(f"its {gtid} is not the transaction that was read: it was begun anew (RESET).")
            self._unseen.remove(domain)
        return True

    @property
    def complete(self) -> bool:
        return not self._open

    @property
    def sure(self) -> bool:
        return not self._open and not self._unseen

    @property
    def missing(self) -> str:
        return ",".join(self._wanted[domain] for domain in sorted(self._open))

    @property
    def lags(self) -> bool:
        return self._open <= self._known


def _maria(gtid: str) -> tuple[str, str, int, str]:
    """(domain, server, number, moment)"""
    bare, _, moment = gtid.partition("@")
    parts = bare.split("-")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise BadConfig(f"{gtid!r} is no GTID of MariaDB.")
    return parts[0], parts[1], int(parts[2]), moment


class MySQLGtids:
    """Ranges of numbers for each source: `3e11fa47-…:1-5:7`. A source may carry a tag: `uuid:tag:1-5`. Behind a `;`
    stands the last transaction with its moment: `3e11fa47-…:1-5;3e11fa47-…:5@1764080714000000`."""

    def __init__(self, text: str = "") -> None:
        ranges, _, self._last = "".join(text.split()).partition(";")
        found: dict[str, list[Range]] = {}
        try:
            for part in filter(None, ranges.split(",")):
                _read_source(part.lower(), found)
        except ValueError as error:
            raise BadConfig(f"{text!r} is no set of GTIDs.") from error
        self.ranges: dict[str, tuple[Range, ...]] = {source: _merged(list_) for source, list_ in found.items()}

    def add(self, gtid: str) -> None:
        bare, _, moment = gtid.partition("@")
        self._last = gtid if moment else ""
        source, _, last_part = bare.rpartition(":")
        number = int(last_part)
        ranges = self.ranges.get(source, ())
        if ranges and ranges[-1][1] + 1 == number:
            self.ranges[source] = (*ranges[:-1], (ranges[-1][0], number))
        else:
            self.ranges[source] = _merged([*ranges, (number, number)])

    def __str__(self) -> str:
        return f"{self.bare};{self._last}" if self._last else self.bare

    @property
    def bare(self) -> str:
        """Without the moment: as a server takes it."""
        return ",".join(
            ":".join([source, *(f"{first}-{last}" if last > first else str(first) for first, last in ranges)])
            for source, ranges in sorted(self.ranges.items())
            if ranges
        )

    def holds(self, head: str) -> bool:
        """Whether the set `head` is a subset of this one (GTID_SUBSET)."""
        return not without(MySQLGtids(head).ranges, self.ranges)

    def search(self, head: str) -> Search:
        return _MySQLSearch(self.ranges, self._last, MySQLGtids(head).ranges)

    def encoded(self) -> bytes:
        """As COM_BINLOG_DUMP_GTID carries a set: sources with tags need the form of MySQL 8.3."""
        sources = [(source.partition(":"), ranges) for source, ranges in sorted(self.ranges.items()) if ranges]
        tagged = any(tag for (_, _, tag), _ in sources)
        parts = [struct.pack("<Q", 1 << 56 | len(sources) << 8 | 1 if tagged else len(sources))]
        for (uuid, _, tag), ranges in sources:
            parts += [UUID(uuid).bytes, bytes([len(tag) << 1]) + tag.encode() if tagged else b""]
            parts.append(struct.pack("<Q", len(ranges)))
            parts += [struct.pack("<QQ", first, last + 1) for first, last in ranges]
        return b"".join(parts)


class _MySQLSearch:
    """On another server transactions may have another order: the set counts, whatever comes first."""

    def __init__(self, wanted: Ranges, last: str, head: Ranges) -> None:
        self._wanted, self._last = wanted, last
        self._had = MySQLGtids()
        self._had.ranges = dict(head)
        self._left = sum(b - a + 1 for ranges in without(wanted, head).values() for a, b in ranges)
        self._seen = False

    def passes(self, gtid: str) -> bool:
        bare, _, moment = gtid.partition("@")
        source, _, number = bare.rpartition(":")
        before = _within(self._had.ranges.get(source, ()), int(number))
        self._had.add(bare)
        if not _within(self._wanted.get(source, ()), int(number)):
            return False
        self._left -= not before
        known, _, known_moment = self._last.partition("@")
        if bare == known and moment:
            if moment != known_moment:
                raise Diverged(f"its {gtid} is not the transaction that was read: it was begun anew (RESET).")
            self._seen = True
        return True

    @property
    def complete(self) -> bool:
        return self._left == 0

    @property
    def sure(self) -> bool:
        return self.complete and self._seen

    @property
    def missing(self) -> str:
        lost = MySQLGtids()
        lost.ranges = without(self._wanted, self._had.ranges)
        return lost.bare

    @property
    def lags(self) -> bool:
        had = self._had.ranges
        return all(
            had.get(source) and had[source][-1][1] < ranges[0][0]
            for source, ranges in without(self._wanted, had).items()
        )


def without(ranges: Ranges, others: Ranges) -> dict[str, tuple[Range, ...]]:
    """What is in `ranges` and not in `others` (GTID_SUBTRACT); sources of which nothing is left are left out."""
    found = {source: _cut(list_, others.get(source, ())) for source, list_ in ranges.items()}
    return {source: list_ for source, list_ in found.items() if list_}


def _cut(ranges: Iterable[Range], others: Iterable[Range]) -> tuple[Range, ...]:
    found: list[Range] = []
    holes = list(others)
    for first, last in ranges:
        begin = first
        for low, high in holes:
            if high < begin or low > last:
                continue
            if low > begin:
                found.append((begin, low - 1))
            begin = high + 1
        if begin <= last:
            found.append((begin, last))
    return tuple(found)


def _within(ranges: tuple[Range, ...], number: int) -> bool:
    place = bisect_right(ranges, number, key=lambda held: held[0]) - 1
    return place >= 0 and number <= ranges[place][1]


def _merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _read_source(part: str, found: dict[str, list[Range]]) -> None:
    """One source of a set, with all of its tags."""
    source, *pieces = part.split(":")
    name = source
    for piece in pieces:
        if not piece[:1].isdigit():
            name = f"{source}:{piece}"
            continue
        first, _, last = piece.partition("-")
        pair = int(first), int(last or first)
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(piece)
        found.setdefault(name, []).append(pair)


Gtids = MariaGtids | MySQLGtids
