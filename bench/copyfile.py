"""A ready file of binary COPY: how fast the target takes rows that nobody has to read or translate first."""

from __future__ import annotations

import time
from pathlib import Path

from bench.contents import Table
from bench.databases import Databases
from bench.peers import Ran

_BLOCK = 1 << 20


def export(servers: Databases, schema: str, table: Table, file: Path) -> None:
    """The table as a file of binary COPY, as whoever has no source to read would have it ready."""
    columns = ", ".join(f"{column.name}::{column.target.partition(' NOT')[0]}" for column in table.columns)
    statement = f"COPY (SELECT {columns} FROM {schema}.{table.name}) TO STDOUT (FORMAT binary)"
    with servers.session() as session, session.cursor().copy(statement.encode()) as copy, file.open("wb") as out:
        for block in copy:
            out.write(block)


def load(servers: Databases, schema: str, table: str, file: Path) -> Ran:
    """The file into the table, over one connection."""
    statement = f"COPY {schema}.{table} FROM STDIN (FORMAT binary)"
    with servers.session() as session, file.open("rb") as ready:
        began = time.perf_counter()
        with session.cursor().copy(statement.encode()) as copy:
            while block := ready.read(_BLOCK):
                copy.write(block)
        return Ran(time.perf_counter() - began, 0.0)
