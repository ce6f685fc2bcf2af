"""How far a task is in its target, table by table, and what it left behind."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, false, true

from disync.store.schema.shape import count, metadata, ms, row_id, text

# `chosen`: as Checkpoint.chosen.
checkpoint = Table(
    "checkpoint",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("split", Text, primary_key=True),
    text("position"),
    Column("epoch", Integer, nullable=False),
    Column("done", Boolean, nullable=False, server_default=false()),
    ms("updated_ms"),
    Column("chosen", Integer),
)

# The cuts of a task's full load, as they were made when it began, or when the table came. `stream`: as Split.stream.
# `gone`: the table has left the task. `rows_written` since the table came. `target_name`: where its rows go, as
# `schema.table`; "" where nobody said, in rows of an earlier release.
load_split = Table(
    "load_split",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("split", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    text("table_name"),
    Column("at", Float, nullable=False, server_default="0"),
    text("bounds"),
    text("stream"),
    Column("gone", Boolean, nullable=False, server_default=false()),
    count("rows_written"),
    text("target_name"),
)

# Tables that a task has left behind, and why.
failed_table = Table(
    "failed_table",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("table_name", Text, primary_key=True),
    text("reason"),
    ms("at_ms"),
)

# Columns of a table of the source that its target goes without: what brought them was not followed.
omitted_column = Table(
    "omitted_column",
    metadata,
    Column("file_id", ForeignKey("file.id"), primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("column_name", Text, primary_key=True),
)

# `state`: refused, asked (its replay was asked for, by the task's request number `request`) or replayed. `whole`: false
# where `row` was too large to be kept as it was, or could not be read.
dirty = Table(
    "dirty",
    metadata,
    row_id(),
    Column("file_id", ForeignKey("file.id"), nullable=False),
    text("table_name"),
    text("row"),
    text("reason"),
    text("position"),
    ms("at_ms"),
    text("state", "refused"),
    Column("request", BigInteger, nullable=False, server_default="0"),
    Column("whole", Boolean, nullable=False, server_default=true()),
    Index("dirty_file", "file_id"),
)
