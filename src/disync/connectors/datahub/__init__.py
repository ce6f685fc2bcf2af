"""DataHub as a source and as a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.connectors.datahub.changes import DataHubChangeReader
from disync.connectors.datahub.client import Client
from disync.connectors.datahub.config import Content, ReaderParameters, WriterParameters, content_of, step_of
from disync.connectors.datahub.writer import DataHubWriter
from disync.model.connector import Connector, Database, Reader, Site, Writer


def _reader(site: Site) -> Reader:
    parameters, content = step_of(site, ReaderParameters)
    return DataHubChangeReader(Client(content), parameters)


def _writer(site: Site) -> Writer:
    parameters, content = step_of(site, WriterParameters)
    return DataHubWriter(Client(content), parameters)


def _probe(content: Mapping[str, Any]) -> None:
    client = Client(content_of(content), retry_seconds=0.0, read_seconds=1.0)
    try:
        client.check()
    finally:
        client.close()


def _catalog(content: Mapping[str, Any]) -> list[Database]:
    """The project that the data source names, and its topics."""
    client = Client(content_of(content), retry_seconds=1.0, read_seconds=5.0)
    try:
        return [Database(client.project, tuple(sorted(client.topics())))]
    finally:
        client.close()


CONNECTOR = Connector(
    name="datahub",
    content=Content,
    reader_parameters=ReaderParameters,
    writer_parameters=WriterParameters,
    reader=_reader,
    writer=_writer,
    probe=_probe,
    catalog=_catalog,
)
