"""Brings the database to the shape this version needs; run at every start, by as many processes as there are."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext

from disync.store.database import Store

HEAD = "0004"


def migrate(store: Store) -> None:
    """One transaction under a lock: whoever comes second finds the work done."""
    with store.read() as connection:
        if MigrationContext.configure(connection).get_current_revision() == HEAD:
            return
    with store.write() as connection:
        store.alone(connection, "migrate")
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
