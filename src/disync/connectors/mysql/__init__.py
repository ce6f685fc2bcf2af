"""MySQL and MariaDB as a source: what is there, and the binary log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby
from typing import Any

from disync.connectors.mysql import checks, schema, sql
from disync.connectors.mysql import selection as selecting
from disync.connectors.mysql.changes import MySQLChangeReader
from disync.connectors.mysql.config import Content, ReaderParameters, address_of, step_of
from disync.connectors.mysql.connection import Session
from disync.model.connector import Connector, Database, Named, Reader, Site
from disync.model.outlook import Measured

PROBE_SECONDS = 2


def _reader(site: Site) -> Reader:
    parameters, address = step_of(site)
    selection = replace(selecting.of_step(parameters, address.database), without=site.without)
    return MySQLChangeReader(address, selection, parameters)


def _probe(content: Mapping[str, Any]) -> None:
    with closing(Session(address_of(content), PROBE_SECONDS, PROBE_SECONDS)) as session:
        session.query("SELECT 1")


def _catalog(content: Mapping[str, Any]) -> list[Database]:
    """Every database that the user may see, with its tables."""
    with closing(Session(address_of(content), read_seconds=30)) as session:
        rows = [tuple((value or b"").decode() for value in row) for row in session.query(sql.CATALOG)]
    return [
        Database(name, tuple(row[1] for row in listed if row[1])) for name, listed in groupby(rows, key=lambda r: r[0])
    ]


def _measures(content: Mapping[str, Any], places: Sequence[Named]) -> Mapping[Named, Measured]:
    with closing(Session(address_of(content), read_seconds=30)) as session:
        return schema.measures(session, places)


def _precheck(site: Site) -> list[str]:
    parameters, address = step_of(site)
    selection = selecting.of_step(parameters, address.database)
    with closing(Session(address, PROBE_SECONDS, read_seconds=30)) as session:
        return checks.check(session, selection)


CONNECTOR = Connector(
    name="mysql",
    compares=True,
    content=Content,
    reader_parameters=ReaderParameters,
    writer_parameters=None,
    reader=_reader,
    writer=None,
    probe=_probe,
    catalog=_catalog,
    precheck=_precheck,
    named=selecting.named,
    measures=_measures,
)
