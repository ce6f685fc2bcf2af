"""Solutions. A store that the first revision has just made has all of this already."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Text, inspect

from disync.store.schema import config_process, file, solution

revision = "0004"
down_revision = "0003"


def columns() -> dict[str, list[Column[Any]]]:
    """Made anew at every call: a column belongs to one table."""
    return {
        "file": [Column("solution_id", BigInteger), Column("table_name", Text)],
        "instance": [Column("confirmed_ms", BigInteger)],
        "load_split": [Column("rows_written", BigInteger, nullable=False, server_default="0")],
    }


def upgrade() -> None:
    connection = op.get_bind()
    known = inspect(connection)
    for table, wanted in columns().items():
        there = {column["name"] for column in known.get_columns(table)}
        for column in wanted:
            if column.name not in there:
                op.add_column(table, column)
    for made in (solution, config_process):
        made.create(connection, checkfirst=True)
    for index in file.indexes:
        index.create(connection, checkfirst=True)
