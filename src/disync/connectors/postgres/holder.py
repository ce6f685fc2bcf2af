"""Who writes into a target: a run of a task, or a worker that helps with one.

Epochs keep what is over from counting. They do not make it let go: of a worker that is stopped, or cut off, the session
holds the locks of the rows that it has sent, and no limit of the server's ends one in the middle of a COPY. So the
sessions of a run bear its name, and whoever comes next ends them.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from hashlib import sha256

import psycopg
import structlog

from disync.connectors.postgres.beginnings import numbered
from disync.connectors.postgres.connection import APPLICATION, Connection
from disync.model.connector import Site

log = structlog.get_logger()

_END = """
SELECT pid, pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE usename = session_user AND pid <> pg_backend_pid()
  AND CASE WHEN left(application_name, length($1::text)) = $1::text
      THEN split_part(application_name, '.', 2)::bigint < $2 OR split_part(application_name, '.', 2)::bigint = $2
          AND split_part(application_name, '.', 3) <> '' AND split_part(application_name, '.', 3) <> ALL ($3::text[])
      ELSE false END
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """`owner`, `epoch` and `seat` as of a Site."""

    owner: str = ""
    epoch: int = 0
    seat: str = ""

    @staticmethod
    def of(site: Site) -> Holder:
        return Holder(site.owner, site.epoch, site.seat)

    @property
    def session(self) -> str:
        """The name of its sessions (`application_name`): no more than 63 bytes."""
        return f"{self._prefix}{self.epoch}.{self.seat}"

    @property
    def _prefix(self) -> str:
        """Epochs grow from one beginning of a task to the next."""
        found = numbered(self.owner)
        name = found[0] if found else self.owner
        return f"{APPLICATION} {sha256(name.encode()).hexdigest()[:12]}."

    def dismiss(self, connection: Connection, helpers: Set[str]) -> None:
        """End the sessions of earlier runs, and of workers that help with this one, but for `helpers`. Ends the
        transaction."""
        try:
            ended = connection.execute(_END.encode(), (self._prefix, self.epoch, sorted(helpers))).fetchall()
        except psycopg.Error as error:  # then they end when the server sees that they are gone
            if error.sqlstate is None or connection.closed:
                raise
            log.warning("postgres.sessions_cannot_be_ended", error=str(error))
            ended = []
        connection.rollback()
        if ended:
            log.warning("postgres.sessions_ended", epoch=self.epoch, sessions=[pid for pid, _ in ended])
