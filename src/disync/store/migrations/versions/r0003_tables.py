"""Tables come to a task and leave it while it goes on. A store that the first revision has just made has all of it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, Text, false, inspect

from disync.store.schema import failed_table

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    there = {column["name"] for column in inspect(connection).get_columns("load_split")}
    for column in (
        Column("stream", Text, nullable=False, server_default=""),
        Column("gone", Boolean, nullable=False, server_default=false()),
    ):
        if column.name not in there:
            op.add_column("load_split", column)
    failed_table.create(connection, checkfirst=True)
