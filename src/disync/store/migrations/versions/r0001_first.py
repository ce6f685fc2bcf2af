"""The first shape: every table of `schema`. Once a version has been released, changes go into revisions after this
one, and this one is frozen to the tables of that release."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from disync.store.schema import FIRST_FILE, FIRST_WORKSPACE, metadata, nonces

revision = "0001"
down_revision = None


def upgrade() -> None:
    connection = op.get_bind()
    metadata.create_all(connection)
    if connection.dialect.name != "sqlite":
        nonces.create_all(connection)
        return
    # What Identity(start=…) is on PostgreSQL.
    for table, first in (("workspace", FIRST_WORKSPACE), ("file", FIRST_FILE)):
        statement = text("INSERT INTO sqlite_sequence(name, seq) VALUES (:table, :last)")
        connection.execute(statement, {"table": table, "last": first - 1})
