"""What is Hologres' own, and how to tell that a server is one.

The settings and table properties are those its manual names. Not tried against a real Hologres: savepoints and
temporary tables, which the merge of changes rests on, and which its manual does not mention.
"""

from __future__ import annotations

import psycopg
import structlog

from disync.connectors.postgres.connection import Connection
from disync.connectors.postgres.target import POSTGRESQL, Dialect

log = structlog.get_logger()

HOLOGRES = Dialect(
    name="Hologres",
    numeric_digits=38,
    session=(
        # Rows and checkpoint in one transaction; point writes by the fixed plan, past the optimizer.
        "SET hg_experimental_enable_transaction = on",
        "SET hg_experimental_enable_fixed_dispatcher = on",
        "SET hg_experimental_enable_fixed_dispatcher_for_multi_values = on",
        "SET hg_experimental_enable_fixed_dispatcher_for_update = on",
        "SET hg_experimental_enable_fixed_dispatcher_for_delete = on",
    ),
    properties=(("orientation", "column"),),
    late_keys=False,
    fills=False,
    counts=False,  # not known; it has neither triggers nor rules
    shares=False,  # not known
)


def detect(connection: Connection) -> Dialect:
    """Ask for `hg_version()`, which only Hologres has, and set up the session of one that does."""
    try:
        with connection.transaction():
            connection.execute("SELECT hg_version()")
    except psycopg.errors.UndefinedFunction:
        return POSTGRESQL
    for statement in HOLOGRES.session:
        try:
            with connection.transaction():
                connection.execute(statement.encode())
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            log.info("holo.setting_unknown", statement=statement)  # another release of Hologres
    return HOLOGRES
