"""Brings the database to the shape this version needs; run at every start, by as many processes as there are."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from disync.model.errors import BadConfig
from disync.store.database import Store

HEAD = "0016"


def revision(store: Store) -> str | None:
    """Where the database is: HEAD is this version's; None of one that is empty."""
    with store.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return found


def migrate(store: Store) -> None:
    """One transaction under a lock: whoever comes second finds the work done. A database that a later version has
    shaped is refused."""
    found = revision(store)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise BadConfig(
            f"The store is of a later release (its tables are at {found}, these are {HEAD}): start that release, or "
            "restore the store as it was before the upgrade."
        )
    # Imported by who has something to do: every process of an installation comes here, and a worker stays for long.
    from alembic import command
    from alembic.config import Config

    with store.write() as connection:
        store.alone(connection, "migrate")
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
