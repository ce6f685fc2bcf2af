"""What is seen of running tasks. A store that the first revision has just made has all of this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text, inspect

from disync.store.schema import event, sample

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    connection = op.get_bind()
    there = {column["name"] for column in inspect(connection).get_columns("load_split")}
    if "target_name" not in there:
        op.add_column("load_split", Column("target_name", Text, nullable=False, server_default=""))
    for made in (sample, event):
        made.create(connection, checkfirst=True)
