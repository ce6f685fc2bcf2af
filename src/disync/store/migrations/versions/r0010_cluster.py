"""A cluster tells of its resource groups. A store that the first revision has just made has all of this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Float, Integer, inspect

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("resource_group")}
    for column in (
        Column("nodes", Integer),
        Column("cpus", Float),
        Column("memory_bytes", BigInteger),
        Column("seen_ms", BigInteger),
    ):
        if column.name not in there:
            op.add_column("resource_group", column)
