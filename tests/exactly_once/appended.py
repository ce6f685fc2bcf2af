"""What a task that only appends must have written: the load once, and every change once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from truth import Column, Run, source_tables

import mysqld
from disync.connectors.mysql import CONNECTOR
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.model.connector import Site
from disync.model.data import Batch, Encoded, rows_of
from disync.model.run import Start
from disync.model.types import Kind

Row = tuple[Any, ...]
Change = tuple[str, str, str, Row]
"""(table, letter, whether it is the row after the change, the row)"""

_LETTERS = {"I": ("I", "Y"), "B": ("U", "N"), "U": ("U", "Y"), "D": ("D", "N")}
_EPOCH = datetime(1970, 1, 1)


class Appended:
    """Made before its task begins, so that whatever the task follows lies behind. No table may be altered."""

    def __init__(self, server: mysqld.Server, name: str) -> None:
        content = {"here": server.content(name)}
        # A batch ends with every transaction.
        site = Site({"connection": [{"datasource": "here", "table": []}], "batchSize": 1}, content)
        assert CONNECTOR.reader is not None
        reader = CONNECTOR.reader(site)
        assert isinstance(reader, MySQLChangeReader)
        self._name, self._reader, (self._stream,) = name, reader, reader.streams()
        self._first = reader.seek(self._stream, Start("latest"))

    def close(self) -> None:
        self._reader.close()

    def differences(self, source: Run, target: Run, tick: int) -> list[str]:
        """What of the target is not right, once it has followed up to this tick."""
        tables = source_tables(source, self._name)
        appended = _appended(target, self._name, tables)
        followed = [
            row[-1] for (table, letter, after, row) in appended if table == "tick" and (letter, after) == ("U", "Y")
        ]
        if not followed:
            return ["no change was appended"]
        transactions = [changes for ticks, changes in self._transactions(tick) if ticks >= min(followed)]
        told = [change for changes in transactions for change in changes]
        loaded, lost = appended - Counter(told), Counter(told) - appended
        found = [f"{sum(lost.values())} changes are not there, such as {list(lost)[:3]}"] if lost else []
        keys = _keys(source, self._name)
        places = {table: [[c.name for c in tables[table]].index(name) for name in keys[table]] for table in keys}
        here = {table: Counter(_rows(source, self._name, table, tables[table])) for table in tables}
        keyed = Counter({change: times for change, times in loaded.items() if change[0] in keys})
        found += _by_key(keyed, told, places, {(table, row) for table in keys for row in here[table]})
        for table in sorted(tables.keys() - keys.keys()):
            mine = Counter({change: times for change, times in loaded.items() if change[0] == table})
            found += _whole(table, mine, transactions, here[table])
        return found

    def _transactions(self, last: int) -> Iterator[tuple[int, list[Change]]]:
        """(tick, changes) of each up to this tick."""
        held: list[Change] = []
        place = self._first
        for event in self._reader.changes(self._stream, self._first):
            if isinstance(event, Batch):
                held += _changes(event)
            if event.position != place:
                place = event.position
                ticks = [row[-1] for table, _, after, row in held if table == "tick" and after == "Y"]
                if ticks:
                    yield ticks[-1], held
                    held = []
                    if ticks[-1] >= last:
                        return
        raise AssertionError("the log ended")


def _by_key(
    loaded: Counter[Change], told: Sequence[Change], places: Mapping[str, Sequence[int]], here: Set[tuple[str, Row]]
) -> list[str]:
    """Of tables that have a key: each row was loaded once, and load and changes come to what is `here`."""
    found: list[str] = []
    state: dict[tuple[str, Row], Row] = {}

    def key(table: str, row: Row) -> tuple[str, Row]:
        return table, tuple(row[place] for place in places[table])

    for table, letter, after, row in loaded.elements():
        if (letter, after) != ("I", "Y") or key(table, row) in state:
            found.append(f"{table} has a row too many: {letter} {row}")
        state[key(table, row)] = row
    for table, _, after, row in told:
        if table not in places:
            continue
        if after == "Y":
            state[key(table, row)] = row
        else:
            state.pop(key(table, row), None)
    there = {(table, row) for (table, _), row in state.items()}
    if here != there:
        found.append(f"load and changes lack {list(here - there)[:3]} and come to {list(there - here)[:3]}")
    return found


def _whole(
    table: str, loaded: Counter[Change], transactions: Sequence[Sequence[Change]], here: Counter[Row]
) -> list[str]:
    """Of a table that has no key: what was loaded is what it held at one moment, between two transactions."""
    rows = Counter({row: times for (_, letter, after, row), times in loaded.items() if (letter, after) == ("I", "Y")})
    if rows.total() != loaded.total():
        return [f"{table} has a row too many: {list(loaded)[:3]}"]
    state, least = Counter(here), _apart(rows, here)
    for changes in reversed(transactions):
        for name, _, after, row in changes:
            if name == table:
                state[row] += -1 if after == "Y" else 1
        least = min(least, _apart(rows, state))
    if least == 0:
        return []
    return [f"{table} was loaded with {rows.total()} rows, and never held them: at least {least} of them are wrong"]


def _apart(one: Counter[Row], other: Counter[Row]) -> int:
    """How many rows are in one of them alone."""
    return sum(abs(one[row] - other[row]) for row in one.keys() | other.keys())


def _changes(batch: Batch) -> list[Change]:
    assert not isinstance(batch.rows, Encoded) and batch.ops is not None
    # As `source_tables` has them.
    order = sorted(range(len(batch.table.columns)), key=lambda place: batch.table.columns[place].name)
    kinds = [column.kind for column in batch.table.columns]
    return [
        (batch.table.name, *_LETTERS[op], tuple(_value(kinds[place], row[place]) for place in order))
        for op, row in zip(batch.ops.decode(), rows_of(batch.rows), strict=True)
    ]


def _value(kind: Kind, value: Any) -> Any:
    """As the target's driver gives it."""
    if value is None:
        return None
    match kind:
        case Kind.DECIMAL:
            return Decimal(value)
        case Kind.DATE:
            return date.fromordinal(value + _EPOCH.toordinal())
        case Kind.DATETIME:
            return _EPOCH + timedelta(microseconds=value)
        case _:
            return value


