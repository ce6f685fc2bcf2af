"""Rows that cannot be read, told as what is to be kept of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from disync.connectors.mysql.binlog import rows
from disync.connectors.mysql.plans import Plan
from disync.connectors.mysql.types import Native
from disync.connectors.mysql.values import Unreadable, from_text
from disync.model.data import Dirty, Position, Table


def unreadable(plan: Plan, row: Sequence[Any], position: Position) -> Dirty:
    """A row of which some values are Unreadable."""
    return _dirty(plan.table, row, position)


def going(plan: Plan, change: rows.Change) -> rows.Change:
    """A row that goes: only its key has to be read."""
    pairs = zip(plan.natives, change.row, strict=True)
    return rows.Change(
        change.op,
        tuple(None if type(value) is Unreadable and not native.key else value for native, value in pairs),
    )


def refusal(plan: Plan, mask: bytes, image: bytes, position: Position) -> Dirty:
    """A row of the log that the compiled loop has refused, read once more, value by value."""
    return _dirty(plan.table, rows.image(image, mask, plan.fields, plan.virtual), position)


def of_result(table: Table, natives: Sequence[Native], cells: Sequence[bytes | None], position: Position) -> Dirty:
    """A row of a result."""
    return _dirty(table, [_value(native, cell) for native, cell in zip(natives, cells, strict=False)], position)


def _value(native: Native, cell: bytes | None) -> Any:
    try:
        return None if cell is None else from_text(native)(cell)
    except Unreadable as error:
        return error


def _dirty(table: Table, row: Sequence[Any], position: Position) -> Dirty:
    names = [column.name for column in table.columns]
    reasons = [f"column {name}: {value}" for name, value in zip(names, row, strict=True) if type(value) is Unreadable]
    shown = {name: _shown(value) for name, value in zip(names, row, strict=True)}
    return Dirty(table.name, msgspec.json.encode(shown).decode(), "; ".join(reasons), position)


def _shown(value: Any) -> Any:
    if type(value) is Unreadable:
        return value.shown
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
