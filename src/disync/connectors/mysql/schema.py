"""The tables of a selection as the server describes them now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from disync.connectors.mysql import defaults, dialect, sql
from disync.connectors.mysql.connection import Row, Session
from disync.connectors.mysql.selection import Selection
from disync.connectors.mysql.types import Native, column_of
from disync.model.data import Table
from disync.model.errors import BadConfig
from disync.model.outlook import Measured, Seen

Name = tuple[str, str]
"""(database, table)"""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: how the server declares it and the canonical `table` that it becomes.

    `index` is the unique index that `keys` form, "" where there is none that forbids nulls.
    """

    database: str
    name: str
    table: Table
    natives: tuple[Native, ...]
    keys: tuple[Native, ...] = ()
    index: str = ""
    engine: str = ""
    rows: int = 0

    @property
    def place(self) -> Name:
        return self.database, self.name

    @property
    def hint(self) -> str:
        """The index that must be named so that rows are read along it. InnoDB reads along its primary key by itself,
        and takes nearly twice as long when it is told to."""
        return "" if self.index == "PRIMARY" and self.engine.upper() == "INNODB" else self.index


def read(session: Session, selection: Selection, only: Name | None = None) -> dict[Name, Shape]:
    """Every selected table that exists, or only one, in the order of names."""
    names = [only[0]] if only else databases(session, selection)
    if not names:
        return {}
    table = only[1] if only else None
    described = _grouped(session.query(sql.columns_of(names, table)))
    indexes = _grouped(session.query(sql.keys_of(names, table)))
    shapes: dict[Name, Shape] = {}
    maria = dialect.is_maria(session)
    for row in session.query(sql.tables_of(names, table)):
        place = (_text(row[0]), _text(row[1]))
        if selection.holds(*place) and place in described:
            shapes[place] = _shape(place, row, described[place], indexes.get(place, []), selection, maria)
    return shapes


def names(session: Session, selection: Selection) -> list[Table]:
    """Every selected table that exists, in the same order, with its name alone."""
    among = databases(session, selection)
    rows = session.query(sql.names_of(among)) if among else []
    places = [(_text(row[0]), _text(row[1])) for row in rows]
    return [Table(selection.name(*place), path=place) for place in places if selection.holds(*place)]


def look(session: Session, selection: Selection, tables: Iterable[Table]) -> Iterator[Seen]:
    """Some of the selected tables, those that cannot be read as well."""
    for table in tables:
        place = (table.path[0], table.path[1])
        try:
            shape = read(session, selection, place).get(place)
        except BadConfig as error:
            yield Seen(replace(table, columns=(), keys=()), fault=str(error))
            continue
        if shape is not None:
            yield Seen(shape.table, {native.name: native.full for native in shape.natives})


def column_names(session: Session, place: Name) -> list[str]:
    """Of one table, in their order; none if it is not there."""
    return [_text(row[2]) for row in session.query(sql.columns_of([place[0]], place[1]))]


def measures(session: Session, places: Sequence[Name]) -> dict[Name, Measured]:
    """Of some tables of any database: two questions, however many tables there are."""
    indexes = _grouped(session.query(sql.keys_among(places)))
    return {
        (place := (_text(row[0]), _text(row[1]))): Measured(
            _number(row[2]), _number(row[3]), tuple(_key(indexes.get(place, []))[1])
        )
        for row in session.query(sql.measures_of(places))
    }


def databases(session: Session, selection: Selection) -> list[str]:
    """The databases from which tables are selected."""
    fixed = selection.fixed
    if fixed is not None:
        return sorted(fixed)
    return selection.among(_text(row[0]) for row in session.query("SHOW DATABASES"))


def fingerprint(shapes: Mapping[Name, Shape]) -> str:
    """The same for the same declarations: tells whether a table has changed since a position was taken."""
    digest = hashlib.sha256()
    for place in sorted(shapes):
        shape = shapes[place]
        digest.update(repr((place, [_declared(native) for native in shape.natives])).encode())
    return digest.hexdigest()[:12]


def _declared(native: Native) -> tuple[object, ...]:
    return native.name, native.full, native.charset, native.virtual


def _shape(place: Name, row: Row, columns: list[Row], indexes: list[Row], selection: Selection, maria: bool) -> Shape:
    index, names = _key(indexes)
    natives = tuple(_native(column, names, selection.zero, maria) for column in columns)
    keys = tuple(next(native for native in natives if native.name == name) for name in names)
    try:
        columns_ = tuple(column_of(native) for native in natives)
        table = Table(selection.name(*place), columns_, tuple(names), place, repeats=not names)
    except BadConfig as error:
        raise BadConfig(f"Table {place[0]}.{place[1]}: {error}") from error
    return Shape(*place, table, natives, keys, index, _text(row[2]), int(row[3] or 0))


def _key(indexes: Iterable[Row]) -> tuple[str, list[str]]:
    """The primary key, or else the first unique index whose columns are all whole and never null."""
    for index, parts in groupby(indexes, key=lambda row: _text(row[2])):
        columns = list(parts)
        if index == "PRIMARY" or all(c[3] is not None and c[4] is None and _text(c[5]) != "YES" for c in columns):
            return index, [_text(column[3]) for column in columns]
    return "", []


def _native(row: Row, keys: Iterable[str], zero: str, maria: bool) -> Native:
    column, kind, full = _text(row[2]), _text(row[3]).lower(), _text(row[4])
    extra = _text(row[12]).upper()
    return Native(
        column,
        kind,
        full,
        _text(row[5]),
        _text(row[6]),
        _number(row[7]),
        _bit_width(full) if kind == "bit" else _number(row[8]),
        _number(row[9]),
        int(row[10] or 0),
        _text(row[11]) == "YES",
        column in keys,
        "VIRTUAL" in extra,
        _text(row[13]),
        zero,
        *defaults.read(None if row[14] is None else _text(row[14]), kind, extra, maria),
    )


def _bit_width(full: str) -> int:
    return int(full[4:-1]) if full.startswith("bit(") else 1


def _grouped(rows: Iterable[Row]) -> dict[Name, list[Row]]:
    """Rows by their first two columns."""
    found: dict[Name, list[Row]] = {}
    for row in rows:
        found.setdefault((_text(row[0]), _text(row[1])), []).append(row)
    return found


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