def _appended(run: Run, schema: str, tables: Mapping[str, Sequence[Column]]) -> Counter[Change]:
    found: Counter[Change] = Counter()
    for table, columns in tables.items():
        names = ", ".join(f'"{column.name}"' for column in columns)
        for letter, after, *row in run(f'SELECT _operation_type_, _after_image_, {names} FROM "{schema}"."{table}"'):
            found[table, letter, after, tuple(row)] += 1
    return found


def _rows(run: Run, database: str, table: str, columns: Sequence[Column]) -> list[Row]:
    """What the source holds, as the target's driver would give it."""
    names = ", ".join(f"`{column.name}`" for column in columns)
    kinds = run(
        "SELECT column_name, column_type FROM information_schema.columns "
        f"WHERE table_schema = '{database}' AND table_name = '{table}'"
    )
    wide = {name for name, kind in kinds if kind.startswith("bigint") and "unsigned" in kind}
    turns = [Decimal if column.name in wide else _same for column in columns]
    return [
        tuple(None if value is None else turn(value) for turn, value in zip(turns, row, strict=True))
        for row in run(f"SELECT {names} FROM `{database}`.`{table}`")
    ]


def _same(value: Any) -> Any:
    return value


def _keys(run: Run, database: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for table, column in run(
        "SELECT table_name, column_name FROM information_schema.statistics "
        f"WHERE table_schema = '{database}' AND index_name = 'PRIMARY' ORDER BY table_name, seq_in_index"
    ):
        found.setdefault(str(table), []).append(str(column))
    return found
