"""Cutting tables into ranges of their key, in the database's own order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import msgspec
from msgspec import UNSET, UnsetType

from disync.connectors.mysql import sql
from disync.connectors.mysql.connection import Session
from disync.connectors.mysql.schema import Shape
from disync.connectors.mysql.types import INTEGERS
from disync.model.errors import BadConfig
from disync.model.run import Split

LEAST_ROWS = 25_000
"""No table is cut into pieces that are estimated smaller than this: a split costs more than it brings."""

MOST_ROWS = 500_000
"""Nor is a piece estimated larger than this, however few are wanted: whoever reads beside others is done when they are,
and what a crash of another worker gives back is little."""

Edge = tuple[bytes, ...]
"""Values of the first columns of a key, as the server writes them."""


class Bounds(msgspec.Struct, frozen=True):
    """What a split holds: keys from `low` (inclusive) to `high` (exclusive), in hex; None has no bound. `key`: the
    columns of the key by which it was cut; an earlier release did not say."""

    database: str
    table: str
    low: tuple[str, ...] | None = None
    high: tuple[str, ...] | None = None
    key: tuple[str, ...] | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Range:
    database: str
    name: str
    low: Edge | None
    high: Edge | None
    key: tuple[str, ...] | None = None

    @property
    def whole(self) -> bool:
        return self.low is None and self.high is None


def split(session: Session, shapes: Sequence[Shape], want: int) -> list[Split]:
    """Small tables whole, the others cut into pieces, of which there are more where there are fewer tables than splits
    wanted."""
    even = -(-want // max(1, len(shapes)))
    found: list[Split] = []
    for shape in shapes:
        share = max(1, min(even, shape.rows // LEAST_ROWS), -(-shape.rows // MOST_ROWS))
        edges = _edges(session, shape, share) if share > 1 and shape.keys else []
        limits: list[Edge | None] = [None, *edges, None]
        pieces = [(low, high) for low, high in pairwise(limits)]
        found += [_split(shape, place / len(pieces), low, high) for place, (low, high) in enumerate(pieces)]
    return found


def range_of(bounds: str) -> Range:
    found = msgspec.json.decode(bounds, type=Bounds)
    return Range(found.database, found.table, _bytes(found.low), _bytes(found.high), found.key or None)


def conditions(shape: Shape, range_: Range) -> list[str]:
    """The range as SQL."""
    found = []
    if range_.low is not None:
        found.append(sql.beyond(shape.keys[: len(range_.low)], range_.low, inclusive=True))
    if range_.high is not None:
        found.append(sql.before(shape.keys[: len(range_.high)], range_.high))
    return found


def hexes(edge: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(value.hex() for value in edge)


def _bytes(edge: Sequence[str] | None) -> Edge | None:
    return None if edge is None else tuple(bytes.fromhex(value) for value in edge)


def _split(shape: Shape, at: float, low: Edge | None, high: Edge | None) -> Split:
    bounds = Bounds(shape.database, shape.name, hexes(low) if low else None, hexes(high) if high else None)
    # The bounds are part of the name: cut anew after a restart, a checkpoint of other bounds must not count.
    mark = hashlib.sha256(msgspec.json.encode(bounds)).hexdigest()[:12]
    written = msgspec.json.encode(msgspec.structs.replace(bounds, key=tuple(key.name for key in shape.keys)))
    return Split(f"{shape.database}.{shape.name}/{mark}", shape.table, at, bounds=written.decode())


def _edges(session: Session, shape: Shape, share: int) -> list[Edge]:
    first = shape.keys[0]
    if first.type in INTEGERS:
        return _even(session, shape, share)
    return _walked(session, shape, share)


def _even(session: Session, shape: Shape, share: int) -> list[Edge]:
    """Between the least and the greatest first column: the number of ranges is bounded, however sparse the keys."""
    (row,) = session.query(sql.extremes(sql.table(*shape.place), shape.keys[0]))
    if row[0] is None or row[1] is None:
        return []
    low, high = int(row[0]), int(row[1])
    points = {low + (high - low) * place // share for place in range(1, share)} - {low}
    return [(str(point).encode(),) for point in sorted(points)]


def _walked(session: Session, shape: Shape, share: int) -> list[Edge]:
    """Every so many rows along the index: the only way where keys cannot be counted with, such as text."""
    found: list[Edge] = []
    while len(found) < share - 1:
        condition = sql.beyond(shape.keys, found[-1]) if found else None
        statement = sql.edge(sql.table(*shape.place), shape.index, shape.keys, condition, shape.rows // share)
        rows = session.query(statement)
        if not rows:
            break
        found.append(tuple(value for value in rows[0] if value is not None))
        if len(found[-1]) != len(shape.keys):
            raise BadConfig(f"Table {shape.database}.{shape.name} has a null in its key {shape.index}.")
    return found
