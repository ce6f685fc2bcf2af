"""A random life of a source, from a seed: rows of every kind of key come, change, move and go, and tables change.

Every transaction counts `tick` up by one: a target that shows tick n must show all of the first n transactions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

import pymysql

FIRST_ROWS = 60
"""Rows of every table when the task begins, at most."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How the key of a table is declared, and a key made of a number. `primary`: "" where it has none."""

    key: str
    primary: str
    value: Callable[[int], str]
    number: str
    """The key column that can be counted with."""
    unique: str = ""
    """Another index, which forbids no nulls, and so is no key."""

    @property
    def names(self) -> list[str]:
        return [part.split()[0] for part in self.key.split(", ")]

    @property
    def indexes(self) -> str:
        primary = f", PRIMARY KEY ({self.primary})" if self.primary else ""
        return f"{primary}, UNIQUE ({self.unique})" if self.unique else primary


KINDS = (
    Kind("id BIGINT NOT NULL", "id", str, "id"),
    Kind("a INT NOT NULL, b VARCHAR(20) NOT NULL", "b, a", lambda n: f"{n},'{'kK'[n % 2]}{n % 7}é'", "a"),
    Kind("u BIGINT UNSIGNED NOT NULL, h VARBINARY(8) NOT NULL", "u, h", lambda n: f"{n},UNHEX('00FF{n % 5:02X}')", "u"),
)
KEYLESS = (
    Kind("n INT, k VARCHAR(20)", "", lambda n: f"{n - n % 40},{_or_null(n % 60, repr('k'))}", "n"),
    Kind("n INT, u INT", "", lambda n: f"{n - n % 40},{_or_null(n % 30, str(n))}", "n", unique="u"),
)
"""Tables without a key: several rows have one number, and some are equal in all they have."""


def _or_null(present: int, value: str) -> str:
    return value if present else "NULL"


TYPES = (
    ("INT", "BIGINT"),
    ("VARCHAR(40)", "VARCHAR(90)"),
    ("DECIMAL(12,2)", "DECIMAL(20,4)"),
    ("DATETIME(3)", "DATETIME(6)"),
    ("VARBINARY(20)", "VARBINARY(60)"),
    ("TEXT", "LONGTEXT"),
    ("DATE", "DATETIME"),
)
"""Types of columns, and what each is modified to."""


def literal(kind: str, chance: random.Random) -> str:
    if chance.random() < 0.15:
        return "NULL"
    number = chance.randrange(-1000, 1000)
    match kind.partition("(")[0]:
        case "INT" | "BIGINT":
            return str(number)
        case "DECIMAL":
            return f"{number}.25"
        case "DATETIME" | "DATE":
            return f"'20{chance.randrange(10, 30)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}'"
        case "VARBINARY":
            return f"UNHEX('{chance.randrange(1 << 64):016X}')"
        case _:
            return chance.choice(["''", f"'text {number}'", "'高德\\t\\n\\\\ \\'\\\"'", f"'{'x' * 30}'"])


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    kind: Kind
    columns: tuple[tuple[str, str], ...]
    """(name, type) of the columns that are no keys."""


