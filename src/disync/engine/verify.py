"""Source against target, table by table: sums of checksums over ranges of keys, lists where sums differ, and the rows
themselves, read again, where lists differ.

What is held at once is bounded: a list by LISTED_ROWS, rows to be read again by JUDGED_ROWS, findings by what is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from disync.engine import explain, pairs
from disync.engine.ahead import Ahead
from disync.engine.explain import Known
from disync.engine.findings import Finding, TableReport, What, Why
from disync.engine.judge import Judge, Verdict
from disync.engine.plan import Pipeline
from disync.engine.tide import Tide
from disync.model.compare import Digest, Inspection, Key, Method, Pair, Range, hashable, plain, plain_key
from disync.model.data import Table
from disync.model.errors import TaskError
from disync.model.table_mapping import Route
from disync.model.types import Kind

RANGE_ROWS = 50_000
"""Rows of a range that is summed up at once."""
FEW_ROWS = 1_000
"""Rows that are listed without another sum: that would not be quicker."""
LISTED_ROWS = 100_000
"""Rows that are listed at once."""
LOOSE_ROWS = 2_000
"""The same two where values are compared here, which may be large."""
JUDGED_ROWS = 500
"""Rows that are read again at once."""
MOST_FINDINGS = 10_000

_FEW_DIGITS = 2
_DIGITS = 3
"""Hexadecimal digits by which keys are put into groups: 256 of a short range, else 4,096, and as many of each that is
still too large."""
_MOST_DIGITS = 15
_WHOLE_ROUNDS = 5
_INTEGERS = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the comparison of a table is. It is told of every table before the first one begins, when each one
    begins, as it goes on, and with its `report` when it has ended. `about`: how many rows the source may have, 0 where
    that is not known."""

    table: str
    rows: int = 0
    differing: int = 0
    about: int = 0
    report: TableReport | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """`tables`: by the source's names; none: all. `most`: findings in a table after which it is given up."""

    tables: Sequence[str] = ()
    most: int = MOST_FINDINGS


@dataclass(frozen=True, slots=True)
class Ground:
    """What a comparison stands on: an opened task, what moves in it, and what is known to be refused."""

    pipeline: Pipeline
    tide: Tide
    known: Sequence[Known] = ()
    tell: Callable[[Progress], None] = lambda _: None


def verify(ground: Ground, wish: Wish) -> list[TableReport]:
    """Compare the tables that are wished for, one after the other. A table's trouble is in its report."""
    routes, reports = pairs.chosen(ground.pipeline, wish.tables), []
    for route in routes:
        ground.tell(Progress(route.source.name))
    for route in routes:
        report = table_report(ground, route, wish.most)
        ground.tell(Progress(report.source, report.rows[0], len(report.findings), report=report))
        reports.append(report)
    if not ground.tide.running:
        explain.pending(ground.tide, reports)
    return reports


def table_report(ground: Ground, route: Route, most: int) -> TableReport:
    report = TableReport(route.source.name, ground.pipeline.writer.place(route.target))
    try:
        found = pairs.match(ground.pipeline, route)
        report.pair, report.method = found.pair, found.method
        report.left_out, report.ruled, report.dml = found.left_out, found.ruled, found.dml
        with ExitStack() as stack:
            _Comparison(ground, report, found.pair, found.method, most, stack).go()
    except TaskError as error:
        report.trouble = str(error)
    return report


def judge_again(ground: Ground, report: TableReport) -> TableReport:
    """The rows that a report names, compared once more."""
    again = replace(report, findings=[], unsettled=[], trouble="")
    pair, method = report.pair, report.method
    if pair is None or method is None or not report.findings:
        return report
    try:
        with ExitStack() as stack:
            comparison = _Comparison(ground, again, pair, method, len(report.findings), stack)
            comparison.suspect([tuple(finding.key.values()) for finding in report.findings])
            comparison.end()
    except TaskError as error:
        again.trouble = str(error)
    return again


class _TooMany(TaskError):
    retry = False


