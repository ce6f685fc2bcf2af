"""Every statement that is sent to a server, one function each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from disync.connectors.mysql.types import FLOATS, INTEGERS, MOMENTS, TEXTS, Native


def name(identifier: str) -> str:
    return "`" + identifier.replace("`", "``") + "`"


def text(value: str) -> str:
    """A literal that does not depend on the session's sql_mode or on any character's meaning."""
    return f"_utf8mb4 0x{value.encode().hex()}" if value else "''"


def table(database: str, table_: str) -> str:
    return f"{name(database)}.{name(table_)}"


def expression(native: Native) -> str:
    """A column in a select list. A FLOAT is written with six digits, an expression with all of them."""
    return f"{name(native.name)} + 0e0" if native.type in FLOATS else name(native.name)


def packed(native: Native) -> str:
    """A column in the select list of a prepared statement, whose values come as they lie: but for those that are to
    become text."""
    if native.type == "time" or (native.type in MOMENTS and native.zero == "text"):
        return f"CAST({name(native.name)} AS CHAR)"
    return name(native.name)


def order(native: Native) -> str:
    """What a key column is compared and ordered by: an ENUM or SET is ordered by its number, but compared as text."""
    return f"({name(native.name)} + 0)" if native.type in ("enum", "set") else name(native.name)


def packed_key(native: Native) -> str:
    """As key_expression, in the select list of a prepared statement."""
    return f"CAST({order(native)} AS UNSIGNED)" if native.type in ("enum", "set") else packed(native)


def key_expression(native: Native) -> str:
    return order(native) if native.type in ("enum", "set", "bit") else expression(native)


def literal(native: Native, value: bytes) -> str:
    """A key's value, as `key_expression` gave it, that compares with the column in the column's own order."""
    if native.type in INTEGERS or native.type in ("decimal", "year", "enum", "set"):
        return value.decode("ascii")
    if native.type == "bit":
        return str(int.from_bytes(value, "big"))
    if native.type in FLOATS:
        return f"{value.decode('ascii')}e0" if b"e" not in value else value.decode("ascii")
    if native.type in TEXTS:
        return f"_{native.charset} 0x{value.hex()}" if value else f"_{native.charset} ''"
    if native.type in ("date", "datetime", "timestamp", "time"):
        return f"'{value.decode('ascii')}'"
    return f"_binary 0x{value.hex()}" if value else "_binary ''"


def beyond(natives: Sequence[Native], values: Sequence[bytes], inclusive: bool = False) -> str:
    """The condition that a key comes after `values`, compared column by column.

    A row comparison would say the same, but servers do not use an index for it.
    """
    return compared(*_sides(natives, values), ">", inclusive)


def before(natives: Sequence[Native], values: Sequence[bytes], inclusive: bool = False) -> str:
    return compared(*_sides(natives, values), "<", inclusive)


def _sides(natives: Sequence[Native], values: Sequence[bytes]) -> tuple[list[str], list[str]]:
    return [order(native) for native in natives], [literal(*pair) for pair in zip(natives, values, strict=False)]


def compared(columns: Sequence[str], values: Sequence[str], sign: str, inclusive: bool) -> str:
    """The condition that a key lies before or after a place, whose `values` are literals."""
    column, value = columns[0], values[0]
    if len(values) == 1:
        return f"{column} {sign}{'=' if inclusive else ''} {value}"
    rest = compared(columns[1:], values[1:], sign, inclusive)
    return f"({column} {sign}= {value} AND ({column} {sign} {value} OR {rest}))"


def page(
    source: str, columns: Iterable[str], hint: str, keys: Sequence[Native], conditions: Sequence[str], limit: int
) -> str:
    """The next `limit` rows of a key range, in the key's order; `hint` names an index to be read along, if need be."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    ordered = ", ".join(order(native) for native in keys)
    sorted_ = any(native.type in ("enum", "set") for native in keys)
    force = f" FORCE INDEX ({name(hint)})" if hint and not sorted_ else ""
    return f"SELECT {', '.join(columns)} FROM {source}{force}{where} ORDER BY {ordered} LIMIT {limit}"


def whole(source: str, columns: Iterable[str]) -> str:
    return f"SELECT {', '.join(columns)} FROM {source}"


def edge(source: str, index: str, keys: Sequence[Native], condition: str | None, offset: int) -> str:
    """The key that lies `offset` rows after the condition begins to hold, along an index ("": the server chooses)."""
    where = f" WHERE {condition}" if condition else ""
    columns = ", ".join(key_expression(native) for native in keys)
    ordered = ", ".join(order(native) for native in keys)
    force = f" FORCE INDEX ({name(index)})" if index else ""
    return f"SELECT {columns} FROM {source}{force}{where} ORDER BY {ordered} LIMIT 1 OFFSET {offset}"


