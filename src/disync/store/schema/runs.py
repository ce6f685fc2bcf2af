"""Tasks that run: who has them, and how often they had to begin again."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, false, literal_column

from disync.store.schema.shape import count, metadata, ms, row_id, text

# One row: the name of this installation among all that may write into one target.
installation = Table("installation", metadata, Column("id", Text, primary_key=True))

# `desired` is what the user asked for, RUN or STOP; `running` and the lease say what a worker does. `beginning` is
# another whenever the task begins anew, `replays` how often rows were asked to be replayed. The run of the epoch
# `recalled` is to end, so that the next one begins.
instance = Table(
    "instance",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    text("desired", "STOP"),
    Column("start_at", Text),
    Column("start_time_ms", BigInteger),
    Column("failover_count", Integer),
    Column("failover_minutes", Integer),
    Column("dirty_limit", BigInteger),
    Column("ddl", Text),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("beginning", Integer, nullable=False, server_default="0"),
    Column("recalled", Integer, nullable=False, server_default="0"),
    Column("replays", Integer, nullable=False, server_default="0"),
    Column("worker", Text),
    count("lease_until_ms"),
    Column("running", Boolean, nullable=False, server_default=false()),
    Column("message", Text),
    Column("confirmed_ms", BigInteger),
    Column("started_ms", BigInteger),
    Column("stopped_ms", BigInteger),
    count("rows_read"),
    count("bytes_read"),
    count("rows_written"),
    count("rows_dirty"),
)

# Of nothing that a renewal writes, so that renewing a lease touches no index.
Index("instance_worker", instance.c.worker)
free = (instance.c.desired == literal_column("'RUN'")) & instance.c.worker.is_(None)
"""Runs that are wanted and that nobody holds. Written out: a partial index serves no question with parameters."""
Index("instance_free", instance.c.desired, sqlite_where=free, postgresql_where=free)

failover = Table(
    "failover",
    metadata,
    row_id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    Column("epoch", Integer, nullable=False),
    ms("at_ms"),
    text("reason"),
    Index("failover_file", "file_id", "at_ms"),
)