@dataclass
class _Comparison:
    """One table's comparison. The source is looked at by two connections: one walks ahead while ranges are read."""

    ground: Ground
    report: TableReport
    pair: Pair
    method: Method
    most: int
    stack: ExitStack
    _suspects: list[Key] = field(default_factory=list)
    _about: int = 0
    _repeated: str = ""
    """A key that several rows of one side have."""

    def __post_init__(self) -> None:
        reader, writer = self.ground.pipeline.reader, self.ground.pipeline.writer
        self._walker, self._source = self._open(reader.inspect), self._open(reader.inspect)
        self._target = self.stack.enter_context(closing(writer.inspect(self.pair.target, self.method)))
        self._judge = Judge(self.pair, self.method, self._source, self._target, self.ground.tide)
        self._refused = explain.refused(self.ground.known, self.report, self.pair, self.method)

    def _open(self, inspect: Callable[[Table, Method], Inspection]) -> Inspection:
        return self.stack.enter_context(closing(inspect(self.pair.source, self.method)))

    def go(self) -> None:
        self._about = self._source.about()
        self._tell()
        if not self.method.keys:
            self._whole()
            return
        if self.method.ordered:
            self._ranges()
        else:
            self._scatter(Range(), "", counted=True)
        self.end()

    def end(self) -> None:
        self._settle(0)
        self.report.trouble = self._repeated
        self.report.unsettled = [self._named(key) for key in self._judge.unsettled]

    def suspect(self, keys: Sequence[Key]) -> None:
        kinds = [self.pair.source.columns[place].kind for place in self.method.keys]
        self._suspects += [tuple(_whole(kind, value) for kind, value in zip(kinds, key, strict=True)) for key in keys]
        self._settle(JUDGED_ROWS)

    # Sums, and lists where they differ.

    def _ranges(self) -> None:
        rows = LOOSE_ROWS if self.method.loose else RANGE_ROWS
        with Ahead(self._walker.walk(rows), f"verify-{self.pair.source.name}") as ranges:
            for range_, here in ranges:
                there = self._target.digest(range_)
                self._count(here, there)
                if here != there or self.method.loose:
                    self._narrow(range_, max(here.rows, there.rows))

    def _narrow(self, range_: Range, rows: int) -> None:
        if rows <= FEW_ROWS or (self.method.loose and rows <= self._listed):
            self._list(range_, ())
        else:
            self._scatter(range_, "", _FEW_DIGITS if rows <= self._listed else _DIGITS)

    def _scatter(self, range_: Range, prefix: str, more: int = _DIGITS, counted: bool = False) -> None:
        """By groups of keys, for a range of any size, and where keys are not ordered alike."""
        digits = len(prefix) + more
        within = (prefix,) if prefix else ()
        with ThreadPoolExecutor(1) as other:
            waiting = other.submit(self._source.groups, range_, digits, within)
            there = self._target.groups(range_, digits, within)
            here = waiting.result()
        if counted:
            self._count(sum(here.values(), Digest()), sum(there.values(), Digest()))
        parts: list[str] = []
        held = 0
        for part, rows in self._differing(here, there):
            if rows > self._listed and digits < _MOST_DIGITS:
                self._scatter(range_, part)
                continue
            if parts and held + rows > self._listed:
                self._list(range_, parts)
                parts, held = [], 0
            parts.append(part)
            held += rows
        if parts:
            self._list(range_, parts)

    def _differing(self, here: Mapping[str, Digest], there: Mapping[str, Digest]) -> Iterator[tuple[str, int]]:
        for part in sorted(here.keys() | there.keys()):
            mine, its = here.get(part, Digest()), there.get(part, Digest())
            if mine != its or self.method.loose:
                yield part, max(mine.rows, its.rows)

    def _list(self, range_: Range, within: Sequence[str]) -> None:
        here: dict[Key, tuple[Any, Key]] = {}
        for entry in self._source.entries(range_, within):
            facts = self._facts(entry.hash, entry.loose)
            if entry.trouble:
                self._unreadable(entry.key, entry.trouble)
            elif self._once("source", here, key := self._told_by(entry.key, facts), entry.key):
                here[key] = (facts, entry.key)
        seen: set[Key] = set()
        suspects = []
        for entry in self._target.entries(range_, within):
            facts = self._facts(entry.hash, entry.loose)
            if self._once("target", seen, key := self._told_by(entry.key, facts), entry.key):
                seen.add(key)
                if key not in here or here[key][0] != facts:
                    suspects.append((What.EXTRA, entry.key))
        left = [(What.MISSING, key) for told_by, (_, key) in here.items() if told_by not in seen]
        self.suspect([key for what, key in (*suspects, *left) if not self._nameless(what, key)])

    def _told_by(self, key: Key, facts: int) -> Key:
        """What tells a row from others. A key with a null in it does not, so that all of the row has to."""
        return (*self._plain(key), facts) if None in key else self._plain(key)

    def _once(self, side: str, seen: Container[Key], told_by: Key, key: Key) -> bool:
        if told_by in seen:
            shown = ", ".join(f"{name} {value}" for name, value in self._named(key).items())
            self._repeated = (
                f"Several rows of the {side} have one key ({shown}, for example): they cannot be told apart. Make the "
                "key unique, or choose another."
            )
        return told_by not in seen

    def _nameless(self, what: What, key: Key) -> bool:
        """Report a row that cannot be asked for by its key, as that has a null in it."""
        if None not in key:
            return False
        why, note = self._reason(self._plain(key), "")
        self._add(Finding(what, self._named(key), self._plain(key), (), why, note))
        return True

    def _facts(self, hash_: int, loose: Sequence[Any]) -> int:
        values = zip(self.method.loose, loose, strict=True)
        found = [plain(self.pair.source.columns[place].kind, self._text(value)) for place, value in values]
        return hash((hash_, *map(hashable, found)))

    def _text(self, value: Any) -> Any:
        return str(value) if isinstance(value, Exception) else value

    @property
    def _listed(self) -> int:
        return LOOSE_ROWS if self.method.loose and self.method.ordered else LISTED_ROWS

    def _plain(self, key: Key) -> Key:
        return plain_key(self.pair, self.method, key)

    def _count(self, here: Digest, there: Digest) -> None:
        mine, its = self.report.rows
        self.report.rows = mine + here.rows, its + there.rows
        self._tell()

    def _tell(self) -> None:
        found = len(self.report.findings)
        self.ground.tell(Progress(self.report.source, self.report.rows[0], found, self._about))

    # Rows that seemed to differ.

    def _settle(self, left: int) -> None:
        """Read suspects again until no more than `left` remain."""
        while len(self._suspects) > left:
            some, self._suspects = self._suspects[:JUDGED_ROWS], self._suspects[JUDGED_ROWS:]
            for verdict in self._judge.judge(some):
                self._add(explain.with_values(self._finding(verdict), verdict, self.pair, self.method))

    def _add(self, finding: Finding) -> None:
        self.report.findings.append(finding)
        if len(self.report.findings) >= self.most and self._suspects:
            raise _TooMany(
                f"{len(self.report.findings)} rows differ already: given up. Load the table again, or allow --most."
            )

    def _finding(self, verdict: Verdict) -> Finding:
        what = What.MISSING if verdict.there is None else What.EXTRA if verdict.here is None else What.DIFFERENT
        columns = (*(self.pair.source.columns[place].name for place in verdict.columns), *verdict.others)
        plain_ = self._plain(verdict.key)
        ruled = what in self.report.ruled or self._is_ruled(verdict)
        why, note = (Why.RULED, "") if ruled else self._reason(plain_, verdict.trouble)
        return Finding(what, self._named(verdict.key), plain_, columns, why, note)

    def _is_ruled(self, verdict: Verdict) -> bool:
        return self.report.dml is not None and explain.ruled(self.report.dml, self.pair.source.columns, verdict)

    def _reason(self, key: Key, trouble: str) -> tuple[Why, str]:
        if key in self._refused:
            return Why.REFUSED, self._refused[key]
        return (Why.UNREADABLE, trouble) if trouble else (Why.UNKNOWN, "")

    def _unreadable(self, key: Key, trouble: str) -> None:
        self._add(Finding(What.MISSING, self._named(key), self._plain(key), (), Why.UNREADABLE, trouble))

    def _named(self, key: Key) -> Mapping[str, Any]:
        return dict(zip(self.pair.source.keys, key, strict=True))

    def _whole(self) -> None:
        """A table whose rows cannot be told apart: how many there are, and the sum of their hashes."""
        for number in range(_WHOLE_ROUNDS):
            if number:
                self.ground.tide.flow()
            here, there = self._source.digest(Range()), self._target.digest(Range())
            self.report.rows = here.rows, there.rows
            self.report.whole = here == there
            if self.report.whole:
                self._all_compared()
                return

    def _all_compared(self) -> None:
        names = [self.pair.source.columns[place].name for place in self.method.loose]
        if names:
            self.report.trouble = (
                f"All else is equal, but not compared is what no checksum is common for, as there is no key to ask by: "
                f"{', '.join(names)}. Give the table a key."
            )


def _whole(kind: Kind, value: Any) -> Any:
    """A whole number as such, whatever a target keeps it in."""
    if kind not in _INTEGERS or not isinstance(value, str):
        return value
    number = plain(kind, value)
    return int(number) if isinstance(number, Decimal) and number == int(number) else value