def last(source: str, index: str, keys: Sequence[Native]) -> str:
    """The greatest key."""
    columns = ", ".join(key_expression(native) for native in keys)
    ordered = ", ".join(f"{order(native)} DESC" for native in keys)
    return f"SELECT {columns} FROM {source} FORCE INDEX ({name(index)}) ORDER BY {ordered} LIMIT 1"


def extremes(source: str, column: Native) -> str:
    return f"SELECT MIN({name(column.name)}), MAX({name(column.name)}) FROM {source}"


_KEYS = (
    "SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM "
    "information_schema.STATISTICS WHERE "
)
_KEY_ORDER = "ORDER BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX"


def columns_of(databases: Iterable[str], table_: str | None = None) -> str:
    return (
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.CHARACTER_SET_NAME, "
        "c.COLLATION_NAME, c.CHARACTER_MAXIMUM_LENGTH, c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.DATETIME_PRECISION, "
        "c.IS_NULLABLE, c.EXTRA, c.COLUMN_COMMENT, c.COLUMN_DEFAULT FROM information_schema.COLUMNS c "
        f"WHERE c.TABLE_SCHEMA IN ({_list(databases)}){_named('c.TABLE_NAME', table_)} "
        "ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION"
    )


def keys_of(databases: Iterable[str], table_: str | None = None) -> str:
    """Unique indexes; the primary key first, then by name."""
    return f"{_KEYS}TABLE_SCHEMA IN ({_list(databases)}) AND NON_UNIQUE = 0{_named('TABLE_NAME', table_)} {_KEY_ORDER}"


def tables_of(databases: Iterable[str], table_: str | None = None) -> str:
    return (
        "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS FROM information_schema.TABLES WHERE "
        f"TABLE_SCHEMA IN ({_list(databases)}) AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
        f"{_named('TABLE_NAME', table_)} ORDER BY TABLE_SCHEMA, TABLE_NAME"
    )


def names_of(databases: Iterable[str]) -> str:
    """As tables_of, without a look into any table."""
    return (
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE "
        f"TABLE_SCHEMA IN ({_list(databases)}) AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME"
    )


def measures_of(places: Sequence[tuple[str, str]]) -> str:
    """(database, table, rows, bytes with indexes) of some tables, as the server estimates them."""
    return (
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH FROM information_schema.TABLES "
        f"WHERE {_among(places)}"
    )


def keys_among(places: Sequence[tuple[str, str]]) -> str:
    """As keys_of, of some tables."""
    return f"{_KEYS}{_among(places)} AND NON_UNIQUE = 0 {_KEY_ORDER}"


def versioned_of(databases: Iterable[str]) -> str:
    """(database, table) of those that keep their rows' history."""
    return (
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM VERSIONED' "
        f"AND TABLE_SCHEMA IN ({_list(databases)}) ORDER BY 1, 2"
    )


def declaration(database: str, table_: str) -> str:
    """Whoever may read a table is told of its foreign keys by this alone: information_schema asks for more rights."""
    return f"SHOW CREATE TABLE {table(database, table_)}"


def sizes_of(databases: Iterable[str]) -> str:
    """(database, table, rows, bytes) of every table, as the server estimates them."""
    return (
        "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA IN ({_list(databases)})"
    )


def variables(names: Iterable[str]) -> str:
    return f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_list(names)})"


FOLDED = "SELECT @@global.lower_case_table_names"

CATALOG = (
    "SELECT s.SCHEMA_NAME, t.TABLE_NAME FROM information_schema.SCHEMATA s LEFT JOIN information_schema.TABLES t "
    "ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') WHERE s.SCHEMA_NAME "
    "NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1, 2"
)


def collations(view: str) -> str:
    """(number, character set, bytes of its widest character)"""
    return (
        f"SELECT c.ID, c.CHARACTER_SET_NAME, s.MAXLEN FROM information_schema.{view} c "
        "JOIN information_schema.CHARACTER_SETS s ON s.CHARACTER_SET_NAME = c.CHARACTER_SET_NAME WHERE c.ID IS NOT NULL"
    )


def _named(column: str, table_: str | None) -> str:
    return f" AND {column} = {text(table_)}" if table_ else ""


def _among(places: Sequence[tuple[str, str]]) -> str:
    """By their names alone, so that a server opens no other table for it."""
    databases, names = ({place[part] for place in places} for part in (0, 1))
    pairs = ", ".join(f"({text(database)}, {text(name_)})" for database, name_ in places)
    return (
        f"TABLE_SCHEMA IN ({_list(sorted(databases))}) AND TABLE_NAME IN ({_list(sorted(names))}) "
        f"AND (TABLE_SCHEMA, TABLE_NAME) IN ({pairs})"
    )


def _list(values: Iterable[str]) -> str:
    return ", ".join(text(value) for value in values)


def kind_of(database: str, table_: str) -> str:
    """A row where there is something of this name that is no table."""
    return (
        "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_TYPE NOT IN ('BASE TABLE', 'SYSTEM VERSIONED') "
        f"AND TABLE_SCHEMA = {text(database)} AND TABLE_NAME = {text(table_)}"
    )
