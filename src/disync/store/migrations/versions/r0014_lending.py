"""Parts of a load that other workers read. A store that the first revision has just made has their tables already."""

from __future__ import annotations

from alembic import op

from disync.store.schema import lending, lent, seat

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    for table in (lending, seat, lent):
        table.create(op.get_bind(), checkfirst=True)
