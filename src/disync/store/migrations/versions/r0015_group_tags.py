"""Tags of resource groups. A store that the first revision has just made has this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text, inspect

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    there = {column["name"] for column in inspect(op.get_bind()).get_columns("resource_group")}
    if "tags" not in there:
        op.add_column("resource_group", Column("tags", Text, nullable=False, server_default="[]"))