class Workload:
    """Makes statements; `run` says one to the server, `settle` returns once the target has all that was said so far.
    `appends`: rows of tables without a key change, too, as every change is only appended."""

    def __init__(
        self, seed: int, run: Callable[[str], None], settle: Callable[[], None], appends: bool = False
    ) -> None:
        self.chance = random.Random(seed)
        self._run = run
        self._settle = settle
        self._appends = appends
        self._names = count(1)
        self._top = count(10_000, 10)
        self.tables: list[Table] = []

    # The beginning.

    def create(self, ticks: int, keyless: bool = False) -> None:
        """`ticks`: rows that count, all alike. `keyless`: one of the tables has no key."""
        self._run("CREATE TABLE tick (id INT PRIMARY KEY, n BIGINT NOT NULL)")
        self._run(f"INSERT INTO tick VALUES {', '.join(f'({number + 1}, 0)' for number in range(ticks))}")
        for kind in self.chance.sample(KINDS, k=self.chance.randint(2, 3)):
            table = self._new_table(kind)
            self._insert(table, range(0, self.chance.randrange(FIRST_ROWS) * 10, 10))
        if keyless:
            table = self._new_table(self.chance.choice(KEYLESS))
            self._insert(table, range(0, self.chance.randrange(FIRST_ROWS, 2 * FIRST_ROWS) * 10, 10))

    def _new_table(self, kind: Kind) -> Table:
        columns = tuple((f"c{next(self._names)}", self.chance.choice(TYPES)[0]) for _ in range(3))
        table = Table(f"t{next(self._names)}", kind, columns)
        declared = ", ".join(f"{name} {type_}" for name, type_ in columns)
        self._run(f"CREATE TABLE {table.name} ({kind.key}, {declared}{kind.indexes})")
        self.tables.append(table)
        return table

    # Transactions.

    def transaction(self) -> None:
        """One transaction, which the server may refuse in parts; some are taken back."""
        self._run("BEGIN")
        self._run("UPDATE tick SET n = n + 1")
        for _ in range(self.chance.choice((1, 1, 2, 3, 6))):
            if tables := [table for table in self.tables if table.kind.primary or self._appends]:
                self._change(self.chance.choice(tables))
        self._run("ROLLBACK" if self.chance.random() < 0.1 else "COMMIT")

    def _change(self, table: Table) -> None:
        chance = self.chance
        change = chance.choice(
            [
                *[self._insert_some] * 4,
                *[self._update] * 4,
                *[self._delete] * 2,
                *[self._move_up, self._move_down, self._swap, self._come_again, self._come_and_go, self._undone],
            ]
        )
        with suppress(pymysql.err.IntegrityError):  # a key that is there already: that statement did nothing
            change(table)

    def _insert(self, table: Table, numbers: Sequence[int], verb: str = "INSERT") -> None:
        rows = [
            f"({', '.join([table.kind.value(n), *(literal(type_, self.chance) for _, type_ in table.columns)])})"
            for n in numbers
        ]
        if not table.kind.primary:
            rows = [row for row in rows for _ in range(self.chance.choice((1, 1, 2, 3)))]
            verb = "INSERT IGNORE"  # of those that an index takes once it takes one
        if rows:
            names = ", ".join([*table.kind.names, *(name for name, _ in table.columns)])
            self._run(f"{verb} INTO {table.name} ({names}) VALUES {', '.join(rows)}")

    def _some(self, table: Table, most: int = 200) -> str:
        """A condition that holds for a few rows, perhaps none."""
        low = self.chance.choice((0, self.chance.randrange(700), self.chance.randrange(10_000, 10_400)))
        return f"{table.kind.number} BETWEEN {low} AND {low + self.chance.randrange(most)}"

    def _insert_some(self, table: Table) -> None:
        numbers = [next(self._top) for _ in range(self.chance.choice((1, 1, 2, 5, 40)))]
        self._insert(table, numbers)

    def _update(self, table: Table) -> None:
        if table.columns:
            name, type_ = self.chance.choice(table.columns)
            self._run(f"UPDATE {table.name} SET {name} = {literal(type_, self.chance)} WHERE {self._some(table)}")

    def _delete(self, table: Table) -> None:
        self._run(f"DELETE FROM {table.name} WHERE {self._some(table, 60)}")

    def _move_up(self, table: Table) -> None:
        """The chain id = id + 1: each key goes to a place that was another row's."""
        number, step = table.kind.number, self.chance.choice((1, 10))
        self._run(f"UPDATE {table.name} SET {number} = {number} + {step} ORDER BY {number} DESC")

    def _move_down(self, table: Table) -> None:
        number, step = table.kind.number, self.chance.choice((1, 10))
        self._run(
            f"UPDATE IGNORE {table.name} SET {number} = {number} - {step} WHERE {number} >= {step} ORDER BY {number}"
        )

    def _swap(self, table: Table) -> None:
        number, one = table.kind.number, self.chance.randrange(40) * 10
        for old, new in ((one, 999_999), (one + 10, one), (999_999, one + 10)):
            self._run(f"UPDATE {table.name} SET {number} = {new} WHERE {number} = {old}")

    def _come_again(self, table: Table) -> None:
        """Rows are deleted and come back under their keys."""
        one = self.chance.randrange(40) * 10
        self._run(f"DELETE FROM {table.name} WHERE {table.kind.number} BETWEEN {one} AND {one + 20}")
        self._insert(table, range(one, one + 30, 10), "INSERT IGNORE")

    def _come_and_go(self, table: Table) -> None:
        one = next(self._top)
        self._insert(table, [one])
        self._run(f"DELETE FROM {table.name} WHERE {table.kind.number} = {one}")

    def _undone(self, table: Table) -> None:
        self._run("SAVEPOINT s")
        self._update(table)
        self._delete(table)
        self._run("ROLLBACK TO SAVEPOINT s")

    # Tables change.

    def alter(self) -> None:
        """One change of the schema. Rows that a later shape could not tell must be read before it: `settle`."""
        chance = self.chance
        table = chance.choice(self.tables)
        changes: list[Callable[[Table], None]] = [self._add, self._truncate, self._create]
        changes += [self._drop_column, self._rename_column, self._modify, self._rename, self._drop, self._replace]
        chance.choice(changes)(table)

    def _altered(self, table: Table, columns: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> None:
        place = self.tables.index(table)
        self.tables[place] = replace(table, columns=tuple(columns))

    def _add(self, table: Table) -> None:
        column = f"c{next(self._names)}", self.chance.choice(TYPES)[0]
        where = self.chance.choice(("", "", f" AFTER {table.columns[0][0]}" if table.columns else " FIRST"))
        if where:
            self._settle()
        self._run(f"ALTER TABLE {table.name} ADD COLUMN {column[0]} {column[1]}{where}")
        self._altered(table, [*table.columns, column])

    def _drop_column(self, table: Table) -> None:
        if len(table.columns) > 1:
            gone = self.chance.choice(table.columns)
            self._settle()
            self._run(f"ALTER TABLE {table.name} DROP COLUMN {gone[0]}")
            self._altered(table, [column for column in table.columns if column != gone])

    def _rename_column(self, table: Table) -> None:
        if table.columns:
            old, type_ = self.chance.choice(table.columns)
            new = f"c{next(self._names)}"
            how = self.chance.choice((f"RENAME COLUMN {old} TO {new}", f"CHANGE {old} {new} {type_}"))
            self._settle()
            self._run(f"ALTER TABLE {table.name} {how}")
            self._altered(table, [(new, type_) if name == old else (name, t) for name, t in table.columns])

    def _modify(self, table: Table) -> None:
        wider = dict(TYPES)
        found = [(name, wider[type_]) for name, type_ in table.columns if type_ in wider]
        if found:
            name, type_ = self.chance.choice(found)
            self._settle()
            self._run(f"ALTER TABLE {table.name} MODIFY COLUMN {name} {type_}")
            self._altered(table, [(n, type_) if n == name else (n, t) for n, t in table.columns])

    def _truncate(self, table: Table) -> None:
        self._run(f"TRUNCATE TABLE {table.name}")

    def _rename(self, table: Table) -> None:
        new = f"t{next(self._names)}"
        how = self.chance.choice((f"RENAME TABLE {table.name} TO {new}", f"ALTER TABLE {table.name} RENAME TO {new}"))
        self._settle()
        self._run(how)
        self.tables[self.tables.index(table)] = replace(table, name=new)

    def _create(self, _: Table) -> None:
        self._insert(self._new_table(self.chance.choice(KINDS)), range(0, 200, 10))

    def _drop(self, table: Table) -> None:
        if len(self.tables) > 1:
            self._settle()
            self._run(f"DROP TABLE {table.name}")
            self.tables.remove(table)

    def _replace(self, table: Table) -> None:
        """A table goes, and another comes under its name."""
        self._settle()
        self._run(f"DROP TABLE {table.name}")
        self.tables.remove(table)
        self._settle()
        made = self._new_table(table.kind)
        self._run(f"RENAME TABLE {made.name} TO {table.name}")
        self.tables[-1] = replace(made, name=table.name)
