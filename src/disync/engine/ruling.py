"""Which changes of a batch are written, and as what: the HandleDml rule of its table, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from disync.model.bound import bind
from disync.model.condition import Condition
from disync.model.data import Batch, Encoded, rows_of
from disync.model.dml import Dml
from disync.native import pgcopy, rows

_OPS = {"Insert": b"I", "Update": b"BU", "Delete": b"D"}
_INSERT, _BEFORE, _UPDATE, _DELETE = b"IBUD"

Marks = Sequence[bool]


@dataclass(frozen=True, slots=True)
class Ruled:
    """`ops` of the rows that stay (None: a full load), `mask`: which stay (None: all), `gone`: which of those are
    deleted only by name ("": none)."""

    ops: bytes | None
    mask: bytes | None = None
    gone: bytes = b""


def ruled(batch: Batch, dml: Dml | None, again: bool = False) -> Ruled:
    """`again`: rows that are written once more, as their source has them now (`Reader.reread`): of one that is gone
    there is no more than its key."""
    if dml is None:
        return Ruled(batch.ops)
    if batch.ops is None:
        return Ruled(None, None if dml.rows is None else bytes(marks(batch, dml.rows)))
    ops, mask = bytearray(batch.ops), None
    ignored = b"".join(_OPS[kind] for kind, action in dml.actions.items() if action == "Ignore")
    if dml.conditions:
        mask = _filtered(batch, dml, ops, ignored, again)
    elif ignored:
        mask = bytes(op not in ignored for op in ops)
    stay = bytes(op for op, stays in zip(ops, mask, strict=True) if stays) if mask is not None else bytes(ops)
    if dml.actions.get("Delete") != "LogicalDelete":
        return Ruled(stay, mask)
    return Ruled(stay.replace(b"D", b"U"), mask, bytes(op == _DELETE for op in stay))


def _filtered(batch: Batch, dml: Dml, ops: bytearray, ignored: bytes, again: bool) -> bytes:
    """Which rows stay; some of them with another op."""
    everything = [True] * len(ops)
    whole = marks(batch, dml.rows) if dml.rows else everything
    updated = marks(batch, dml.updates) if dml.updates else whole
    deleted = marks(batch, dml.deletes) if dml.deletes else everything
    stays = bytearray(len(ops))
    for place, op in enumerate(batch.ops or b""):
        if op in ignored:
            continue
        if op == _INSERT:
            stays[place] = whole[place]
        elif op == _DELETE:
            stays[place] = again or (whole[place] and deleted[place])
        elif op == _UPDATE and (place == 0 or batch.ops is None or batch.ops[place - 1] != _BEFORE):
            _alone(ops, stays, place, updated[place], dml, again)
        elif op == _UPDATE:
            _pair(ops, stays, place, (updated[place - 1], updated[place]), dml)
    return bytes(stays)


def _pair(ops: bytearray, stays: bytearray, place: int, meant: tuple[bool, bool], dml: Dml) -> None:
    """An update, whose new row is at `place`; whether its old row and its new one are meant."""
    before, after = meant
    if after:
        stays[place] = True
        if before or dml.rows is None:
            stays[place - 1] = True
        else:
            ops[place] = _INSERT  # it comes to be there
    elif before:
        ops[place - 1], stays[place - 1] = _DELETE, True


def _alone(ops: bytearray, stays: bytearray, place: int, meant: bool, dml: Dml, again: bool) -> None:
    """A row as it is now; what it was before nobody knows."""
    stays[place] = meant or again or dml.rows is not None
    if not meant and dml.rows is not None:
        ops[place] = _DELETE


def marks(batch: Batch, condition: Condition) -> Marks:
    """Of each row whether it is meant."""
    bound = bind(condition, batch.table.columns)
    found: list[tuple[Any, ...]]
    if isinstance(batch.rows, Encoded):
        kinds = [batch.table.columns[place].kind for place in bound.places]
        found = pgcopy.values(kinds, rows.fields(rows.project(batch.rows.buffers[0], list(bound.places))))
    else:
        found = [tuple(row[place] for place in bound.places) for row in rows_of(batch.rows)]
    return [bound.test(row) is True for row in found]
