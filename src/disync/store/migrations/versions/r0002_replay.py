"""Refused rows can be replayed. A store that the first revision has just made has these columns already."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text, inspect, true

revision = "0002"
down_revision = "0001"


def columns() -> dict[str, list[Column[Any]]]:
    """Made anew at every call: a column belongs to one table."""
    return {
        "instance": [
            Column("recalled", Integer, nullable=False, server_default="0"),
            Column("replays", Integer, nullable=False, server_default="0"),
        ],
        "dirty": [
            Column("state", Text, nullable=False, server_default="refused"),
            Column("request", BigInteger, nullable=False, server_default="0"),
            Column("whole", Boolean, nullable=False, server_default=true()),
        ],
    }


def upgrade() -> None:
    known = inspect(op.get_bind())
    for table, wanted in columns().items():
        there = {column["name"] for column in known.get_columns(table)}
        for column in wanted:
            if column.name not in there:
                op.add_column(table, column)
