"""What is compiled and what is Python read the same rows: random row images and results of every type."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from images import COLUMNS, Lying, named
from packing import packed_cell, width_of
from tables import FORMS, announced, rows_body, shape
from wires import END, Feed, event, framed, logged, packed_row

from disync.connectors.mysql import encoded, packed, plans
from disync.connectors.mysql.binlog import events, rows, tablemap
from disync.connectors.mysql.binlog.events import Kind
from disync.connectors.mysql.plans import Plan
from disync.connectors.mysql.values import Unreadable, from_text
from disync.connectors.postgres import fields
from disync.connectors.postgres.types import ColumnType
from disync.model.data import Table
from disync.native import pgcopy
from disync.native import rows as tuples
from disync.native.changelog import LogRows, LogTable
from disync.native.packets import Packets
from disync.native.results import ResultRows

Row = tuple[Any, ...]


def decoded(table: Table, data: bytes) -> list[Row]:
    types = [ColumnType(pgcopy.TYPES[column.kind]) for column in table.columns]
    return [
        tuple(None if f is None else fields.decode(t, f) for t, f in zip(types, line, strict=True))
        for line in tuples.fields(data)
    ]


def told(row: Sequence[Any]) -> list[tuple[type, str]]:
    """Values so that only what is the same is equal: 0.0 is not -0.0, and 1 is not True."""
    return [(type(value), repr(value)) for value in row]


def plan_of(columns: Sequence[Lying], body: bytes) -> Plan:
    return plans.plan(tablemap.parse(body), shape(columns), False, False)


def reference(plan: Plan, event_: bytes) -> tuple[list[tuple[str, Row]], int]:
    """The rows of an event as Python reads them, without those that cannot be read, and how many those are.

    A row that goes is read even if it holds a day that no calendar has: its key counts.
    """
    natives = tuple(replace(n, zero="null" if n.zero == "dirty" else n.zero) for n in plan.natives)
    kept: list[tuple[str, Row]] = []
    refused = 0
    read = events.parse(event_, True)
    changes = rows.changes(read, plan.fields, plan.virtual)
    lenient = rows.changes(read, replace(plan, natives=natives).fields, plan.virtual)
    for strict, loose in zip(changes, lenient, strict=True):
        change = loose if strict.op in ("B", "D") else strict
        if change.unreadable:
            refused += change.op != "B"
            if change.op == "U" and kept and kept[-1][0] == "B":
                kept.pop()
        else:
            kept.append((change.op, change.row))
    return kept, refused


def compiled(plan: Plan, log: bytes, step: int = 1 << 30) -> tuple[list[tuple[str, Row]], int]:
    """The same of a whole log, in which the table may have several numbers."""
    packets, feed = Packets(), Feed(log, step)
    table = LogTable(plan.columns, plan)
    held = LogRows(packets, events.inflate, 1 << 30, 1 << 40)
    held.checksums = True
    while packets.receive(feed):
        while (packet := held.next()) is not None:
            assert packet[5] == Kind.TABLE_MAP
            held.announce(packet[20:-4], table)
    found: list[tuple[str, Row]] = []
    for plan_, data, ops in held.take(False):
        found += zip(ops.decode(), decoded(plan_.table, data), strict=True)
    return found, len(held.refused)


def name_of(column: Lying) -> str:
    return f"{column.native.full}-{column.native.charset or column.native.zero}"[:40]


@pytest.mark.parametrize("column", COLUMNS, ids=name_of)
def test_every_type_lies_the_same_in_the_log(column: Lying) -> None:
    random = Random(column.native.full)
    columns = named([column])
    plan = plan_of(columns, announced(columns, 1))
    for form in FORMS:
        for kind in range(form, form + 3):
            data = event(kind, rows_body(columns, 1, kind, random, 60))
            found, refused = compiled(plan, logged([event(Kind.TABLE_MAP, announced(columns, 1)), data]))
            assert len(found) + refused >= 60
            check(plan, [data], found, refused)


def check(plan: Plan, data: Sequence[bytes], found: Sequence[tuple[str, Row]], refused: int) -> None:
    expected = [reference(plan, one) for one in data]
    rows_ = [change for kept, _ in expected for change in kept]
    assert [op for op, _ in found] == [op for op, _ in rows_]
    assert [told(row) for _, row in found] == [told(row) for _, row in rows_]
    assert refused == sum(count for _, count in expected)


@pytest.mark.parametrize("seed", range(40))
def test_tables_of_any_columns(seed: int) -> None:
    """Many columns, several events of all kinds, table numbers that change, packets that come in pieces."""
    random = Random(seed)
    some = random.choices(COLUMNS, k=random.choice([1, 2, 8, 9, 40, 300]))
    columns = [
        replace(column, native=replace(column.native, virtual=place > 0 and random.random() < 0.1))
        for place, column in enumerate(named(some))
    ]
    plan = plan_of(columns, announced(columns, 1))
    log, data, at = [], [], 4
    for _ in range(6):
        number = random.choice([1, 1, 2, 1 << 40])
        kind = random.choice(FORMS) + random.randrange(3)
        log.append(event(Kind.TABLE_MAP, announced(columns, number), at))
        log.append(event(kind, rows_body(columns, number, kind, random, random.randrange(20)), at + len(log[-1])))
        at += len(log[-1]) + len(log[-2])
        data.append(log[-1])
    found, refused = compiled(plan, logged(log), random.choice([1 << 30, 1000, 77]))
    check(plan, data, found, refused)


@pytest.mark.parametrize("column", [c for c in COLUMNS if c.cell], ids=name_of)
def test_every_type_lies_the_same_in_a_result(column: Lying) -> None:
    random = Random(column.native.full)
    result_matches([named([column])[0]], random, 200, 1 << 30)


@pytest.mark.parametrize("seed", range(20))
def test_results_of_any_columns(seed: int) -> None:
    random = Random(seed)
    some = random.choices([c for c in COLUMNS if c.cell], k=random.choice([1, 12, 300]))
    result_matches(named(some), random, 30, random.choice([1 << 30, 1000, 77]))


def result_matches(columns: Sequence[Lying], random: Random, count: int, step: int) -> None:
    lines = [
        [None if random.random() < 0.1 else column.cell(random) for column in columns if column.cell]
        for _ in range(count)
    ]
    natives = [column.native for column in columns]
    widths = bytes(map(width_of, natives))
    sent = [
        [None if cell is None else packed_cell(native, cell) for native, cell in zip(natives, line, strict=True)]
        for line in lines
    ]
    packets, feed = Packets(), Feed(framed([*(packed_row(line, widths) for line in sent), END]), step)
    found = ResultRows(packets, encoded.of_result(natives), widths, [len(columns) - 1])
    while not found.advance(1 << 30, 1 << 40):
        assert packets.receive(feed)
    expected = [[_value(from_text(n), cell) for n, cell in zip(natives, line, strict=True)] for line in lines]
    good = [row for row in expected if not any(type(value) is Unreadable for value in row)]
    assert found.ending == END and found.last == (sent[-1][-1],)
    assert found.count == len(good) and found.total == count
    table = shape(columns).table
    assert [told(row) for row in decoded(table, found.take())] == [told(_float4(table, row)) for row in good]
    bad = [tuple(line) for line, row in zip(sent, expected, strict=True) if any(type(v) is Unreadable for v in row)]
    assert [cells for cells, *_ in found.refused] == bad
    for line, cells in zip(lines, sent, strict=True):
        for native, text, cell in zip(natives, line, cells, strict=True):
            if cell is not None and text is not None:
                told_by_cell = _value(from_text(native), packed.text(native, cell))
                assert repr(told_by_cell) == repr(_value(from_text(native), text)), (native, text, cell)


def _value(read: Any, cell: bytes | None) -> Any:
    try:
        return None if cell is None else read(cell)
    except Unreadable as error:
        return error


def _float4(table: Table, row: Sequence[Any]) -> list[Any]:
    """A FLOAT is as wide in the target as in the source."""
    return [
        fields.decode(ColumnType("float4"), fields.encoder(c.kind, ColumnType("float4"))(value)[4:])
        if c.kind == "float" and value is not None and math.isfinite(value)
        else value
        for c, value in zip(table.columns, row, strict=True)
    ]
