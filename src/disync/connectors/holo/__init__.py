"""Hologres as a target: PostgreSQL's protocol, and what is Hologres' own where a server really is one.

Whether it is one is asked of the server itself. On a plain PostgreSQL a `holo` step does what a `postgresql` step does.
"""

from __future__ import annotations

from disync.connectors.holo.dialect import detect
from disync.connectors.postgres import catalog, declared, probe
from disync.connectors.postgres.config import Content, WriterParameters, step_of
from disync.connectors.postgres.writer import Destination, PostgresWriter
from disync.model.connector import Connector, Site, Writer


def _writer(site: Site) -> Writer:
    parameters, address = step_of(site)
    return PostgresWriter(Destination(address, parameters, site.owner, detect))


CONNECTOR = Connector(
    name="holo",
    content=Content,
    reader_parameters=None,
    writer_parameters=WriterParameters,
    reader=None,
    writer=_writer,
    probe=probe,
    catalog=catalog,
    declared=declared,
)
