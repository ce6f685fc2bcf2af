"""PostgreSQL as a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.connectors.postgres.catalog import databases
from disync.connectors.postgres.config import Content, WriterParameters, address_of, step_of
from disync.connectors.postgres.connection import connect, told
from disync.connectors.postgres.types import type_of
from disync.connectors.postgres.writer import Destination, PostgresWriter
from disync.model.connector import Connector, Database, Declared, Site, Writer
from disync.model.data import Column


def _writer(site: Site) -> Writer:
    parameters, address = step_of(site)
    return PostgresWriter(Destination(address, parameters, site.owner))


def probe(content: Mapping[str, Any]) -> None:
    """Connect once, and ask for nothing."""
    with connect(address_of(content), seconds=2) as connection, told("trying the connection"):
        connection.execute("SELECT 1")


def catalog(content: Mapping[str, Any]) -> list[Database]:
    """The schemas of the database, with their tables."""
    with connect(address_of(content), seconds=2) as connection, told("listing the tables"):
        return databases(connection)


def declared(column: Column) -> Declared:
    type_ = type_of(column)
    return Declared(type_.name, type_.length or type_.precision or 0, type_.scale or 0)


CONNECTOR = Connector(
    name="postgresql",
    content=Content,
    reader_parameters=None,
    writer_parameters=WriterParameters,
    reader=None,
    writer=_writer,
    probe=probe,
    catalog=catalog,
    declared=declared,
)
