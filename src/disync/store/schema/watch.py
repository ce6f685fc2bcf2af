"""What is seen of tasks: how they are, what has happened, what they read and write, and whether both ends agree."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, false

from disync.store.schema.shape import count, metadata, ms, row_id, text

# What a running task did in the `span_ms` before `at_ms`: rows and bytes since the sample before, and how it then was.
# `grain`: seconds from one sample to the next. `delay_ms`: None where it is not known. `memory_bytes`: of the worker
# that runs it. `rows_dirty`: since the task was started.
sample = Table(
    "sample",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("grain", Integer, primary_key=True),
    Column("at_ms", BigInteger, primary_key=True),
    Column("span_ms", BigInteger, nullable=False),
    count("rows_read"),
    count("bytes_read"),
    count("rows_written"),
    Column("delay_ms", BigInteger),
    count("memory_bytes"),
    count("rows_dirty"),
    Index("sample_age", "grain", "at_ms"),
)

# What became of a task: see services/happening.py. `detail`: a JSON object.
event = Table(
    "event",
    metadata,
    row_id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    ms("at_ms"),
    text("type"),
    text("table_name"),
    text("message"),
    text("detail", "{}"),
    Index("event_file", "file_id", "id"),
    sqlite_autoincrement=True,
)

# What a task reads and where it goes, as its newest run has found it when it began; only where somebody traces lineage.
# `flows`: see services/lineage/datasets.py.
lineage = Table(
    "lineage",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    ms("at_ms"),
    text("flows", "[]"),
)

# A comparison of what a task (a solution's real-time task, too) reads with what it writes. `state` is RUN until its
# `holder`, "" before it has one, says what came of it, or somebody stops it; whose lease has ended by then will not,
# so that it has failed. `tables`: a JSON list of the source's names, an empty one for all. `seconds`: how long the
# task may take to catch up. `differences` are rows that differ now, `repaired` those that did. `report`: a JSON list,
# what is known of each table.
verification = Table(
    "verification",
    metadata,
    row_id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    text("user_id"),
    text("tables", "[]"),
    Column("repair", Boolean, nullable=False, server_default=false()),
    Column("most", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    text("state", "RUN"),
    text("message"),
    text("holder"),
    ms("until_ms"),
    ms("started_ms"),
    Column("ended_ms", BigInteger),
    count("tables_all"),
    count("tables_done"),
    count("rows_compared"),
    count("differences"),
    count("repaired"),
    text("report", "[]"),
    Index("verification_file", "file_id", "id"),
    Index("verification_state", "state"),
    sqlite_autoincrement=True,
)
