"""Hologres as a target: PostgreSQL's protocol, and what is Hologres' own where a server really is one.

Whether it is one is asked of the server itself. On a plain PostgreSQL a `holo` step does what a `postgresql` step does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from disync.connectors.holo.dialect import detect
from disync.connectors.postgres import catalog, declared, measures, probe, statement
from disync.connectors.postgres.config import Content, WriterParameters, address_of, step_of
from disync.connectors.postgres.destination import Destination
from disync.connectors.postgres.holder import Holder
from disync.connectors.postgres.writer import PostgresWriter
from disync.model.connector import Connector, Site, Writer


def _writer(site: Site) -> Writer:
    parameters, address = step_of(site)
    return PostgresWriter(Destination(address, parameters, Holder.of(site), detect, "hologres", site.dirty))


def _create(content: Mapping[str, Any], ddl: str) -> str:
    return statement.create(address_of(content), ddl, detect)


CONNECTOR = Connector(
    name="holo",
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
    create=_create,
)
