"""Alembic's entry: runs inside the transaction that `migrate` holds, so that a failed step leaves nothing behind."""

from __future__ import annotations

from alembic import context

from disync.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
