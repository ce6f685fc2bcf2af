"""Positions can be set by a person. A store that the first revision has just made has the column already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, inspect

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("checkpoint")}
    if "chosen" not in there:
        op.add_column("checkpoint", Column("chosen", Integer))
