"""Topics as tables: a TUPLE topic's fields are its columns, a BLOB topic has one column of bytes named `data`."""

from __future__ import annotations

from disync.connectors.datahub.wire import schema as schemas
from disync.connectors.datahub.wire.errors import Malformed
from disync.connectors.datahub.wire.schema import Schema
from disync.model.data import Column, Table
from disync.model.errors import BadConfig
from disync.model.types import Kind

FORMAT = "datahub.batch"
"""Each buffer is one BATCH block, all under the schema of the batch's table."""

BLOB_COLUMN = Column("data", Kind.BYTES, nullable=False)


def table_of(name: str, schema: Schema | None) -> Table:
    """The table that a topic is; DataHub knows no keys."""
    return Table(name, (BLOB_COLUMN,) if schema is None else schemas.columns(schema))


def layout_of(table: Table) -> Schema | None:
    """The schema that a table's rows have as DataHub records; None for rows of bytes alone (BLOB)."""
    if not table.columns or (len(table.columns) == 1 and table.columns[0].kind is Kind.BYTES):
        return None
    try:
        return schemas.schema_of(table.columns)
    except Malformed as error:
        raise BadConfig(f"Table {table.name} cannot be written to a TUPLE topic: {error}.") from error
