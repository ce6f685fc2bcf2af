"""Columns that targets go without. A store that the first revision has just made has their table already."""

from __future__ import annotations

from alembic import op

from disync.store.schema import omitted_column

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    omitted_column.create(op.get_bind(), checkfirst=True)
