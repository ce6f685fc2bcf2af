"""Rows as checksums that another database can compute too: the forms of `model.compare` in PostgreSQL's SQL.

Nothing that PostgreSQL 11 does not know, which is what Hologres speaks.
"""

from __future__ import annotations

from collections.abc import Sequence

from disync.connectors.postgres.catalog import TargetColumn
from disync.connectors.postgres.sql import literal, quote
from disync.connectors.postgres.types import ColumnType
from disync.model.compare import HASH_DIGITS, NO_VALUE, Form, Hash, Method, Order, Trait
from disync.model.types import Kind

SHORTEST_FLOATS = 120000
"""The server's version from which a float is written with as few digits as tell it from its neighbours."""

ARGUMENTS = 90

_TEXTS = frozenset({"text", "varchar", "citext"})
_NUMBERS = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.DECIMAL, Kind.BOOLEAN})


def trait(kind: Kind, type_: ColumnType, version: int, utf8: bool) -> Trait:
    """`version`: the server's; `utf8`: whether its texts are kept as UTF-8."""
    if type_.name in _TEXTS:
        return _of_text(kind) if utf8 else Trait()
    match type_.name:
        case "int2" | "int4" | "int8":
            return Trait((Form.NUMBER,), Order.NUMBER)
        case "numeric":
            exact = (Form.decimal(type_.scale or 0),) if type_.precision is not None else ()
            return Trait((*exact, Form.NUMBER), Order.NUMBER)
        case "float4" | "float8":
            return Trait((Form.FLOAT,) if version >= SHORTEST_FLOATS else ())
        case "bpchar" | "json":
            return Trait((Form.PADDED,) if type_.name == "bpchar" else (Form.LONG,)) if utf8 else Trait()
        case _:
            return _RARER.get(type_.name, Trait())


def _of_text(kind: Kind) -> Trait:
    return Trait((Form.NUMBER,) if kind in _NUMBERS else (Form.LONG, Form.TEXT, Form.PADDED))


_RARER = {
    "bool": Trait((Form.NUMBER,)),
    "bytea": Trait((Form.BLOB, Form.HEX), Order.BYTES),
    "date": Trait((Form.DATE,), Order.MOMENT),
    "timestamp": Trait((Form.MOMENT,), Order.MOMENT),
    "timestamptz": Trait((Form.MOMENT,), Order.MOMENT),
    "time": Trait((Form.SPAN,)),
    "interval": Trait((Form.SPAN,)),
}


def hash_of(columns: Sequence[TargetColumn], method: Method) -> str:
    """The hash of a row's columns that have a form."""
    pairs = [(column, form) for column, form in zip(columns, method.forms, strict=True) if form]
    hashed = _row(pairs, method.hash)
    return f"('x' || left({hashed}, {HASH_DIGITS}))::bit({4 * HASH_DIGITS})::bigint"


def unless(added: Sequence[TargetColumn], method: Method) -> str:
    """What makes the hash of a row another one that has other texts in columns which were added."""
    pairs = zip(added, method.added, strict=True)
    conditions = " AND ".join(f"{quote(column.name)}::text = {literal(value)}" for column, (_, value) in pairs)
    return f" + CASE WHEN {conditions} THEN 0 ELSE 1 END" if conditions else ""


def part_of(columns: Sequence[TargetColumn], method: Method, digits: int) -> str:
    """The first digits of the hash of a row's key."""
    pairs = [(columns[place], method.forms[place]) for place in method.keys]
    return f"left({_row(pairs, method.hash)}, {digits})"


def within(part: str, prefixes: Sequence[str]) -> str:
    return f"{part} IN ({', '.join(literal(prefix) for prefix in prefixes)})"


def _hashed(text: str, hash_: Hash) -> str:
    """Hexadecimal digits; of a text in UTF-8, as which a database is kept whose texts are compared."""
    return f"md5({text})" if hash_ == Hash.MD5 else _of_bytes(f"convert_to({text}, 'UTF8')", hash_)


def _of_bytes(value: str, hash_: Hash) -> str:
    return f"md5({value})" if hash_ == Hash.MD5 else f"encode(sha256({value}), 'hex')"


def _row(pairs: Sequence[tuple[TargetColumn, str]], hash_: Hash) -> str:
    """The hash of a whole row."""
    return _hashed(_joined(pairs, hash_), hash_)


def _joined(pairs: Sequence[tuple[TargetColumn, str]], hash_: Hash) -> str:
    """No piece is null; how long the texts are stands behind them all. A function takes a hundred arguments at most."""
    pieces = [_piece(column, form, hash_) for column, form in pairs]
    texts = [f"{quote(column.name)}::text" for column, form in pairs if form == Form.TEXT]
    pieces += [f"coalesce(octet_length({text})::text, {NO_VALUE})" for text in texts]
    while len(pieces) > 1:
        some = [pieces[at : at + ARGUMENTS] for at in range(0, len(pieces), ARGUMENTS)]
        pieces = [f"concat_ws('|', {', '.join(few)})" for few in some]
    return pieces[0] if pieces else "''"


def _piece(column: TargetColumn, form: str, hash_: Hash) -> str:
    if form == Form.TEXT:
        return f"coalesce({quote(column.name)}::text, '')"
    return f"coalesce({_written(column, form, hash_)}, {NO_VALUE})"


def _written(column: TargetColumn, form: str, hash_: Hash) -> str:
    """What a form makes of a column; null for a null."""
    name, type_ = quote(column.name), column.type
    match form:
        case Form.LONG:
            return _hashed(f"{name}::text", hash_)
        case Form.PADDED:
            return _hashed(f"rtrim({name}::text, ' ')", hash_)
        case Form.BLOB:
            return _of_bytes(name, hash_)
        case Form.HEX:
            return f"encode({name}, 'hex')"
        case Form.FLOAT:
            # 0 is added for a zero's sign. An exponent is written without a plus and without zeros before it.
            return f"replace(replace(({name}::float8 + 0)::text, 'e+', 'e'), 'e-0', 'e-')"
        case Form.SPAN:
            return f"round((extract(epoch FROM {name}) * 1000000)::numeric)::text"
        case Form.MOMENT if type_.name == "timestamptz":
            return f"({name} AT TIME ZONE 'UTC')::text"
        case Form.NUMBER:
            return _digits(name, type_)
        case _:
            return f"{name}::text"


def _digits(name: str, type_: ColumnType) -> str:
    """Without zeros at the end of a fraction."""
    text = f"{name}::int::text" if type_.name == "bool" else f"{name}::text"
    whole = type_.name in ("int2", "int4", "int8", "bool") or (type_.precision is not None and not type_.scale)
    if whole:
        return text
    return f"CASE WHEN strpos({text}, '.') > 0 THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
