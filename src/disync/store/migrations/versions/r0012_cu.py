"""How much of a worker a task takes. A store that the first revision has just made has this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Float, inspect

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for table in ("file", "deployment"):
        there = {column["name"] for column in inspect(op.get_bind()).get_columns(table)}
        if "cu" not in there:
            op.add_column(table, Column("cu", Float))
