"""Canonical column kinds, and the Arrow storage that holds each without loss.

A kind says what a value means; its storage says how it lies in memory. Only five storages exist, so every reader and
every writer handles the same five, and no kind loses digits on the way: a decimal is its exact text (MySQL's
DECIMAL(65,30) fits no Arrow decimal128), a timestamp is microseconds since 1970-01-01T00:00:00Z as int64.
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
    TIMESTAMP = "timestamp"


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
    Kind.TIMESTAMP: DataType.int64(),
}


def storage(kind: Kind) -> DataType:
    """The Arrow type that holds values of `kind`: int64, float64, bool, utf8 or binary."""
    return _STORAGE[kind]
