"""Comparisons in the background. A store that the first revision has just made has their table already."""

from __future__ import annotations

from alembic import op

from disync.store.schema import verification

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    verification.create(op.get_bind(), checkfirst=True)
