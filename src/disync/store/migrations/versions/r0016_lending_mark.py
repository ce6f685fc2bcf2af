"""What a run that wants help tells of its task. A store that the first revision has just made has this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text, inspect

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("lending")}
    if "mark" not in there:
        op.add_column("lending", Column("mark", Text, nullable=False, server_default=""))
