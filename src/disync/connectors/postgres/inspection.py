"""One table of a target, looked at for a comparison: read only, each statement at a moment of its own.

Values go both ways as PostgreSQL's binary fields, the same that rows are written with: nothing is rounded on the way.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from disync.connectors.postgres import digest, fields
from disync.connectors.postgres.catalog import Target, TargetColumn
from disync.connectors.postgres.connection import Connection, told
from disync.connectors.postgres.sql import literal, quote
from disync.connectors.postgres.types import ColumnType
from disync.model.compare import Digest, Entry, Inspection, Key, Method, Range, Row, Trait, plain
from disync.model.data import Position, Table
from disync.model.errors import BadConfig
from disync.model.run import Split

KEYS = 200
"""Keys that one statement asks for."""

LOOKS, LOOK_SECONDS = 100, 0.05
"""How often it is tried to find the sinks of a stream at one place, and the pause in between."""

Places = Callable[[Connection, Split], Set[Position]]

_HASH, _COUNT = ColumnType("int8"), ColumnType("int8")


def traits(connection: Connection, target: Target, table: Table) -> Mapping[str, Trait]:
    """What can be compared of the columns of `table`, without those that the target has not or computes itself."""
    version = connection.info.server_version
    utf8 = connection.info.parameter_status("server_encoding") == "UTF8"
    found: dict[str, Trait] = {}
    for column in table.columns:
        there = target.find(column.name)
        if there is not None and not there.generated and fields.decodes(there.type):
            found[column.name] = digest.trait(column.kind, there.type, version, utf8)
    return found


class PostgresInspection(Inspection):
    """`places` reads how far the task is with a split, in the transaction that is under way: as many places as its
    sinks are at."""

    def __init__(self, connection: Connection, target: Target, table: Table, method: Method, places: Places) -> None:
        connection.autocommit = True
        self._connection = connection
        self._relation = target.relation
        self._table = table
        self._method = method
        self._columns = [_found(target, column.name) for column in table.columns]
        self._keys = [self._columns[place] for place in method.keys]
        self._added = [_found(target, name) for name, _ in method.added]
        self._hash = digest.hash_of(self._columns, method) + digest.unless(self._added, method)
        self._places = places
        self._only = [_one(_found(target, name), value) for name, value in method.only]

    def close(self) -> None:
        self._connection.close()

    def walk(self, rows: int) -> Iterator[tuple[Range, Digest]]:
        raise NotImplementedError("a target is not walked along")

    def groups(self, range_: Range, digits: int, within: Sequence[str] = ()) -> Mapping[str, Digest]:
        part = digest.part_of(self._columns, self._method, digits) if digits else "''::text"
        where, values = self._where(range_, within)
        grouped = " GROUP BY 1" if digits else ""
        result = self._ask(
            f"SELECT {part}, count(*), coalesce(sum({self._hash}), 0)::text FROM {self._relation}{where}{grouped}",
            values,
        )
        found: dict[str, Digest] = {}
        for at in range(result.ntuples):
            name, count, total = (result.get_value(at, column) or b"" for column in range(3))
            found[name.decode()] = Digest(fields.decode(_COUNT, count), int(total))
        return found

    def entries(self, range_: Range, within: Sequence[str] = ()) -> Iterator[Entry]:
        asked = [*self._keys, *(self._columns[place] for place in self._method.loose)]
        where, values = self._where(range_, within)
        names = ", ".join([*(quote(column.name) for column in asked), self._hash])
        result = self._ask(f"SELECT {names} FROM {self._relation}{where}", values)
        for at in range(result.ntuples):
            cells = [self._decoded(column, result.get_value(at, place)) for place, column in enumerate(asked)]
            hash_ = fields.decode(_HASH, result.get_value(at, len(asked)) or bytes(8))
            yield Entry(tuple(cells[: len(self._keys)]), hash_, tuple(cells[len(self._keys) :]))

    def rows(self, keys: Sequence[Key]) -> Mapping[Key, Row]:
        found: dict[Key, Row] = {}
        for start in range(0, len(keys), KEYS):
            found.update(self._asked(keys[start : start + KEYS]))
        return found

    def moment(self, keys: Sequence[Key], split: Split) -> tuple[Mapping[Key, Row], Position | None]:
        for _ in range(LOOKS):
            with told(f"comparing {self._relation}"), self._connection.transaction():
                self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                places = self._places(self._connection, split)
                if len(places) < 2:
                    return self.rows(keys), next(iter(places), Position(""))
            time.sleep(LOOK_SECONDS)  # some of the stream's sinks have written, and others have yet to
        return {}, None

    def _asked(self, keys: Sequence[Key]) -> Iterator[tuple[Key, Row]]:
        values: list[bytes] = []
        lines = [line for key in keys if (line := self._line(key, values)) is not None]
        if not lines:
            return
        texts = [f"{quote(column.name)}::text" for column in self._added]
        names = ", ".join([*(quote(column.name) for column in self._columns), *texts])
        of_key = ", ".join(quote(column.name) for column in self._keys)
        conditions = [f"({of_key}) IN ({', '.join(lines)})", *self._only]
        query = f"SELECT {names} FROM {self._relation} WHERE {' AND '.join(conditions)}"
        result = self._ask(query, values)
        for at in range(result.ntuples):
            cells = tuple(self._decoded(column, result.get_value(at, n)) for n, column in enumerate(self._columns))
            key = tuple(plain(self._table.columns[place].kind, cells[place]) for place in self._method.keys)
            yield key, Row(cells, others=self._others(result, at))

    def _others(self, result: PGresult, at: int) -> Mapping[str, str | None]:
        found = (result.get_value(at, len(self._columns) + n) for n in range(len(self._added)))
        texts = [None if cell is None else cell.decode() for cell in found]
        both = zip(self._method.added, texts, strict=True)
        return {name: text for (name, value), text in both if text != value}

    def _line(self, key: Key, values: list[bytes]) -> str | None:
        """A key as parameters, which are put behind `values`; None for one that this table cannot hold."""
        try:
            encoded = [self._encoded(place, value) for place, value in enumerate(key)]
        except (ValueError, TypeError, OverflowError, ArithmeticError, struct.error):
            return None
        values += encoded
        return self._parameters(len(values) - len(encoded), len(encoded))

    def _parameters(self, behind: int, count: int) -> str:
        numbered = enumerate(self._keys[:count], behind + 1)
        return f"({', '.join(f'${number}::{column.type.name}' for number, column in numbered)})"

    def _encoded(self, place: int, value: Any) -> bytes:
        """The field of a key's value, without its length."""
        kind = self._table.columns[self._method.keys[place]].kind
        return fields.encoder(kind, self._keys[place].type)(value)[4:]

    def _where(self, range_: Range, within: Sequence[str]) -> tuple[str, list[bytes]]:
        values: list[bytes] = []
        conditions = [*self._only]
        for limit, sign in ((range_.low, ">"), (range_.high, "<=")):
            if limit is not None:
                line = self._line(limit, values)
                if line is None:
                    raise BadConfig(f"{self._relation} cannot hold the key {limit} of the source: compare its columns.")
                names = ", ".join(quote(column.name) for column in self._keys[: len(limit)])
                conditions.append(f"({names}) {sign} {line}")
        if within:
            part = digest.part_of(self._columns, self._method, len(within[0]))
            conditions.append(digest.within(part, within))
        return (f" WHERE {' AND '.join(conditions)}" if conditions else ""), values

    def _ask(self, query: str, values: Sequence[bytes]) -> PGresult:
        with told(f"comparing {self._relation}"):
            link = self._connection.pgconn
            result = link.exec_params(query.encode(), values, None, [1] * len(values), 1)
            if result.status != ExecStatus.TUPLES_OK:
                raise psycopg.errors.error_from_result(result)
        return result

    def _decoded(self, column: TargetColumn, cell: bytes | None) -> Any:
        return None if cell is None else fields.decode(column.type, bytes(cell))


def _one(column: TargetColumn, value: str | bool) -> str:
    """The condition that a column has a value; a flag that is null is none."""
    if isinstance(value, bool):
        return f"{quote(column.name)} IS {'' if value else 'NOT '}TRUE"
    return f"{quote(column.name)}::text = {literal(value)}"


def _found(target: Target, name: str) -> TargetColumn:
    found = target.find(name)
    if found is None:
        raise BadConfig(f"{target.relation} has no column {name} any more. Verify it again.")
    return found
