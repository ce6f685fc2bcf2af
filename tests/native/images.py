"""Columns of every type, and random values for them: as a row image of the log has them, and as a text result has."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from disync.connectors.mysql.binlog import decimal, tablemap
from disync.connectors.mysql.binlog.tablemap import Stored
from disync.connectors.mysql.types import INTEGERS, Native

Make = Callable[[Random], bytes]


@dataclass(frozen=True, slots=True)
class Lying:
    """A column as it lies. `image` makes the bytes of a value in the log, `cell` those in a result (None: in none)."""

    native: Native
    stored: Stored
    image: Make
    cell: Make | None = None


def _integer(type_: str, unsigned: bool) -> Lying:
    size = INTEGERS[type_][0]
    codes = {"tinyint": 1, "smallint": 2, "mediumint": 9, "int": 3, "bigint": 8}

    def number(random: Random) -> int:
        bits = random.randrange(8 * size + 1)
        value = random.getrandbits(bits) if bits else 0
        return value if unsigned else max(-(1 << 8 * size - 1), value - (1 << 8 * size - 1))

    full = f"{type_}{' unsigned' if unsigned else ''}"
    return Lying(
        Native("c", type_, full),
        Stored(codes[type_]),
        lambda random: number(random).to_bytes(size, "little", signed=not unsigned),
        lambda random: b"%d" % number(random),
    )


def _float(type_: str, form: str, code: int) -> Lying:
    def number(random: Random) -> float:
        while True:
            (value,) = struct.unpack(form, random.randbytes(struct.calcsize(form)))
            if math.isfinite(value):
                return float(value)

    return Lying(
        Native("c", type_, type_),
        Stored(code, struct.calcsize(form)),
        lambda random: struct.pack(form, random.choice([0.0, -0.0, 1.5, number(random)])),
        lambda random: repr(random.choice([0.0, -0.0, 1.5, number(random)])).encode(),
    )


def _digits(random: Random, count: int) -> str:
    return "".join(random.choice("0000123456789") for _ in range(count))


def packed_decimal(whole: str, part: str, negative: bool) -> bytes:
    """Groups of nine digits in four bytes, the first bit turned over, and all of them where it is negative."""
    head = len(whole) % 9
    groups = [whole[:head], *(whole[at : at + 9] for at in range(head, len(whole), 9))]
    groups += [part[at : at + 9] for at in range(0, len(part), 9)]
    data = bytearray(b"".join(int(g).to_bytes(decimal.size(len(g), 0), "big") for g in groups if g))
    data[0] ^= 0x80
    return bytes(byte ^ 0xFF for byte in data) if negative else bytes(data)


def _decimal(precision: int, scale: int) -> Lying:
    def image(random: Random) -> bytes:
        return packed_decimal(_digits(random, precision - scale), _digits(random, scale), random.random() < 0.5)

    def cell(random: Random) -> bytes:
        whole = _digits(random, precision - scale).lstrip("0") or "0"
        sign = random.choice(["", "-"])
        return f"{sign}{whole}{'.' + _digits(random, scale) if scale else ''}".encode()

    native = Native("c", "decimal", f"decimal({precision},{scale})", precision=precision, scale=scale)
    return Lying(native, Stored(tablemap.NEWDECIMAL, precision, scale), image, cell)


def _bit(width: int) -> Lying:
    def image(random: Random) -> bytes:
        return random.getrandbits(width).to_bytes((width + 7) // 8, "big")

    native = Native("c", "bit", f"bit({width})", precision=width)
    return Lying(native, Stored(tablemap.BIT, width % 8, width // 8), image, image)


def _day(random: Random) -> tuple[int, int, int]:
    """Also days that no calendar has, as servers keep them."""
    if random.random() < 0.1:
        return 0, 0, 0
    return random.choice([0, 1, 99, 1582, 1970, 2000, 2024, 2100, 9999]), random.randrange(13), random.randrange(32)


def _clock(random: Random) -> tuple[int, int, int]:
    return random.randrange(24), random.randrange(60), random.randrange(60)


_UNITS = (1_000_000, 10_000, 10_000, 100, 100, 1, 1)


def _micros(random: Random, digits: int) -> int:
    """A fraction of a second that has no more than these digits."""
    return random.randrange(10**digits) * 10 ** (6 - digits)


def _fraction(micros: int, digits: int) -> bytes:
    return (micros // _UNITS[digits]).to_bytes((digits + 1) // 2, "big")


def _moment_cell(digits: int, clock: bool = True) -> Make:
    def cell(random: Random) -> bytes:
        date = "{:04d}-{:02d}-{:02d}".format(*_day(random))
        if not clock:
            return date.encode()
        time = "{:02d}:{:02d}:{:02d}".format(*_clock(random))
        part = f".{_micros(random, digits):06d}"[: digits + 1] if digits else ""
        return f"{date} {time}{part}".encode()

    return cell


def _date(code: int, zero: str) -> Lying:
    def image(random: Random) -> bytes:
        year, month, day = _day(random)
        return (year << 9 | month << 5 | day).to_bytes(3, "little")

    return Lying(Native("c", "date", "date", zero=zero), Stored(code), image, _moment_cell(0, clock=False))


def _datetime(digits: int, zero: str) -> Lying:
    def image(random: Random) -> bytes:
        (year, month, day), (hour, minute, second) = _day(random), _clock(random)
        packed = (year * 13 + month) << 22 | day << 17 | hour << 12 | minute << 6 | second
        return (packed + 0x8000000000).to_bytes(5, "big") + _fraction(_micros(random, digits), digits)

    native = Native("c", "datetime", f"datetime({digits})", fraction=digits, zero=zero)
    return Lying(native, Stored(tablemap.DATETIME2, digits), image, _moment_cell(digits))


def _seconds(random: Random) -> int:
    return random.choice([0, 1, 951_782_399, 951_782_400, (1 << 31) - 1, (1 << 32) - 1, random.getrandbits(32)])


def _timestamp(digits: int, zero: str) -> Lying:
    def image(random: Random) -> bytes:
        return _seconds(random).to_bytes(4, "big") + _fraction(_micros(random, digits), digits)

    native = Native("c", "timestamp", f"timestamp({digits})", fraction=digits, zero=zero)
    return Lying(native, Stored(tablemap.TIMESTAMP2, digits), image, _moment_cell(digits))


def _time(digits: int) -> Lying:
    size = (digits + 1) // 2

    def span(random: Random) -> tuple[int, tuple[int, int, int], int]:
        return random.choice([1, -1]), (random.randrange(839), *_clock(random)[1:]), _micros(random, digits)

    def image(random: Random) -> bytes:
        sign, (hour, minute, second), micros = span(random)
        clock = hour << 12 | minute << 6 | second
        packed = sign * (clock << 8 * size | int.from_bytes(_fraction(micros, digits), "big"))
        return (packed + (0x800000 << 8 * size)).to_bytes(3 + size, "big")

    def cell(random: Random) -> bytes:
        sign, clock, micros = span(random)
        part = f".{micros:06d}"[: digits + 1] if digits else ""
        return ("-" * (sign < 0) + "{:02d}:{:02d}:{:02d}".format(*clock) + part).encode()

    native = Native("c", "time", f"time({digits})", fraction=digits)
    return Lying(native, Stored(tablemap.TIME2, digits), image, cell)


def _old(type_: str, code: int, zero: str, image: Make) -> Lying:
    return Lying(Native("c", type_, type_, zero=zero), Stored(code), image)


def _old_datetime(random: Random) -> bytes:
    (year, month, day), (hour, minute, second) = _day(random), _clock(random)
    date, clock = (year * 100 + month) * 100 + day, (hour * 100 + minute) * 100 + second
    return (date * 1_000_000 + clock).to_bytes(8, "little")


def _old_time(random: Random) -> bytes:
    _, minute, second = _clock(random)
    packed = random.randrange(839) * 10000 + minute * 100 + second
    return (packed * random.choice([1, -1])).to_bytes(3, "little", signed=True)


_ALPHABETS = {
    "utf8mb4": ("utf-8", "ab'\\\t\n 0é中文😀"),
    "latin1": ("cp1252", "abéü€\n"),
    "gbk": ("gbk", "ab中文字"),
    "gb18030": ("gb18030", "ab中文😀"),
    "ucs2": ("utf-16-be", "ab中é"),
    "utf16le": ("utf-16-le", "ab中😀"),
    "utf32": ("utf-32-be", "ab中😀"),
    "ascii": ("ascii", "abc"),
}


def _some_text(charset: str, most: int) -> Make:
    codec, letters = _ALPHABETS[charset]
    return lambda random: "".join(random.choice(letters) for _ in range(random.randrange(most))).encode(codec)


def _some_bytes(most: int) -> Make:
    return lambda random: random.randbytes(random.randrange(most))


def sized(make: Make, prefix: int) -> Make:
    """With the length in front, in so many bytes."""

    def image(random: Random) -> bytes:
        data = make(random)
        return len(data).to_bytes(prefix, "little") + data

    return image


def _wide(code: int, bytes_: int) -> Stored:
    return Stored(code, bytes_ & 0xFF, bytes_ >> 8)


def _string(type_: str, code: int, bytes_: int, charset: str) -> Lying:
    make = _some_text(charset, 12) if charset else _some_bytes(40)
    native = Native("c", type_, f"{type_}(10)", charset=charset, length=10)
    return Lying(native, _wide(code, bytes_), sized(make, 1 if bytes_ < 256 else 2), make)


def _large(type_: str, prefix: int, charset: str, code: int = tablemap.BLOB) -> Lying:
    make = _some_text(charset, 30) if charset else _some_bytes(200)
    return Lying(Native("c", type_, type_, charset=charset), Stored(code, prefix), sized(make, prefix), make)


def _binary(width: int) -> Lying:
    make = _some_bytes(width + 1)
    native = Native("c", "binary", f"binary({width})", length=width)
    stripped: Make = lambda random: make(random).rstrip(b"\0")  # noqa: E731 - as short as what it stands beside
    return Lying(native, _wide(tablemap.STRING, width), sized(stripped, 1), lambda random: random.randbytes(width))


_DOCUMENTS = (
    b"",
    b"\x04\x01",
    b"\x05\xff\xff",
    b"\x0a" + b"\xff" * 8,
    b"\x0b" + struct.pack("<d", -0.5),
    b'\x0c\x05a"\n\\\x01',
    b"\x00\x02\x00\x23\x00\x12\x00\x01\x00\x13\x00\x02\x00\x02\x15\x00\x04\x02\x00abb"
    b"\x02\x00\x0e\x00\x05\x01\x00\x0c\x0a\x00\x01x\x00\x00",
    b"\x0f\xf6\x04\x03\x02\x81\x32",
)


def _json() -> Lying:
    return Lying(
        Native("c", "json", "json"),
        Stored(tablemap.JSON, 4),
        sized(lambda random: random.choice(_DOCUMENTS), 4),
        lambda random: random.choice([b'{"a": [1.0]}', b"null", '"中"'.encode()]),
    )


def _members(type_: str, count: int) -> Lying:
    labels = [f"m{number}'," if number == 1 else f"m{number}" for number in range(count)]
    full = f"{type_}({','.join(chr(39) + label.replace(chr(39), chr(39) * 2) + chr(39) for label in labels)})"
    size = (1 if count < 256 else 2) if type_ == "enum" else next(s for s in (1, 2, 3, 4, 8) if count <= 8 * s)
    code = tablemap.ENUM if type_ == "enum" else tablemap.SET

    def image(random: Random) -> bytes:
        number = random.randrange(count + 1) if type_ == "enum" else random.getrandbits(count)
        return number.to_bytes(size, "little")

    def cell(random: Random) -> bytes:
        return random.choice(labels).encode()

    return Lying(Native("c", type_, full, charset="utf8mb4"), Stored(code, size), image, cell)


def _moments(zero: str) -> list[Lying]:
    found = [_date(code, zero) for code in (tablemap.DATE, tablemap.NEWDATE)]
    for digits in range(7):
        found += [_datetime(digits, zero), _timestamp(digits, zero)]
    old_stamp: Make = lambda random: _seconds(random).to_bytes(4, "little")  # noqa: E731
    return [
        *found,
        _old("datetime", tablemap.DATETIME, zero, _old_datetime),
        _old("timestamp", tablemap.TIMESTAMP, zero, old_stamp),
    ]


COLUMNS: tuple[Lying, ...] = (
    *(_integer(type_, unsigned) for type_ in INTEGERS for unsigned in (False, True)),
    _float("float", "<f", tablemap.FLOAT),
    _float("double", "<d", tablemap.DOUBLE),
    *(_decimal(*shape) for shape in ((1, 0), (1, 1), (10, 2), (18, 9), (12, 12), (30, 30), (38, 7), (65, 0), (65, 30))),
    *(_bit(width) for width in (1, 2, 7, 8, 9, 16, 33, 63, 64)),
    Lying(
        Native("c", "year", "year(4)"),
        Stored(tablemap.YEAR),
        lambda random: random.choice([b"\0", random.randbytes(1)]),
        lambda random: random.choice([b"0000", b"%d" % random.randrange(1901, 2156)]),
    ),
    *(column for zero in ("null", "text", "dirty") for column in _moments(zero)),
    *(_time(digits) for digits in range(7)),
    _old("time", tablemap.TIME, "null", _old_time),
    *(_string("char", tablemap.STRING, bytes_, "utf8mb4") for bytes_ in (40, 1020)),
    *(_string("varchar", tablemap.VARCHAR, 400, charset) for charset in _ALPHABETS),
    _string("varchar", tablemap.VAR_STRING, 200, "gbk"),
    _string("varbinary", tablemap.VARCHAR, 50, ""),
    _binary(1),
    _binary(16),
    *(_large(f"{size}text", prefix, "utf8mb4") for prefix, size in enumerate(("tiny", "", "medium", "long"), 1)),
    *(_large(f"{size}blob", prefix, "") for prefix, size in enumerate(("tiny", "", "medium", "long"), 1)),
    _large("text", 2, "gb18030"),
    _large("point", 4, "", tablemap.GEOMETRY),
    _json(),
    *(_members("enum", count) for count in (1, 3, 300)),
    *(_members("set", count) for count in (1, 8, 9, 24, 33, 64)),
)
"""Every type and every form of it that a server can send."""


def named(columns: Sequence[Lying]) -> list[Lying]:
    """With a name each."""
    return [replace(column, native=replace(column.native, name=f"c{place}")) for place, column in enumerate(columns)]
