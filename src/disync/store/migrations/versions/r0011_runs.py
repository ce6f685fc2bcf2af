"""Who holds a run, and which are free, is asked by every worker several times a second: both without reading all tasks.
A store that the first revision has just made has this already."""

from __future__ import annotations

from alembic import op
from sqlalchemy import inspect

from disync.store.schema import instance

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    there = {index["name"] for index in inspect(op.get_bind()).get_indexes("instance")}
    for index in instance.indexes:
        if index.name in ("instance_worker", "instance_free") and index.name not in there:
            index.create(op.get_bind())
