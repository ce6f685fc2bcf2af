"""What a comparison comes to, as it is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from disync.engine.findings import Finding, TableReport, Why
from disync.model.compare import Pair
from disync.model.reading import readable
from disync.model.types import Kind
from disync.services.ledger import storable
from disync.services.verification import Repair, Verified

MOST = 1000
"""Rows that are kept by their keys."""

_CALENDAR = frozenset({Kind.DATE, Kind.DATETIME, Kind.TIMESTAMP})


class State(StrEnum):
    """Of a verification, and of a table in it. WAIT: its turn has not come (a table). RUN: it is being compared, or
    what differs is being repaired. REPAIRED: it differed, was repaired, and is shown to be equal since. FAIL: it did
    not come to its end, and showed no difference before. STOPPED: somebody ended it."""

    WAIT = "WAIT"
    RUN = "RUN"
    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    REPAIRED = "REPAIRED"
    FAIL = "FAIL"
    STOPPED = "STOPPED"


class Row(msgspec.Struct, frozen=True):
    """A row that differed. `key`, `source` and `target` are JSON objects, values by the source's columns; a side is
    None where it has no such row. `repaired`: it is shown to be equal now."""

    key: str
    what: str
    why: str
    note: str = ""
    columns: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    repaired: bool = False


class Table(msgspec.Struct, frozen=True):
    """What is known of a table. `rows` of source and target as far as they were counted. `percent` of the rows that are
    there. `counts`: how many rows were found to be missing, extra and different; `differing` of them still are, and
    `repaired` are not any more."""

    source: str
    target: str = ""
    state: State = State.WAIT
    message: str = ""
    rows: tuple[int, int] = (0, 0)
    percent: int = 0
    counts: Mapping[str, int] = {}
    differing: int = 0
    repaired: int = 0
    found: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    state: State
    message: str
    tables: Sequence[Table] = ()

    @property
    def values(self) -> dict[str, Any]:
        """For the columns of its row. One that failed keeps what was known of its tables."""
        told = {"state": str(self.state), "message": storable(self.message)}
        return told | summary(self.tables) if self.tables else told


def summary(tables: Iterable[Table]) -> dict[str, Any]:
    """What a row of `verification` says of its tables."""
    known = list(tables)
    return {
        "tables_all": len(known),
        "tables_done": sum(table.state not in (State.WAIT, State.RUN, State.STOPPED) for table in known),
        "rows_compared": sum(table.rows[0] for table in known),
        "differences": sum(table.differing for table in known),
        "repaired": sum(table.repaired for table in known),
        "report": msgspec.json.encode(known).decode(),
    }


def given_up(tables: Iterable[Table], state: State) -> list[Table]:
    """As far as they are known: those that were not done will not be."""
    return [
        msgspec.structs.replace(table, state=state, message="Not compared to its end.")
        if table.state in (State.WAIT, State.RUN)
        else table
        for table in tables
    ]


def stopped(tables: Sequence[Table], user_id: str, repair: bool) -> Outcome:
    message = f"Stopped by {user_id}."
    if repair and tables and all(table.state not in (State.WAIT, State.RUN) for table in tables):
        message += " What its repair has asked the task for is written all the same."
    return Outcome(State.STOPPED, message, given_up(tables, State.STOPPED))


def read(report: str) -> list[Table]:
    return msgspec.json.decode(report, type=list[Table])


def of(found: Verified) -> Outcome:
    """The outcome, with MOST of the rows: those that still differ before those that were repaired, and of every table
    some before any table has more."""
    pairs = [(report, _rows(report, found.repair)) for report in found.tables]
    kept = _kept([rows for _, rows in pairs])
    tables = [_table(report, rows, found.repair, tuple(kept[place])) for place, (report, rows) in enumerate(pairs)]
    state = _whole(tables)
    return Outcome(state, _message(state, tables, found.repair), tables)


def compared(report: TableReport) -> Table:
    """A table whose comparison has just ended, without its rows: which are kept is not known before all is done."""
    return _table(report, _rows(report, None), None, ())


def _whole(tables: Sequence[Table]) -> State:
    states = {table.state for table in tables}
    order = (State.DIFFERENT, State.FAIL, State.REPAIRED)
    return next((state for state in order if state in states), State.EQUAL)


def _table(report: TableReport, rows: Sequence[Row], repair: Repair | None, kept: tuple[Row, ...]) -> Table:
    counts = Counter(row.what for row in rows if row.why != Why.RULED)
    repaired = sum(row.repaired for row in rows)
    differing = sum(not row.repaired and row.why != Why.RULED for row in rows) + (report.whole is False)
    left = repair.of(report) if repair is not None else None
    trouble = (left.trouble if left is not None else "") or report.trouble
    if report.equal:
        state = State.EQUAL
    elif differing:
        state = State.DIFFERENT
    else:
        state = State.FAIL if trouble else State.REPAIRED
    return Table(
        report.source,
        report.target,
        state,
        storable(" ".join(_notes(report, left, trouble))),
        report.rows,
        100,
        dict(counts),
        differing,
        repaired,
        kept,
    )


def _notes(report: TableReport, left: TableReport | None, trouble: str) -> Iterator[str]:
    if trouble:
        yield trouble
    if report.whole is not None:
        yield "It has no key: the number of its rows and the sum of their checksums were compared, not row by row."
    unsettled = len(report.unsettled) + (len(left.unsettled) if left is not None else 0)
    if unsettled:
        yield f"{unsettled:,} rows changed too fast to be compared."
    if report.left_out:
        yield f"Not compared, as only the source has them: {', '.join(report.left_out)}."


def _rows(report: TableReport, repair: Repair | None) -> list[Row]:
    """What was found; of a table that was repaired, as it is now."""
    left = repair.of(report) if repair is not None else None
    if left is None:
        return [_row(found, report.pair) for found in report.findings]
    still = {found.plain: found for found in left.findings}
    unsettled = {tuple(key.values()) for key in left.unsettled}
    rows = []
    for found in report.findings:
        proved = not left.trouble and found.plain not in still and tuple(found.key.values()) not in unsettled
        rows.append(_row(still.get(found.plain, found), report.pair, proved))
    return rows


def _row(found: Finding, pair: Pair | None, repaired: bool = False) -> Row:
    kinds = {column.name: column.kind for column in pair.source.columns} if pair is not None else {}
    key = {name: _part(kinds[name], value) for name, value in found.key.items()}
    source, target = (None if side is None else _json(side) for side in (found.here, found.there))
    why, note = str(found.why), storable(found.note)
    return Row(_json(key), str(found.what), why, note, found.columns, source, target, repaired)


def _part(kind: Kind, value: Any) -> Any:
    """Of a key: numbers stay numbers, as far as every reader of JSON takes them for the same."""
    whole = isinstance(value, int) and kind not in _CALENDAR and abs(value) < 2**53
    return value if whole else readable(kind, value)


def _json(values: Mapping[str, Any]) -> str:
    return msgspec.json.encode(values).decode()


def _kept(tables: Sequence[Sequence[Row]]) -> list[list[Row]]:
    ranked = [
        (_rank(row), place_in_table, table, row)
        for table, rows in enumerate(tables)
        for place_in_table, row in enumerate(rows)
    ]
    chosen = sorted(ranked, key=lambda one: one[:3])[:MOST]
    kept: list[list[Row]] = [[] for _ in tables]
    for _, _, table, row in chosen:
        kept[table].append(row)
    return kept


def _rank(row: Row) -> int:
    if row.repaired:
        return 3
    return {Why.UNKNOWN: 0, Why.RULED: 2}.get(Why(row.why), 1)


def _message(state: State, tables: Sequence[Table], repair: Repair | None) -> str:
    broken = [table for table in tables if table.state is State.FAIL]
    if state is State.FAIL:
        return f"{broken[0].source}: {broken[0].message}"
    differing = sum(table.differing for table in tables)
    told = {
        State.EQUAL: "Source and target are equal.",
        State.REPAIRED: "What differed was written again; compared once more, source and target are equal.",
        State.DIFFERENT: "1 row differs." if differing == 1 else f"{differing:,} rows differ.",
    }[state]
    if repair is not None and repair.asked and not repair.done:
        told += f" {repair.asked:,} of them are written again at the beginning of the task's next run: verify it then."
    elif state is State.DIFFERENT and repair is not None:
        told += " This is what the repair could not change: the reasons stand beside the rows."
    if broken:
        told += f" Not compared to their end: {', '.join(table.source for table in broken[:8])}."
    return told
