"""Canonical column kinds, and the Arrow storage that holds each without loss.

A kind says what a value means; its storage says how it lies in memory. Only five storages exist, so every reader and
every writer handles the same five, and no kind loses digits on the way: a decimal is its exact text (MySQL's
DECIMAL(65,30) fits no Arrow decimal128), and so is an integer that does not fit int64 (an unsigned BIGINT).
"""

from __future__ import annotations

from enum import StrEnum

from arro3.core import DataType


class Kind(StrEnum):
    TINYINT = "tinyint"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    FLOAT = "float"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "bytes"
    JSON = "json"
    DATE = "date"
    """A day, as days since 1970-01-01."""
    TIME = "time"
    """A span or a time of day, as text `[-]HHH:MM:SS[.ffffff]`: MySQL's reaches from -838:59:59 to 838:59:59."""
    DATETIME = "datetime"
    """What a calendar and a clock show, without a zone, as microseconds since 1970-01-01T00:00:00 of that calendar."""
    TIMESTAMP = "timestamp"
    """A moment, as microseconds since 1970-01-01T00:00:00Z."""


_STORAGE = {
    Kind.TINYINT: DataType.int64(),
    Kind.SMALLINT: DataType.int64(),
    Kind.INTEGER: DataType.int64(),
    Kind.BIGINT: DataType.int64(),
    Kind.FLOAT: DataType.float64(),
    Kind.DOUBLE: DataType.float64(),
    Kind.BOOLEAN: DataType.bool(),
    Kind.DECIMAL: DataType.utf8(),
    Kind.STRING: DataType.utf8(),
    Kind.BYTES: DataType.binary(),
    Kind.JSON: DataType.utf8(),
    Kind.DATE: DataType.int64(),
    Kind.TIME: DataType.utf8(),
    Kind.DATETIME: DataType.int64(),
    Kind.TIMESTAMP: DataType.int64(),
}


def storage(kind: Kind) -> DataType:
    """The Arrow type that holds values of `kind`: int64, float64, bool, utf8 or binary."""
    return _STORAGE[kind]
