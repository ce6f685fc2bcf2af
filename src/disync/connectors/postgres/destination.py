"""Where a step writes, and how: what a writer and its sinks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from disync.connectors.postgres.config import Address, WriterParameters
from disync.connectors.postgres.connection import APPLICATION, Connection, connect, told
from disync.connectors.postgres.holder import Holder
from disync.connectors.postgres.sql import Relation
from disync.connectors.postgres.target import POSTGRESQL, Dialect, Wish
from disync.model.data import Table

Link = tuple[Connection, Dialect]


@dataclass(frozen=True, slots=True)
class Destination:
    """`detect` tells what kind of server it is, and sets up the session."""

    address: Address
    parameters: WriterParameters
    holder: Holder
    detect: Callable[[Connection], Dialect] = lambda _: POSTGRESQL
    scheme: str = "postgres"
    """Of its name for catalogues."""
    dirty: int | None = None
    """How many refused rows the task allows."""

    @property
    def schema(self) -> str:
        return self.parameters.target_schema

    @property
    def owner(self) -> str:
        """Whose checkpoints these are: a split's id says it within its source only."""
        return self.holder.owner

    @property
    def append(self) -> bool:
        return self.parameters.write_mode == "insert"

    @property
    def ignore(self) -> bool:
        return self.parameters.conflict_mode == "ignore"

    @property
    def counts(self) -> bool:
        """Whether every row that is sent has to be in the table then."""
        return self.parameters.suppressed_rows == "refuse"

    @property
    def writers(self) -> int:
        """Rows that are appended are numbered, one after the other."""
        return 1 if self.append else self.parameters.writer_concurrent

    def relation(self, table: Table) -> Relation:
        if table.path:
            schema, name = table.path
            return Relation(schema or self.schema, name)
        return Relation(self.schema, self.parameters.table or table.name)

    def wish(self, table: Table, lenient: bool = False) -> Wish:
        return Wish(self.relation(table), table, self.append, lenient)

    def wishes(self, tables: Sequence[Table], lenient: bool, keyless: Set[tuple[str, str]]) -> list[Wish]:
        """`keyless`: (schema, name) of tables that still get their keys."""
        found = [self.wish(table, lenient) for table in tables]
        return [replace(wish, keyless=wish.relation.place in keyless and bool(wish.keys)) for wish in found]

    def connect(self, name: str = APPLICATION) -> Link:
        connection = connect(self.address, name=name)
        try:
            with told("opening a session"):
                dialect = self.detect(connection)
                connection.rollback()
        except BaseException:
            connection.close()
            raise
        return connection, dialect
