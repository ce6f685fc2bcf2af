"""Values as MySQL writes them → values in the storage of their kind.

The full load reads text, the log holds packed fields; both end in the functions of this file, so that a value is the
same bytes whichever way it came. What becomes of a zero or impossible date (`0000-00-00`, `2024-00-10`) the step's
`zeroDate` says: it is null, or dates are texts as MySQL writes them, or its row is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from disync.connectors.mysql import charsets
from disync.connectors.mysql.types import BINARIES, FLOATS, INTEGERS, MOMENTS, SPATIALS, TEXTS, Native
from disync.model.errors import BadConfig

FromText = Callable[[bytes], Any]


class Unreadable(ValueError):
    """A value that cannot be had; `shown` is what is there, for people."""

    def __init__(self, reason: str, shown: str) -> None:
        super().__init__(reason)
        self.shown = shown


_EPOCH = date(1970, 1, 1).toordinal()
_DAYS_400_YEARS = 146_097
SECOND = 1_000_000
DAY = 86_400 * SECOND


def day(native: Native, year: int, month: int, day_: int) -> Any:
    """A date as the column's rule has it."""
    text = f"{year:04d}-{month:02d}-{day_:02d}"
    if native.zero == "text":
        return text
    return _found(native, days(year, month, day_), text)


def moment(native: Native, date_: tuple[int, int, int], clock: tuple[int, int, int], fraction: int) -> Any:
    """A date and a time of day as the column's rule has them; `fraction` in microseconds."""
    seconds = (clock[0] * 60 + clock[1]) * 60 + clock[2]
    text = f"{date_[0]:04d}-{date_[1]:02d}-{date_[2]:02d} {time_text(False, seconds, fraction, native.fraction)}"
    if native.zero == "text":
        return text
    return _found(native, micros(days(*date_), *clock, fraction), text)


def _found(native: Native, value: int | None, text: str) -> int | None:
    if value is None and native.zero == "dirty":
        raise Unreadable("no calendar has this day", text)
    return value


def days(year: int, month: int, day: int) -> int | None:
    """Days since 1970-01-01, backwards too; None for a day that no calendar has."""
    try:
        if year == 0:
            # Python's calendar begins with the year 1; 400 years later every day has the same name.
            return date(400, month, day).toordinal() - _DAYS_400_YEARS - _EPOCH
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def micros(day: int | None, hour: int, minute: int, second: int, fraction: int) -> int | None:
    """Microseconds since the beginning of 1970; `fraction` in microseconds."""
    if day is None:
        return None
    return day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction


def time_text(negative: bool, seconds: int, fraction: int, digits: int) -> str:
    """A span of time as MySQL writes it, with `digits` of its `fraction` (in microseconds)."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    text = f"{'-' if negative else ''}{hour:02d}:{minute:02d}:{second:02d}"
    return f"{text}.{fraction:06d}"[: len(text) + 1 + digits] if digits else text


def decimal_text(text: str) -> str:
    """A decimal's digits without the zeros that ZEROFILL puts before it, and without the sign of a zero."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    if digits[:1] == "0":
        digits = digits.lstrip("0")
        digits = digits if digits and digits[0] != "." else "0" + digits
    elif digits[:1] == ".":
        digits = "0" + digits
    return digits if sign and not digits.strip("0.") else sign + digits


def strings(native: Native) -> Callable[[bytes], str]:
    """The decoder of a column's text; what is not valid in its character set is Unreadable."""
    decode = charsets.decoder(native.charset)
    if decode is None:
        raise BadConfig(f"Column {native.name} has the character set {native.charset}, which cannot be read exactly.")

    def read(data: bytes) -> str:
        try:
            return decode(data)
        except UnicodeDecodeError as error:
            raise Unreadable(f"it is no text in its character set: {error}", data.hex(" ")) from error

    return read


def bits(native: Native) -> Callable[[bytes], bool | int | str]:
    """A BIT's bytes: a boolean, a number, or the text of a number too large for int64."""
    if native.precision == 1:
        return lambda data: data != b"\0"
    if native.precision == 64:
        return lambda data: str(int.from_bytes(data, "big"))
    return lambda data: int.from_bytes(data, "big")


def integers(native: Native) -> Callable[[int], int | str] | None:
    """What is done to an integer after it was read; None: nothing."""
    return str if native.type == "bigint" and native.unsigned else None


def from_text(native: Native) -> FromText:
    """The function that reads a column's values in a result set."""
    if native.type in INTEGERS or native.type == "year":
        after = integers(native)
        return int if after is None else lambda data: after(int(data))
    if native.type in FLOATS:
        return float
    if native.type in TEXTS or native.type in ("enum", "set"):
        return strings(native)
    if native.type in BINARIES | SPATIALS:
        return bytes
    if native.type in MOMENTS:
        return _moments(native)
    return _MORE[native.type] if native.type in _MORE else bits(native)


def _moments(native: Native) -> FromText:
    def date_of(data: bytes) -> tuple[int, int, int]:
        year, month, day_ = data[:10].split(b"-")
        return int(year), int(month), int(day_)

    def read(data: bytes) -> Any:
        if native.type == "date":
            return day(native, *date_of(data))
        fraction = int(data[20:].ljust(6, b"0")) if len(data) > 19 else 0
        return moment(native, date_of(data), (int(data[11:13]), int(data[14:16]), int(data[17:19])), fraction)

    return read


_MORE: dict[str, FromText] = {
    "time": bytes.decode,
    "decimal": lambda data: decimal_text(data.decode("ascii")),
    "json": bytes.decode,
}
