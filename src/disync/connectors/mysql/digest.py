"""Rows as checksums that another database can compute too: the forms of `model.compare` in MySQL's SQL.

Texts of different character sets or collations are put together as bytes, so that they do not mix.
"""

from __future__ import annotations

from collections.abc import Sequence

from disync.connectors.mysql import sql
from disync.connectors.mysql.types import BINARIES, FLOATS, INTEGERS, MOMENTS, TEXTS, Native
from disync.model.compare import HASH_DIGITS, NO_VALUE, Form, Hash, Method, Order, Trait

SHORT_CHARACTERS = 65_535
"""A longer text is hashed by itself: beyond max_allowed_packet a server's functions give null."""

_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})


def trait(native: Native) -> Trait:
    if native.type in INTEGERS or native.type in ("year", "bit"):
        return Trait((Form.NUMBER,), Order.NUMBER)
    if native.type == "decimal":
        return Trait((Form.decimal(native.scale or 0), Form.NUMBER), Order.NUMBER)
    if native.type in FLOATS:
        return Trait((Form.FLOAT,))
    if native.type in TEXTS or native.type in ("enum", "set"):
        short = (native.length or SHORT_CHARACTERS + 1) <= SHORT_CHARACTERS
        return Trait((Form.TEXT, Form.PADDED) if short else (Form.LONG, Form.TEXT, Form.PADDED))
    if native.type in MOMENTS:
        return _of_moment(native)
    return _RARER.get(native.type, Trait((Form.BLOB, Form.HEX), Order.BYTES) if _is_binary(native) else Trait())


def _of_moment(native: Native) -> Trait:
    if native.zero == "text":
        return Trait((Form.TEXT, Form.PADDED))
    return Trait((Form.DATE if native.type == "date" else Form.MOMENT,), Order.MOMENT)


def _is_binary(native: Native) -> bool:
    return native.type in BINARIES and native.type != "vector"


_RARER = {"time": Trait((Form.TEXT, Form.SPAN)), "json": Trait((Form.LONG,))}


def hash_of(natives: Sequence[Native], method: Method) -> str:
    """The hash of a row's columns that have a form; null, and never right, where a row is too large for the server."""
    pairs = [(native, form) for native, form in zip(natives, method.forms, strict=True) if form]
    return f"CAST(CONV(LEFT({_row(pairs, method.hash)}, {HASH_DIGITS}), 16, 10) AS UNSIGNED)"


def part_of(natives: Sequence[Native], method: Method, digits: int) -> str:
    """The first digits of the hash of a row's key."""
    pairs = [(natives[place], method.forms[place]) for place in method.keys]
    return f"LEFT({_row(pairs, method.hash)}, {digits})"


def within(part: str, prefixes: Sequence[str]) -> str:
    return f"{part} IN ({', '.join(sql.text(prefix) for prefix in prefixes)})"


def groups(source: str, hash_: str, part: str | None, conditions: Sequence[str]) -> str:
    """(part, rows, sum of their hashes); without a `part` one row."""
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    grouped = " GROUP BY 1" if part else ""
    return f"SELECT {part or sql.text('')}, COUNT(*), COALESCE(SUM({hash_}), 0) FROM {source}{where}{grouped}"


def _hashed(text: str, hash_: Hash) -> str:
    """Hexadecimal digits."""
    return f"MD5({text})" if hash_ == Hash.MD5 else f"SHA2({text}, 256)"


def _row(pairs: Sequence[tuple[Native, str]], hash_: Hash) -> str:
    """The hash of a whole row."""
    return _hashed(_joined(pairs, hash_), hash_)


def _joined(pairs: Sequence[tuple[Native, str]], hash_: Hash) -> str:
    """No piece is null. What is not a text holds no bar, and how long the texts are stands behind them all: no two rows
    come to one text."""
    texts = [native for native, form in pairs if form == Form.TEXT]
    mixed = len({(native.charset in _UTF8, native.collation) for native in texts}) > 1
    pieces = [f"COALESCE({_text(n, mixed)}, '')" if f == Form.TEXT else _piece(n, f, hash_) for n, f in pairs]
    lengths = [f"COALESCE(LENGTH({_text(native, mixed)}), {NO_VALUE})" for native in texts]
    return f"CONCAT_WS('|', {', '.join([*pieces, *lengths])})" if pieces else "''"


def _piece(native: Native, form: str, hash_: Hash) -> str:
    return f"COALESCE({_written(native, form, hash_)}, {NO_VALUE})"


def _written(native: Native, form: str, hash_: Hash) -> str:
    """What a form makes of a column; null for a null."""
    column = sql.name(native.name)
    match form:
        case Form.LONG:
            return _hashed(_bytes(native), hash_)
        case Form.PADDED:
            return _hashed(f"TRIM(TRAILING ' ' FROM {_bytes(native)})", hash_)
        case Form.BLOB:
            return _hashed(column, hash_)
        case Form.HEX:
            return f"LOWER(HEX({column}))"
        case Form.NUMBER:
            return _digits(native, column)
        case Form.FLOAT:
            return sql.expression(native)
        case Form.SPAN:
            seconds = f"((HOUR({column}) * 60 + MINUTE({column})) * 60 + SECOND({column}))"
            return f"IF({column} < 0, -1, 1) * ({seconds} * 1000000 + MICROSECOND({column}))"
        case Form.DATE | Form.MOMENT:
            text = _trimmed(f"CAST({column} AS CHAR)") if native.fraction else f"CAST({column} AS CHAR)"
            # A day that no calendar has is read as null.
            return f"CASE WHEN DAY({column}) BETWEEN 1 AND DAY(LAST_DAY({column})) THEN {text} END"
        case _:
            return _number(native, column)  # all digits of a decimal


def _digits(native: Native, column: str) -> str:
    number = _number(native, column)
    return _trimmed(number) if native.type == "decimal" and native.scale else number


def _number(native: Native, column: str) -> str:
    """Without the zeros that ZEROFILL puts before it; a BIT as a number."""
    return f"({column} + 0)" if native.type in ("year", "bit") or "zerofill" in native.full else column


def _trimmed(text: str) -> str:
    """Without zeros at the end of a fraction, which is there."""
    return f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {text}))"


def _bytes(native: Native) -> str:
    return f"CAST({_text(native, False)} AS BINARY)"


def _text(native: Native, mixed: bool) -> str:
    """A text in UTF-8; as bytes where it is `mixed` with others."""
    column = sql.name(native.name)
    if native.type in ("json", "time") or native.type in MOMENTS:
        column = f"CAST({column} AS CHAR)"
    elif native.charset not in _UTF8:
        column = f"CONVERT({column} USING utf8mb4)"
    return f"CAST({column} AS BINARY)" if mixed else column
