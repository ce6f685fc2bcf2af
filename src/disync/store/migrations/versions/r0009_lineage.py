"""What tasks read and where it goes. A store that the first revision has just made has the table already."""

from __future__ import annotations

from alembic import op

from disync.store.schema import lineage

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    lineage.create(op.get_bind(), checkfirst=True)
