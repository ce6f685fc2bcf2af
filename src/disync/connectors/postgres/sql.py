"""SQL as text. Every name passes through `quote`; values are bound, or are literals where SQL takes no parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from disync.model.errors import BadConfig

NAME_BYTES = 63
"""What PostgreSQL keeps of a name. MySQL's may have 64 characters, in up to 192 bytes."""


def fitted(name: str) -> str:
    """The name as the server keeps it: cut after 63 bytes, between characters, as the server itself would do."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError as error:
        raise BadConfig(f"The name {name!r} is not text that a database can hold.") from error
    return encoded[:NAME_BYTES].decode(errors="ignore")


def quote(name: str) -> str:
    """A name of a schema, table or column, for use in SQL. The only place where names become SQL."""
    if not name or "\0" in name:
        raise BadConfig(f"{name!r} cannot be a name in PostgreSQL.")
    return '"' + fitted(name).replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text where SQL takes no parameter (comments); sessions run with standard_conforming_strings."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def listed(names: Sequence[str], prefix: str = "") -> str:
    return ", ".join(prefix + quote(name) for name in names)


@dataclass(frozen=True, slots=True)
class Relation:
    """A table and the schema it is in; `schema` None: a temporary one."""

    schema: str | None
    name: str

    @property
    def place(self) -> tuple[str, str]:
        """(schema, name) as the server keeps them."""
        return fitted(self.schema or ""), fitted(self.name)

    def __str__(self) -> str:
        return f"{'pg_temp' if self.schema is None else quote(self.schema)}.{quote(self.name)}"


def create_table(relation: Relation, columns: Sequence[tuple[str, str, bool]], keys: Sequence[str]) -> str:
    """`columns`: name, type as SQL, and whether it must not be null."""
    lines = [f"{quote(name)} {kind}{' NOT NULL' if bound else ''}" for name, kind, bound in columns]
    if keys:
        lines.append(f"PRIMARY KEY ({listed(keys)})")
    inside = ",\n    ".join(lines)
    return f"CREATE TABLE {relation} (\n    {inside}\n)"


def comment_on(relation: Relation, column: str, text: str) -> str:
    return f"COMMENT ON COLUMN {relation}.{quote(column)} IS {literal(text)}"


def comment_on_table(relation: Relation, text: str | None) -> str:
    return f"COMMENT ON TABLE {relation} IS {'NULL' if text is None else literal(text)}"


def create_stage(stage: Relation, relation: Relation, columns: Sequence[str]) -> str:
    """A temporary table with the types of some columns of another, and none of its constraints."""
    select = f"SELECT {listed(columns)} FROM {relation}"
    return f"CREATE TEMPORARY TABLE {quote(stage.name)} ON COMMIT DELETE ROWS AS {select} WITH NO DATA"


def copy_in(relation: Relation, columns: Sequence[str]) -> str:
    return f"COPY {relation} ({listed(columns)}) FROM STDIN (FORMAT binary)"


def delete_staged(relation: Relation, stage: Relation, keys: Sequence[str]) -> str:
    same = " AND ".join(f"t.{quote(key)} = s.{quote(key)}" for key in keys)
    return f"DELETE FROM {relation} t USING {stage} s WHERE {same}"


def delete_bound(relation: Relation, keys: Sequence[str], number: int) -> str:
    """So many rows, each with a value bound for each of its keys."""
    if len(keys) == 1:
        values = ", ".join(f"${at}" for at in range(1, number + 1))
        return f"DELETE FROM {relation} WHERE {quote(keys[0])} IN ({values})"
    places = count(1)
    rows = (" AND ".join(f"{quote(key)} = ${next(places)}" for key in keys) for _ in range(number))
    return f"DELETE FROM {relation} WHERE {' OR '.join(f'({row})' for row in rows)}"


def insert_into(relation: Relation, columns: Sequence[str], identity: bool) -> str:
    """`identity`: the table numbers its rows itself, and the source's numbers are to be taken instead."""
    override = " OVERRIDING SYSTEM VALUE" if identity else ""
    return f"INSERT INTO {relation} ({listed(columns)}){override}"


def select_staged(stage: Relation, columns: Sequence[str]) -> str:
    return f" SELECT {listed(columns)} FROM {stage}"


def bound(width: int, number: int) -> str:
    """So many rows of so many values, each of which is bound."""
    places = count(1)
    rows = (", ".join(f"${next(places)}" for _ in range(width)) for _ in range(number))
    return f" VALUES {', '.join(f'({row})' for row in rows)}"


def replaces(keys: Sequence[str], columns: Sequence[str], ignore: bool) -> bool:
    """Whether `on_conflict` puts every row, in place of one that is there or beside them."""
    return not ignore and any(name not in keys for name in columns)


def on_conflict(keys: Sequence[str], columns: Sequence[str], ignore: bool) -> str:
    values = [f"{quote(name)} = EXCLUDED.{quote(name)}" for name in columns if name not in keys]
    action = f"DO UPDATE SET {', '.join(values)}" if replaces(keys, columns, ignore) else "DO NOTHING"
    return f" ON CONFLICT ({listed(keys)}) {action}"
