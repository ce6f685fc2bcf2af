"""Columns as the log itself describes them (binlog_row_metadata = FULL): as they were when its rows were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from disync.connectors.mysql import charsets
from disync.connectors.mysql.binlog import tablemap
from disync.connectors.mysql.binlog.tablemap import Labels, Stored, TableMap
from disync.connectors.mysql.types import Native


@dataclass(frozen=True, slots=True)
class Charset:
    """A character set by its name; `width`: the bytes of its widest character."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class Words:
    """What a server means by the numbers in its log: `charsets` by the number of a collation. MariaDB counts shapes
    among the texts."""

    charsets: Mapping[int, Charset]
    maria: bool


_NUMBERS = {
    tablemap.TINY: "tinyint",
    tablemap.SHORT: "smallint",
    tablemap.INT24: "mediumint",
    tablemap.LONG: "int",
    tablemap.LONGLONG: "bigint",
    tablemap.NEWDECIMAL: "decimal",
    tablemap.FLOAT: "float",
    tablemap.DOUBLE: "double",
}
_TEXTS = (tablemap.STRING, tablemap.VARCHAR, tablemap.VAR_STRING, tablemap.BLOB)
_LISTS = {tablemap.ENUM: "enum", tablemap.SET: "set"}
_TIMES = {
    tablemap.TIME2: "time",
    tablemap.DATETIME2: "datetime",
    tablemap.TIMESTAMP2: "timestamp",
    tablemap.TIME: "time",
    tablemap.DATETIME: "datetime",
    tablemap.TIMESTAMP: "timestamp",
}
_OTHERS = {
    tablemap.YEAR: "year",
    tablemap.DATE: "date",
    tablemap.NEWDATE: "date",
    tablemap.BIT: "bit",
    tablemap.JSON: "json",
    tablemap.GEOMETRY: "geometry",
    tablemap.VECTOR: "vector",
}
_BLOBS = {1: "tiny", 2: "", 3: "medium", 4: "long"}


def natives(map_: TableMap, words: Words, zero: str) -> tuple[Native, ...]:
    """The columns of a table whose map has their names; those of a type that is not known have none. `zero`: as of a
    Native. A comment, and whether a column is computed, is not in the log."""
    unsigned, texts, lists = iter(map_.unsigned), _counted(map_.texts.of), _counted(map_.labels.of)
    members = {tablemap.ENUM: iter(map_.enums), tablemap.SET: iter(map_.sets)}
    found = []
    for place, (name, stored) in enumerate(zip(map_.names or (), map_.columns, strict=True)):
        if stored.code in _NUMBERS:
            made = _number(name, stored, next(unsigned, False))
        elif stored.code in _TEXTS:
            made = _text(name, stored, _charset(words, next(texts)))
        elif stored.code in _LISTS:
            made = _list(name, stored, _charset(words, next(lists)), next(members[stored.code], ()))
        else:
            if stored.code == tablemap.GEOMETRY and words.maria:
                next(texts)
            made = _other(name, stored)
        found.append(replace(made, nullable=map_.nullable[place], key=place in map_.key, zero=zero))
    return tuple(found)


def _counted(of: Callable[[int], int | None]) -> Iterator[int | None]:
    place = 0
    while True:
        yield of(place)
        place += 1


def _charset(words: Words, collation: int | None) -> Charset:
    return words.charsets.get(collation or 0, Charset(f"of collation {collation}", 1))


def _number(name: str, stored: Stored, unsigned: bool) -> Native:
    kind = _NUMBERS[stored.code]
    full = f"{kind} unsigned" if unsigned else kind
    if kind == "decimal":
        return Native(name, kind, full, precision=stored.first, scale=stored.second)
    return Native(name, kind, full)


def _text(name: str, stored: Stored, charset: Charset) -> Native:
    binary = charset.name == "binary"
    if stored.code == tablemap.BLOB:
        kind = _BLOBS.get(stored.first, "long") + ("blob" if binary else "text")
        return Native(name, kind, kind, "" if binary else charset.name, length=(1 << 8 * stored.first) - 1)
    kind = {True: "binary", False: "char"}[binary]
    kind = kind if stored.code == tablemap.STRING else f"var{kind}"
    return Native(name, kind, kind, "" if binary else charset.name, length=stored.wide // charset.width)


def _list(name: str, stored: Stored, charset: Charset, labels: Labels) -> Native:
    kind, decode = _LISTS[stored.code], charsets.decoder(charset.name)
    try:
        texts = [decode(label) for label in labels] if decode else []
    except UnicodeDecodeError:
        texts = []
    quoted = ",".join("'" + text.replace("\\", "\\\\").replace("'", "''") + "'" for text in texts)
    lengths = [len(text) for text in texts]
    length = max(lengths, default=0) if kind == "enum" else sum(lengths) + max(len(texts) - 1, 0)
    return Native(name, kind, f"{kind}({quoted})", charset.name, length=length)


def _other(name: str, stored: Stored) -> Native:
    if stored.code in _TIMES:
        fine = stored.code in (tablemap.TIME2, tablemap.DATETIME2, tablemap.TIMESTAMP2)
        return Native(name, _TIMES[stored.code], _TIMES[stored.code], fraction=stored.first if fine else 0)
    kind = _OTHERS.get(stored.code, f"of code {stored.code}")
    if kind == "bit":
        return Native(name, kind, kind, precision=stored.first + 8 * stored.second)
    return Native(name, kind, kind)
