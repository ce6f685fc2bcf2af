"""The format `pgcopy`: the name that reader and writer find each other by, and the type that each kind lies as."""

from __future__ import annotations

from struct import pack
from typing import Any

from disync.model.types import Kind

FORMAT = "pgcopy"

TYPES = {
    Kind.TINYINT: "int2",
    Kind.SMALLINT: "int2",
    Kind.INTEGER: "int4",
    Kind.BIGINT: "int8",
    Kind.FLOAT: "float4",
    Kind.DOUBLE: "float8",
    Kind.BOOLEAN: "bool",
    Kind.DECIMAL: "numeric",
    Kind.STRING: "text",
    Kind.BYTES: "bytea",
    Kind.JSON: "json",  # jsonb would change the text: order, spaces, repeated members, digits
    Kind.DATE: "date",
    Kind.TIME: "text",  # no time of day holds -838:59:59
    Kind.DATETIME: "timestamp",
    Kind.TIMESTAMP: "timestamptz",
}
"""Kind → PostgreSQL's type, by the name that its catalogue has for it."""


def field(kind: Kind, value: Any) -> bytes:
    """A value of a column that we add ourselves, as a field with its length: texts, whole numbers and booleans."""
    if kind is Kind.BOOLEAN:
        return pack("!i?", 1, value)
    if kind is Kind.BIGINT:
        return pack("!iq", 8, value)
    text = str(value).encode()
    return pack("!i", len(text)) + text
