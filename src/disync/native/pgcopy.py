"""The format `pgcopy`: the name that reader and writer find each other by, and the type that each kind lies as."""

from __future__ import annotations

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
