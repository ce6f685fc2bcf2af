"""Whether two databases hold the same: contents by a checksum that each server computes, and the tables' shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Run = Callable[[str], Sequence[tuple[Any, ...]]]
"""A statement's rows."""


class Difference(AssertionError):
    """The target is not what the source is, or a checkpoint says more than is true."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str


Tables = Mapping[str, Sequence[Column]]


def source_tables(run: Run, database: str) -> Tables:
    return _tables(
        run(
            "SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c "
            f"JOIN information_schema.tables t USING (table_schema, table_name) WHERE c.table_schema = '{database}' "
            "AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.column_name"
        )
    )


def target_tables(run: Run, schema: str) -> Tables:
    return _tables(
        run(
            "SELECT table_name::text, column_name::text, "
            "concat_ws(' ', data_type, character_maximum_length, numeric_precision, numeric_scale, datetime_precision) "
            f"FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name <> 'disync_checkpoint' "
            'ORDER BY table_name COLLATE "C", column_name COLLATE "C"'
        )
    )


def target_keys(run: Run, schema: str) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for table, column in run(
        "SELECT k.table_name::text, k.column_name::text FROM information_schema.key_column_usage k "
        "JOIN information_schema.table_constraints c USING (constraint_schema, constraint_name, table_name) "
        f"WHERE k.table_schema = '{schema}' AND c.constraint_type = 'PRIMARY KEY' ORDER BY 1, k.ordinal_position"
    ):
        found.setdefault(table, []).append(column)
    return {table: columns for table, columns in found.items() if table != "disync_checkpoint"}


def _tables(rows: Sequence[tuple[Any, ...]]) -> Tables:
    found: dict[str, list[Column]] = {}
    for table, column, kind in rows:
        found.setdefault(str(table), []).append(Column(str(column), str(kind)))
    return found


def source_lines(columns: Sequence[Column]) -> str:
    """An SQL expression: a row as one text, the same text as `target_lines` makes of it."""
    return f"CONCAT_WS('|', {', '.join(_source_text(c) for c in columns)})"


def target_lines(columns: Sequence[Column]) -> str:
    return f"concat_ws('|', {', '.join(_target_text(c) for c in columns)})"


def _source_text(column: Column) -> str:
    name = f"`{column.name}`"
    match column.type:
        case "datetime":
            text = f"DATE_FORMAT({name}, '%Y-%m-%d %H:%i:%s.%f')"
        case "varbinary":
            text = f"HEX({name})"
        case _:
            text = f"CAST({name} AS CHAR)"
    return f"COALESCE({text}, 'null')"


def _target_text(column: Column) -> str:
    name = f'"{column.name}"'
    match column.type.split()[0]:
        case "timestamp":
            text = f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"
        case "bytea":
            text = f"upper(encode({name}, 'hex'))"
        case _:
            text = f"{name}::text"
    return f"coalesce({text}, 'null')"


def source_sum(run: Run, database: str, table: str, columns: Sequence[Column]) -> tuple[int, int]:
    """(rows, sum of a hash of each)"""
    hashed = f"CAST(CONV(LEFT(SHA2({source_lines(columns)}, 256), 12), 16, 10) AS UNSIGNED)"
    ((rows, total),) = run(f"SELECT COUNT(*), COALESCE(SUM({hashed}), 0) FROM `{database}`.`{table}`")
    return int(rows), int(total)


def target_sum(run: Run, schema: str, table: str, columns: Sequence[Column]) -> tuple[int, int]:
    digits = f"encode(sha256(convert_to({target_lines(columns)}, 'UTF8')), 'hex')"
    hashed = f"('x' || left({digits}, 12))::bit(48)::bigint"
    ((rows, total),) = run(f'SELECT count(*), coalesce(sum({hashed}), 0) FROM "{schema}"."{table}"')
    return int(rows), int(total)


def differences(source: Run, target: Run, name: str) -> list[str]:
    """What of the database `name` and the schema `name` is not equal; nothing where all is."""
    here, there = source_tables(source, name), target_tables(target, name)
    found = [f"table {table} is only in the source" for table in here if table not in there]
    found += [f"table {table} is only in the target" for table in there if table not in here]
    for table in sorted(set(here) & set(there)):
        mine, its = ([column.name for column in side[table]] for side in (here, there))
        if sorted(mine) != sorted(its):
            found.append(f"{table} has the columns {sorted(mine)}, and {sorted(its)} in the target")
            continue
        kinds = {column.name: column for column in there[table]}
        columns = here[table], [kinds[column] for column in mine]
        if source_sum(source, name, table, columns[0]) != target_sum(target, name, table, columns[1]):
            rows = source(f"SELECT {source_lines(columns[0])} FROM `{name}`.`{table}`")
            others = target(f'SELECT {target_lines(columns[1])} FROM "{name}"."{table}"')
            found.append(_rows(table, mine, Counter(str(row[0]) for row in rows), Counter(str(r[0]) for r in others)))
    return found


def _rows(table: str, columns: Sequence[str], here: Counter[str], there: Counter[str]) -> str:
    """Each as often as it is there."""
    lost, extra = sorted((here - there).elements()), sorted((there - here).elements())
    return (
        f"{table} ({', '.join(columns)}) differs: {len(lost)} rows only in the source, such as {lost[:3]}; "
        f"{len(extra)} only in the target, such as {extra[:3]}"
    )
