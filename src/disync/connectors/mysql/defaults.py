"""What a column gives to the rows that are there when it comes."""

from __future__ import annotations

import re
from typing import Any

from disync.connectors.mysql.types import BINARIES, FLOATS, INTEGERS, MOMENTS, TEXTS, Native, unescaped
from disync.connectors.mysql.values import Unreadable, bits, from_text

_QUOTED = re.compile(r"'(.*)'", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?", re.IGNORECASE)
_BITS = re.compile(r"b'([01]+)'")
_LITERAL = re.compile(r"_utf8mb[34]\\'([^'\\]*)\\'")
"""The plain text in the brackets of `DEFAULT ('text')`, which is how MySQL has a TEXT's default, as it writes it."""
_COMPUTED = re.compile(r"GENERATED|AUTO_INCREMENT")

_ZEROS = {
    "date": "0000-00-00",
    "datetime": "0000-00-00 00:00:00",
    "timestamp": "0000-00-00 00:00:00",
    "time": "00:00:00",
    "bit": "b'0'",
    **dict.fromkeys((*INTEGERS, *FLOATS, "decimal", "year"), "0"),
    **dict.fromkeys((*TEXTS, *BINARIES - {"vector"}, "set"), ""),
}
"""What a column without a default holds that must not be null."""


class Unfilled(ValueError):
    """The rows that were there have a value that cannot be told."""


def read(written: str | None, kind: str, extra: str, maria: bool) -> tuple[str | None, bool]:
    """(default, computed) of a Native, by what information_schema says: MariaDB writes an expression, MySQL a value,
    and of an expression that it is one."""
    literal = _LITERAL.fullmatch(written or "") if kind in TEXTS and not maria else None
    if literal and extra.upper() == "DEFAULT_GENERATED":
        return literal[1], False
    if _COMPUTED.search(extra.upper()):
        return None, True
    if written is None or (maria and written.upper() == "NULL"):
        return None, False
    if not maria:
        moment = kind in ("datetime", "timestamp") and written.upper().startswith(("CURRENT_TIMESTAMP", "NOW("))
        return (None, True) if moment else (written, False)
    if quoted := _QUOTED.fullmatch(written):
        return unescaped(quoted[1]), False
    plain = _NUMBER.fullmatch(written) or _BITS.fullmatch(written)
    return (written, False) if plain else (None, True)


def given(native: Native) -> Any:
    """The value, in the storage of its kind."""
    if native.computed:
        raise Unfilled(f"column {native.name} is computed")
    text = native.default
    if text is None:
        if native.nullable:
            return None
        text = native.labels[0] if native.type == "enum" and native.labels else _ZEROS.get(native.type)
    if text is None:
        raise Unfilled(f"nobody knows what a {native.type} is where nothing is said")
    try:
        return _value(native, text)
    except (Unreadable, ValueError) as error:
        raise Unfilled(str(error)) from error


def _value(native: Native, text: str) -> Any:
    if native.type in TEXTS or native.type in ("enum", "set"):
        return text
    if native.type in BINARIES:
        if text:
            raise Unfilled(f"column {native.name} has a default of bytes")
        return bytes(native.length or 0) if native.type == "binary" else b""
    if native.type == "bit":
        written = _BITS.fullmatch(text)
        number = int(written[1], 2) if written else int(text)
        return bits(native)(number.to_bytes(((native.precision or 1) + 7) // 8, "big"))
    if (
        native.type in MOMENTS
        and native.zero == "null"
        and text.startswith("0000-")
        and not text.startswith("0000-00-00")
    ):
        raise Unfilled("a day of the year 0")
    if native.type in ("time", "datetime", "timestamp") and native.fraction and "." not in text:
        text = f"{text}.{'0' * native.fraction}"
    return from_text(native)(text.encode())
