"""Sessions of the console, and the audit log. A store that the first revision has just made has both already."""

from __future__ import annotations

from alembic import op

from disync.store.schema import audit, session

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    connection = op.get_bind()
    for made in (session, audit):
        made.create(connection, checkfirst=True)
