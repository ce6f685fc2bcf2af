"""PostgreSQL as a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from disync.connectors.postgres import catalog as tables
from disync.connectors.postgres import statement
from disync.connectors.postgres.config import Content, WriterParameters, address_of, step_of
from disync.connectors.postgres.connection import connect, told
from disync.connectors.postgres.destination import Destination
from disync.connectors.postgres.holder import Holder
from disync.connectors.postgres.target import POSTGRESQL
from disync.connectors.postgres.types import type_of
from disync.connectors.postgres.writer import PostgresWriter
from disync.model.connector import Connector, Database, Declared, Named, Site, Writer
from disync.model.data import Column
from disync.model.outlook import Measured


def _writer(site: Site) -> Writer:
    parameters, address = step_of(site)
    return PostgresWriter(Destination(address, parameters, Holder.of(site), dirty=site.dirty))


def probe(content: Mapping[str, Any]) -> None:
    """Connect once, and ask for nothing."""
    with connect(address_of(content), seconds=2) as connection, told("trying the connection"):
        connection.execute("SELECT 1")


def catalog(content: Mapping[str, Any]) -> list[Database]:
    """The schemas of the database, with their tables."""
    with connect(address_of(content), seconds=2) as connection, told("listing the tables"):
        return tables.databases(connection)


def measures(content: Mapping[str, Any], places: Sequence[Named]) -> Mapping[Named, Measured]:
    with connect(address_of(content), seconds=2) as connection, told("measuring the tables"):
        return tables.measures(connection, places)


def create(content: Mapping[str, Any], ddl: str) -> str:
    return statement.create(address_of(content), ddl, lambda _: POSTGRESQL)


def declared(column: Column) -> Declared:
    type_ = type_of(column)
    return Declared(type_.name, type_.length or type_.precision or 0, type_.scale or 0)


CONNECTOR = Connector(
    name="postgresql",
    compares=True,
    content=Content,
    reader_parameters=None,
    writer_parameters=WriterParameters,
    reader=None,
    writer=_writer,
    probe=probe,
    catalog=catalog,
    declared=declared,
    measures=measures,
    create=create,
)
